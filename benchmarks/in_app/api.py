"""OpenAI's API in memory: the real SDK does all its work, and only the network is missing.

The two replies are fixed, so every variant parses the same bytes.
"""

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

import openai

MODEL = "gpt-5-mini"
SERVED_MODEL = "gpt-5-mini-2025-08-07"
CACHED_TOKENS = 1152
REASONING_TOKENS = 193
USAGE = {
    "prompt_tokens": 1873,
    "completion_tokens": 317,
    "total_tokens": 2190,
    "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": REASONING_TOKENS,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
CHUNKS = 50
"""Chunks of a stream, the one with the usage not counted."""

QUESTION = "Which pallets are due before noon, and which dock do they leave from?"

_MESSAGES = [
    {"role": "system", "content": "You answer questions about the warehouse in one short paragraph. " * 12},
    {"role": "user", "content": QUESTION},
]
REQUEST = {"model": MODEL, "messages": _MESSAGES, "max_completion_tokens": 400}
STREAM = {**REQUEST, "stream": True, "stream_options": {"include_usage": True}}
"""The stream asks for its usage itself, so that all variants see it."""

_PIECE = " pallet"

Send = Callable[[], object]


def calls(client: openai.OpenAI) -> dict[str, Send]:
    """Return the two calls that are measured."""
    completions: Any = client.chat.completions  # a call looks `create` up each time: that is what gets replaced

    def plain() -> None:
        completions.create(**REQUEST)

    def stream() -> None:
        for _ in completions.create(**STREAM):
            pass

    return {"plain": plain, "stream": stream}


def client() -> openai.OpenAI:
    """Return a client of the real SDK whose requests never leave the process."""
    http = _http_library()
    transport = http.MockTransport(_answer(http))
    return openai.OpenAI(api_key="unused", http_client=http.Client(transport=transport))


def _http_library() -> Any:
    """Return `httpx2` or `httpx`, whichever this version of the SDK is built on."""
    http_client = openai.DefaultHttpxClient.__mro__[1]
    return import_module(http_client.__module__.partition(".")[0])


def _answer(http: Any) -> Callable[[Any], Any]:
    completion, events = json.dumps(_completion()).encode(), _events()

    def answer(request: Any) -> Any:
        if b'"stream":true' in request.content:
            return http.Response(200, headers={"content-type": "text/event-stream"}, content=events)
        return http.Response(200, headers={"content-type": "application/json"}, content=completion)

    return answer


def _completion() -> dict[str, Any]:
    message = {"role": "assistant", "content": _PIECE * (CHUNKS - 2), "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return _reply("chat.completion", choices=[choice], usage=USAGE)


def _events() -> bytes:
    deltas = [{"role": "assistant", "content": ""}, *({"content": _PIECE} for _ in range(CHUNKS - 2)), {}]
    reasons = [*(None for _ in range(CHUNKS - 1)), "stop"]
    chunks = [
        _reply("chat.completion.chunk", choices=[{"index": 0, "delta": delta, "finish_reason": reason}], usage=None)
        for delta, reason in zip(deltas, reasons, strict=True)
    ]
    chunks.append(_reply("chat.completion.chunk", choices=[], usage=USAGE))
    return b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"


def _reply(kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-0b5cd9a1e7",
        "object": kind,
        "created": 1_795_000_000,
        "model": SERVED_MODEL,
        "service_tier": "default",
        **fields,
    }
