"""`POST /chat/completions`: one body, or a stream of chunks."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from fake_provider.book import Book, Exchange
from fake_provider.openai.answer import Answer, answer
from fake_provider.openai.errors import SERVER_ERROR, behaviour, failure, refusal
from fake_provider.openai.models import deployed, served
from fake_provider.wire import TruncatedResponse, event

_SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}


class ChatEndpoint:
    """Answers chat requests and bills them."""

    def __init__(self, book: Book, pause_s: float) -> None:
        self._book = book
        self._pause_s = pause_s

    async def handle(self, request: Request) -> Response:
        exchange = await self._book.receive(request)
        deployment: str | None = request.path_params.get("deployment")
        asked = deployment or exchange.body.get("model")
        if not asked or not isinstance(asked, str):
            return refusal("you must provide a model parameter", "model")
        if not exchange.body.get("messages"):
            return refusal("Missing required parameter: 'messages'.", "messages")
        manner = behaviour(exchange, asked)
        if (failed := failure(manner)) is not None:
            return failed
        try:
            given = answer(exchange, deployed(asked) if deployment else served(asked), self._book)
        except ValueError as error:
            return refusal(str(error), "x-fake-usage")
        pause_s = self._pause_s if manner == "slow" else 0.0
        delivery = _Delivery(exchange, given, manner, pause_s, azure=deployment is not None)
        return delivery.stream() if exchange.body.get("stream") else await delivery.whole()


@dataclass(slots=True)
class _Delivery:
    """Hands one answer to the client and bills what it handed over."""

    exchange: Exchange
    answer: Answer
    manner: str
    pause_s: float
    azure: bool

    async def whole(self) -> Response:
        await asyncio.sleep(self.pause_s)
        self._bill(self.answer.usage)
        body = _completion(self.answer)
        if self.azure:
            body["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": _SAFE}]
        if self.manner == "stream-no-usage":
            del body["usage"]
        if self.manner == "truncated":
            raw = json.dumps(body).encode()
            return TruncatedResponse(_once(raw[: len(raw) // 2]), media_type="application/json")
        return JSONResponse(body, headers={"x-request-id": f"req_{self.answer.id[9:]}"})

    def stream(self) -> Response:
        kind = TruncatedResponse if self.manner == "truncated" else StreamingResponse
        headers = {"x-request-id": f"req_{self.answer.id[9:]}", "cache-control": "no-cache"}
        return kind(self._events(), media_type="text/event-stream; charset=utf-8", headers=headers)

    async def _events(self) -> AsyncIterator[bytes]:
        tokens = 0
        try:
            for chunk in self._opening():
                yield event(chunk)
            for piece in self._spoken():
                for index in range(self.answer.choices):
                    await asyncio.sleep(self.pause_s)
                    yield event(self._chunk(index, {"content": piece}))
                    tokens += 1
            if self.manner == "truncated":
                return
            if self.manner == "error-in-stream":
                yield event(SERVER_ERROR)
                return
            self._bill(self.answer.usage)  # before the client can know that it has everything
            for chunk in self._ending():
                yield event(chunk)
            yield b"data: [DONE]\n\n"
        finally:
            if self.exchange.usage is None:
                self._bill(self.answer.usage_after(tokens))

    def _spoken(self) -> tuple[str, ...]:
        pieces = self.answer.pieces
        return pieces[: len(pieces) // 2] if self.manner in {"truncated", "error-in-stream"} else pieces

    def _opening(self) -> list[dict[str, Any]]:
        chunks = [
            self._chunk(index, {"role": "assistant", "content": "", "refusal": None})
            for index in range(self.answer.choices)
        ]
        if not self.azure:
            return chunks
        # Azure begins with the verdict on the prompt, in a chunk that names neither model nor id.
        filters = [{"prompt_index": 0, "content_filter_results": _SAFE}]
        verdict = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": filters}
        return [verdict, *chunks]

    def _ending(self) -> list[dict[str, Any]]:
        given = self.answer
        chunks: list[dict[str, Any]] = []
        for index in range(given.choices):
            if given.tool_call is not None:
                chunks.append(self._chunk(index, {"tool_calls": [{"index": 0, **given.tool_call}]}))
            chunks.append(self._chunk(index, {}, given.finish_reason))
        if self._usage_wanted() and self.manner != "stream-no-usage":
            chunks.append(self._envelope([]) | {"usage": given.usage})
        return chunks

    def _chunk(self, index: int, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        return self._envelope([{"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}])

    def _envelope(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        chunk = _head(self.answer, "chat.completion.chunk") | {"choices": choices}
        return chunk | {"usage": None} if self._usage_wanted() else chunk

    def _usage_wanted(self) -> bool:
        return bool((self.exchange.body.get("stream_options") or {}).get("include_usage"))

    def _bill(self, usage: dict[str, Any]) -> None:
        self.exchange.bill(self.answer.model, usage, self.answer.tier)


def _head(given: Answer, kind: str) -> dict[str, Any]:
    return {
        "id": given.id,
        "object": kind,
        "created": given.created,
        "model": given.model,
        "service_tier": given.tier,
        "system_fingerprint": given.fingerprint,
    }


def _completion(given: Answer) -> dict[str, Any]:
    spoken = "".join(given.pieces) if given.tool_call is None else None
    message: dict[str, Any] = {"role": "assistant", "content": spoken, "refusal": None, "annotations": []}
    if given.tool_call is not None:
        message["tool_calls"] = [given.tool_call]
    choices = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": given.finish_reason}
        for index in range(given.choices)
    ]
    return _head(given, "chat.completion") | {"choices": choices, "usage": given.usage}


async def _once(raw: bytes) -> AsyncIterator[bytes]:
    yield raw
