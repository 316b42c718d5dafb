"""`/model/{id}/converse` and `/model/{id}/invoke`, whole and streamed.

After the service model `bedrock-runtime` 2023-09-30 of botocore 1.44.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from fake_provider.bedrock.answer import Answer, answer
from fake_provider.bedrock.event_stream import encode
from fake_provider.bedrock.families import family_of
from fake_provider.book import Book, Exchange
from fake_provider.wire import TruncatedResponse, once

_ERRORS = {
    "error-400": (400, "ValidationException", "The provided model identifier is invalid."),
    "error-401": (403, "UnrecognizedClientException", "The security token included in the request is invalid."),
    "error-429": (429, "ThrottlingException", "Too many requests, please wait before trying again."),
    "error-500": (500, "InternalServerException", "The system encountered an unexpected error. Try again."),
}
_COUNTS = {
    "input": "inputTokens",
    "output": "outputTokens",
    "cache-read": "cacheReadInputTokens",
    "cache-write": "cacheWriteInputTokens",
}
_MEDIA_TYPE = "application/vnd.amazon.eventstream"
_BROKEN = {"truncated", "error-in-stream"}


class _Endpoint:
    """What all four calls have in common. The model's id says how the call goes: `anthropic.slow`, `error-429` ..."""

    def __init__(self, book: Book, pause_s: float) -> None:
        self._book = book
        self._pause_s = pause_s

    async def _answer(self, request: Request) -> tuple[Exchange, Answer] | Response:
        exchange = await self._book.receive(request)
        model: str = request.path_params["model"]
        for name, (status, code, message) in _ERRORS.items():
            if name in model:
                return JSONResponse({"message": message}, status, {"x-amzn-errortype": code})
        try:
            return exchange, answer(exchange, model)
        except ValueError as error:
            return JSONResponse({"message": str(error)}, 400, {"x-amzn-errortype": "ValidationException"})

    def _send(self, exchange: Exchange, given: Answer, body: dict[str, Any], headers: dict[str, str]) -> Response:
        exchange.bill(given.model, given.usage)
        if "truncated" in given.model:
            raw = json.dumps(body).encode()
            promised = headers | {"content-length": str(len(raw))}
            return TruncatedResponse(once(raw[: len(raw) // 2]), media_type="application/json", headers=promised)
        return JSONResponse(body, headers=headers)

    def _stream(self, exchange: Exchange, given: Answer, messages: Iterator[bytes]) -> Response:
        kind = TruncatedResponse if "truncated" in given.model else StreamingResponse
        return kind(self._events(exchange, given, list(messages)), media_type=_MEDIA_TYPE)

    async def _events(self, exchange: Exchange, given: Answer, messages: list[bytes]) -> AsyncIterator[bytes]:
        broken = any(manner in given.model for manner in _BROKEN)
        pause_s = self._pause_s if "slow" in given.model else 0.0
        sent = 0
        try:
            for message in messages[: len(messages) // 2] if broken else messages[:-1]:
                await asyncio.sleep(pause_s)
                yield message
                sent += 1
            if "error-in-stream" in given.model:
                yield encode("modelStreamErrorException", {"message": "The model fell over."}, message="exception")
            if not broken:
                exchange.bill(given.model, given.usage)  # before the client can know that it has everything
                yield messages[-1]
        finally:
            if exchange.usage is None:
                exchange.bill(given.model, given.usage_after(sent))


class ConverseEndpoint(_Endpoint):
    """Answers in the one format that Converse has for all models."""

    async def whole(self, request: Request) -> Response:
        answered = await self._answer(request)
        if isinstance(answered, Response):
            return answered
        exchange, given = answered
        message = {"role": "assistant", "content": [{"text": given.text}]}
        body = {"output": {"message": message}, "stopReason": "end_turn", **_metadata(exchange, given)}
        return self._send(exchange, given, body, {})

    async def stream(self, request: Request) -> Response:
        answered = await self._answer(request)
        return answered if isinstance(answered, Response) else self._stream(*answered, _converse_events(*answered))


def _converse_events(exchange: Exchange, given: Answer) -> Iterator[bytes]:
    yield encode("messageStart", {"role": "assistant"})
    for piece in given.pieces:
        yield encode("contentBlockDelta", {"delta": {"text": piece}, "contentBlockIndex": 0})
    yield encode("contentBlockStop", {"contentBlockIndex": 0})
    yield encode("messageStop", {"stopReason": "end_turn"})
    yield encode("metadata", _metadata(exchange, given))


def _metadata(exchange: Exchange, given: Answer) -> dict[str, Any]:
    asked = (exchange.body.get("serviceTier") or {}).get("type", "default")
    return {"usage": given.usage, "metrics": {"latencyMs": 12}, "serviceTier": {"type": asked}}


class InvokeEndpoint(_Endpoint):
    """Answers in the format of the model's family; Bedrock adds the counts, whatever the family reports."""

    async def whole(self, request: Request) -> Response:
        answered = await self._answer(request)
        if isinstance(answered, Response):
            return answered
        exchange, given = answered
        counts = {name: given.usage[field] for name, field in _COUNTS.items() if field in given.usage}
        if "embed" in given.model:
            del counts["output"]
        headers = {f"x-amzn-bedrock-{name}-token-count": str(count) for name, count in counts.items()}
        if "no-headers" in given.model:
            headers = {}
        return self._send(exchange, given, family_of(given.model).whole(given), headers)

    async def stream(self, request: Request) -> Response:
        answered = await self._answer(request)
        return answered if isinstance(answered, Response) else self._stream(*answered, _invoke_events(answered[1]))


def _invoke_events(given: Answer) -> Iterator[bytes]:
    chunks = list(family_of(given.model).chunks(given))
    chunks[-1]["amazon-bedrock-invocationMetrics"] = {
        "inputTokenCount": given.usage["inputTokens"],
        "outputTokenCount": given.usage["outputTokens"],
        "invocationLatency": 12,
        "firstByteLatency": 3,
    }
    for chunk in chunks:
        yield encode("chunk", {"bytes": base64.b64encode(json.dumps(chunk).encode()).decode()})
