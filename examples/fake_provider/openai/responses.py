"""`POST /responses`: one body, a stream of events, or a response that works in the background."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from fake_provider.book import Book, Exchange
from fake_provider.openai.answer import Answer, answer
from fake_provider.openai.errors import SERVER_ERROR, behaviour, failure, refusal
from fake_provider.openai.models import served
from fake_provider.openai.response_body import Event, ResponseBody, responses_usage
from fake_provider.wire import TruncatedResponse, once

_BROKEN = frozenset({"truncated", "error-in-stream"})


class ResponsesEndpoint:
    """Answers requests for responses, bills them, and keeps those that work in the background."""

    def __init__(self, book: Book, pause_s: float) -> None:
        self._book = book
        self._pause_s = pause_s
        self._kept: dict[str, dict[str, Any]] = {}

    async def handle(self, request: Request) -> Response:
        exchange = await self._book.receive(request)
        asked = exchange.body.get("model")
        if not asked or not isinstance(asked, str):
            return refusal("Missing required parameter: 'model'.", "model")
        if not exchange.body.get("input"):
            return refusal("Missing required parameter: 'input'.", "input")
        manner = behaviour(exchange, asked)
        if (failed := failure(manner)) is not None:
            return failed
        try:
            given = answer(replace(exchange, body=_as_chat(exchange.body)), served(asked), self._book)
        except ValueError as error:
            return refusal(str(error), "x-fake-usage")
        body = ResponseBody(given, exchange.body, f"resp_{secrets.token_hex(12)}")
        delivery = _Delivery(exchange, given, body, manner, self._pause_s if manner == "slow" else 0.0)
        if exchange.body.get("stream"):
            return delivery.stream()
        return self._queue(delivery) if exchange.body.get("background") else await delivery.whole()

    async def retrieve(self, request: Request) -> Response:
        """Return what a background response has come to."""
        await self._book.receive(request)
        found = self._kept.get(request.path_params["response"])
        return JSONResponse(found) if found else refusal("Response not found.", "response_id")

    async def compact(self, request: Request) -> Response:
        """Compact a conversation; billed, too."""
        exchange = await self._book.receive(request)
        asked: str = exchange.body["model"]
        if (failed := failure(behaviour(exchange, asked))) is not None:
            return failed
        given = answer(replace(exchange, body=_as_chat(exchange.body)), served(asked), self._book)
        usage = responses_usage(given.usage)
        exchange.bill(given.model, usage)
        item = {"id": f"cmp_{secrets.token_hex(12)}", "type": "compaction", "encrypted_content": "fake"}
        body = {"id": f"resp_{secrets.token_hex(12)}", "object": "response.compaction", "created_at": given.created}
        return JSONResponse(body | {"output": [item], "usage": usage})

    def _queue(self, delivery: "_Delivery") -> Response:
        self._kept[delivery.body.id] = delivery.finished()
        return JSONResponse(delivery.body.whole("queued", [], None))


@dataclass(slots=True)
class _Delivery:
    """Hands one answer to the client and bills what it handed over."""

    exchange: Exchange
    answer: Answer
    body: ResponseBody
    manner: str
    pause_s: float

    async def whole(self) -> Response:
        await asyncio.sleep(self.pause_s)
        finished = self.finished()
        if self.manner == "truncated":
            raw = json.dumps(finished).encode()
            return TruncatedResponse(once(raw[: len(raw) // 2]), media_type="application/json")
        return JSONResponse(finished)

    def finished(self) -> dict[str, Any]:
        """Bill all of the answer and write it."""
        return self._finished(self.body.items())

    def stream(self) -> Response:
        kind = TruncatedResponse if self.manner == "truncated" else StreamingResponse
        return kind(self._events(), media_type="text/event-stream; charset=utf-8")

    async def _events(self) -> AsyncIterator[bytes]:
        items, tokens = self.body.items(), 0
        try:
            for event in self.body.opening(items):
                yield _named(event)
            for piece in self._spoken():
                await asyncio.sleep(self.pause_s)
                yield _named(self.body.delta(items, piece))
                tokens += 1
            if self.manner == "error-in-stream":
                told = SERVER_ERROR["error"]
                yield _named(self.body.event("error", code=told["type"], message=told["message"], param=None))
            if self.manner in _BROKEN:
                return
            finished = self._finished(items)  # billed before the client can know that it has everything
            for event in self.body.ending(items):
                yield _named(event)
            yield _named(self.body.event(f"response.{finished['status']}", response=finished))
        finally:
            if self.exchange.usage is None:
                self._bill(self.answer.usage_after(tokens))

    def _finished(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        return self.body.whole(self._status(), items, self._bill(self.answer.usage))

    def _spoken(self) -> tuple[str, ...]:
        pieces = self.answer.pieces
        return pieces[: len(pieces) // 2] if self.manner in _BROKEN else pieces

    def _status(self) -> str:
        if self.manner == "response-failed":
            return "failed"
        return "incomplete" if self.answer.finish_reason == "length" else "completed"

    def _bill(self, usage: dict[str, Any]) -> dict[str, Any]:
        billed = responses_usage(usage)
        self.exchange.bill(self.answer.model, billed, self.answer.tier)
        return billed


def _as_chat(body: dict[str, Any]) -> dict[str, Any]:
    """Return the chat request that asks the same. The header `x-fake-usage`, too, speaks of chat usage."""
    asked = body["input"]
    messages: list[dict[str, Any]] = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    if body.get("instructions"):
        messages = [{"role": "developer", "content": body["instructions"]}, *messages]
    return {
        "messages": messages,
        "tools": body.get("tools"),
        "max_completion_tokens": body.get("max_output_tokens"),
        "reasoning_effort": (body.get("reasoning") or {}).get("effort"),
        "service_tier": body.get("service_tier"),
    }


def _named(event: Event) -> bytes:
    """Write one server-sent event with its name, as the Responses API does."""
    data = json.dumps(event, separators=(",", ":"))
    return f"event: {event['type']}\ndata: {data}\n\n".encode()
