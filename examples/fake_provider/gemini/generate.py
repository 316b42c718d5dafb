"""`generateContent` and `streamGenerateContent`: one body, or a stream of chunks that each count up to then."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from fake_provider.book import Book, Exchange
from fake_provider.gemini.answer import CONTINUATION_TOKEN, Answer, answer
from fake_provider.gemini.errors import SERVER_ERROR, behaviour, failure, refusal
from fake_provider.wire import TruncatedResponse, event


class GenerateEndpoint:
    """Answers requests for content and bills them."""

    def __init__(self, book: Book, pause_s: float) -> None:
        self._book = book
        self._pause_s = pause_s

    async def whole(self, request: Request, model: str) -> Response:
        """Answer with one body."""
        delivery = await self._prepare(request, model)
        return delivery if isinstance(delivery, Response) else await delivery.whole()

    async def stream(self, request: Request, model: str) -> Response:
        """Answer with server-sent events."""
        delivery = await self._prepare(request, model)
        return delivery if isinstance(delivery, Response) else delivery.stream()

    async def _prepare(self, request: Request, model: str) -> "_Delivery | Response":
        exchange = await self._book.receive(request)
        if not exchange.body.get("contents"):
            return refusal("contents are required")
        manner = behaviour(exchange, model)
        if (failed := failure(manner)) is not None:
            return failed
        try:
            given = answer(exchange, model, manner, self._book)
        except ValueError as error:
            return refusal(str(error))
        return _Delivery(exchange, given, manner, self._pause_s if manner == "slow" else 0.0)


@dataclass(slots=True)
class _Delivery:
    """Hands one answer to the client and bills what it handed over."""

    exchange: Exchange
    answer: Answer
    manner: str
    pause_s: float

    async def whole(self) -> Response:
        await asyncio.sleep(self.pause_s)
        self._bill(self.answer.usage)
        spoken = "".join(self.answer.pieces)
        body = self._chunk(spoken, self.answer.usage, finished=True)
        if self.manner == "no-usage":
            del body["usageMetadata"]
        if self.manner == "truncated":
            raw = json.dumps(body).encode()
            return TruncatedResponse(_once(raw[: len(raw) // 2]), media_type="application/json", headers=self._headers)
        return JSONResponse(body, headers=self._headers)

    def stream(self) -> Response:
        kind = TruncatedResponse if self.manner == "truncated" else StreamingResponse
        return kind(self._events(), media_type="text/event-stream", headers=self._headers)

    async def _events(self) -> AsyncIterator[bytes]:
        said = 0
        given = self.answer
        pieces = given.pieces[: len(given.pieces) // 2] if self._breaks_off else given.pieces
        try:
            for piece in pieces:
                await asyncio.sleep(self.pause_s)
                said += given.candidates
                yield event(self._chunk(piece, self._running_usage(said)))
            if self.manner == "error-in-stream":
                yield event(SERVER_ERROR)
            if not self._breaks_off:
                self._bill(given.usage)  # before the client can know that it has everything
                yield event(self._chunk("", given.usage, finished=True))
        finally:
            if self.exchange.usage is None:
                self._bill(given.usage_after(said))

    @property
    def _breaks_off(self) -> bool:
        return self.manner in {"truncated", "error-in-stream"}

    @property
    def _headers(self) -> dict[str, str]:
        return {} if self.answer.vertex else {"x-gemini-service-tier": self.answer.tier}

    def _running_usage(self, said: int) -> dict[str, Any]:
        """Return the usage of a chunk before the last: all up to then, or at Vertex AI nothing but the traffic type."""
        return {"trafficType": "ON_DEMAND"} if self.answer.vertex else self.answer.usage_after(said)

    def _chunk(self, text: str, usage: dict[str, Any], *, finished: bool = False) -> dict[str, Any]:
        given = self.answer
        part: dict[str, Any] = {"text": text}
        if given.function_call is not None and finished:
            part = {"functionCall": given.function_call}
        candidates: list[dict[str, Any]] = []
        for index in range(given.candidates):
            candidate: dict[str, Any] = {"content": {"role": "model", "parts": [part]}, "index": index}
            if finished:
                candidate["finishReason"] = given.finish_reason
                if given.continued:
                    candidate["continuationToken"] = CONTINUATION_TOKEN
            candidates.append(candidate)
        head = {"modelVersion": given.model, "responseId": given.id}
        return {"candidates": candidates, "usageMetadata": usage, **head}

    def _bill(self, usage: dict[str, Any]) -> None:
        tier = usage.get("trafficType") if self.answer.vertex else self.answer.tier
        self.exchange.bill(self.answer.model, usage, tier)


async def _once(raw: bytes) -> AsyncIterator[bytes]:
    yield raw
