"""`POST /v1/messages`: one body, or a stream of events. `POST /v1/messages/count_tokens` is free."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from fake_provider.anthropic.answer import Answer, answer
from fake_provider.anthropic.delivery import ClientRequest, Delivery
from fake_provider.anthropic.errors import OVERLOADED, failure, refusal
from fake_provider.anthropic.usage import count_prompt
from fake_provider.book import Book, Exchange
from fake_provider.openai.errors import behaviour
from fake_provider.wire import TruncatedResponse, once

_BROKEN = frozenset({"truncated", "error-in-stream", "ends-early"})
"""Streams that break off: with the connection, with an error event, or as if nothing were missing."""


class MessagesEndpoint:
    """Answers requests and bills them."""

    def __init__(self, book: Book, pause_s: float, read: ClientRequest) -> None:
        self._book = book
        self._pause_s = pause_s
        self._read = read

    async def handle(self, request: Request) -> Response:
        exchange = await self._book.receive(request)
        delivery = self._read(request, exchange)
        if not delivery.model or not exchange.body.get("messages") or "max_tokens" not in exchange.body:
            return refusal("model, messages, max_tokens: Field required")
        manner = behaviour(exchange, delivery.model)
        if (failed := failure(manner)) is not None:
            return failed
        try:
            given = answer(exchange.body, delivery.served, exchange.headers, self._book)
        except ValueError as error:
            return refusal(str(error))
        sender = _Sender(exchange, given, delivery, manner, self._pause_s if manner == "slow" else 0.0)
        return sender.stream() if delivery.stream else await sender.whole()

    async def count(self, request: Request) -> Response:
        """Count the tokens of a request that is not made."""
        exchange = await self._book.receive(request)
        prompt = count_prompt(exchange.body)
        return JSONResponse({"input_tokens": prompt.cached + prompt.fresh})


@dataclass(slots=True)
class _Sender:
    """Hands one answer to the client and bills what it handed over."""

    exchange: Exchange
    answer: Answer
    delivery: Delivery
    manner: str
    pause_s: float

    async def whole(self) -> Response:
        await asyncio.sleep(self.pause_s)
        self._bill(self.answer.usage)
        if self.manner == "truncated":
            raw = json.dumps(self.answer.message).encode()
            return TruncatedResponse(once(raw[: len(raw) // 2]), media_type="application/json")
        return JSONResponse(self.answer.message, headers=self._headers())

    def stream(self) -> Response:
        kind = TruncatedResponse if self.manner == "truncated" else StreamingResponse
        return kind(self._events(), media_type=self.delivery.media_type, headers=self._headers())

    async def _events(self) -> AsyncIterator[bytes]:
        write, sent = self.delivery.write_event, 0
        deltas = self.answer.deltas()
        try:
            for event in self.answer.opening():
                yield write(event)
            for event in deltas[: len(deltas) // 2] if self.manner in _BROKEN else deltas:
                await asyncio.sleep(self.pause_s)
                yield write(event)
                sent += 1
            if self.manner == "error-in-stream":
                yield write(OVERLOADED)
            if self.manner in _BROKEN:
                return
            self._bill(self.answer.usage)  # before the client can know that it has everything
            for event in self.answer.ending():
                yield write(event)
        finally:
            if self.exchange.usage is None:
                self._bill(self.answer.usage_after(sent))

    def _bill(self, usage: dict[str, object]) -> None:
        self.exchange.bill(self.answer.model, usage, str(usage.get("speed") or usage.get("service_tier")))

    def _headers(self) -> dict[str, str]:
        return {"request-id": f"req_{self.answer.id[4:]}", "cache-control": "no-cache"}
