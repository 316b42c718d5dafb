"""`POST /chat` of both versions: one body, or a stream of lines of JSON (1) or of server-sent events (2).

Who accepts only `application/json` gets lines of JSON from the second version too, as LiteLLM expects them of it.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from fake_provider.book import Book, Exchange
from fake_provider.cohere.errors import behaviour, failure
from fake_provider.cohere.usage import chat_usage, count_text, dictate
from fake_provider.wire import TruncatedResponse

_USUAL_MODEL = "command-r-plus"
_WORDS_QUOTED = 12


class ChatEndpoint:
    """Answers chat requests and bills them."""

    def __init__(self, book: Book, pause_s: float) -> None:
        self._book = book
        self._pause_s = pause_s

    async def handle(self, request: Request) -> Response:
        exchange = await self._book.receive(request)
        model = exchange.body.get("model") or _USUAL_MODEL
        manner = behaviour(exchange, model)
        if (failed := failure(manner)) is not None:
            return failed
        delivery = _Delivery(exchange, model, manner, self._pause_s if manner == "slow" else 0.0)
        return delivery.stream() if exchange.body.get("stream") else await delivery.whole()


@dataclass(slots=True)
class _Delivery:
    """Hands one answer to the client and bills what it handed over."""

    exchange: Exchange
    model: str
    manner: str
    pause_s: float

    async def whole(self) -> Response:
        await asyncio.sleep(self.pause_s)
        pieces, reason = self._answer()
        usage = self._bill(len(pieces))
        if self.manner == "no-usage":
            usage = None
        body = _body_of_2(pieces, reason, usage) if self._is_second else _body_of_1(pieces, reason, usage)
        return JSONResponse({"id": secrets.token_hex(8), **body} if self._is_second else body)

    def stream(self) -> Response:
        kind = TruncatedResponse if self.manner == "truncated" else StreamingResponse
        return kind(self._events(), media_type="text/event-stream" if self._sends_events else "application/stream+json")

    async def _events(self) -> AsyncIterator[bytes]:
        pieces, reason = self._answer()
        given = pieces[: len(pieces) // 2] if self.manner in {"truncated", "ends-early"} else pieces
        name = secrets.token_hex(8)
        write = _event if self._sends_events else _line
        opening, saying, ending = (
            (_opening_of_2, _saying_of_2, _ending_of_2)
            if self._is_second
            else (_opening_of_1, _saying_of_1, _ending_of_1)
        )
        said = 0
        try:
            for event in opening(name):
                yield write(event)
            for piece in given:
                await asyncio.sleep(self.pause_s)
                said += 1
                yield write(saying(piece))
            if given == pieces:
                usage = self._bill(said)  # before the client can know that it has everything
                for event in ending(name, pieces, reason, usage):
                    yield write(event)
        finally:
            if self.exchange.usage is None:
                self._bill(said)

    @property
    def _is_second(self) -> bool:
        return self.exchange.path.startswith("/v2/")

    @property
    def _sends_events(self) -> bool:
        return self._is_second and self.exchange.headers.get("accept") != "application/json"

    def _answer(self) -> tuple[list[str], str]:
        words = (self.exchange.headers.get("x-fake-reply") or f"You asked: {self._question()}").split(" ")
        pieces = [words[0], *(f" {word}" for word in words[1:])]
        limit: int = self.exchange.body.get("max_tokens") or len(pieces)
        return pieces[:limit], "MAX_TOKENS" if limit < len(pieces) else "COMPLETE"

    def _question(self) -> str:
        body = self.exchange.body
        content: str = body["messages"][-1]["content"] if self._is_second else body["message"]
        return " ".join(content.split()[:_WORDS_QUOTED])

    def _bill(self, said: int) -> dict[str, Any]:
        body = self.exchange.body
        messages: list[dict[str, Any]] = body["messages"] if self._is_second else [{"content": body["message"]}]
        prompt = sum(count_text(message["content"]) for message in messages)
        usage = dictate(chat_usage(prompt, said), self.exchange.headers.get("x-fake-usage"))
        self.exchange.bill(self.model, usage)
        return usage


def _body_of_1(pieces: list[str], reason: str, usage: dict[str, Any] | None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "response_id": secrets.token_hex(8),
        "generation_id": secrets.token_hex(8),
        "text": "".join(pieces),
        "finish_reason": reason,
        "chat_history": [],
    }
    return body if usage is None else body | {"meta": {"api_version": {"version": "1"}, **usage}}


def _body_of_2(pieces: list[str], reason: str, usage: dict[str, Any] | None) -> dict[str, Any]:
    content = [{"type": "text", "text": "".join(pieces)}]
    body: dict[str, Any] = {"finish_reason": reason, "message": {"role": "assistant", "content": content}}
    return body if usage is None else body | {"usage": usage}


def _line(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode() + b"\n"


def _event(event: dict[str, Any]) -> bytes:
    return b"event: " + event["type"].encode() + b"\ndata: " + json.dumps(event).encode() + b"\n\n"


def _opening_of_1(name: str) -> list[dict[str, Any]]:
    return [{"is_finished": False, "event_type": "stream-start", "generation_id": name}]


def _opening_of_2(name: str) -> list[dict[str, Any]]:
    message = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    content = {"message": {"content": {"type": "text", "text": ""}}}
    return [
        {"type": "message-start", "id": name, "delta": {"message": message}},
        {"type": "content-start", "index": 0, "delta": content},
    ]


def _saying_of_1(piece: str) -> dict[str, Any]:
    return {"is_finished": False, "event_type": "text-generation", "text": piece}


def _saying_of_2(piece: str) -> dict[str, Any]:
    return {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece}}}}


def _ending_of_1(name: str, pieces: list[str], reason: str, usage: dict[str, Any]) -> list[dict[str, Any]]:
    response = _body_of_1(pieces, reason, usage) | {"generation_id": name}
    return [{"is_finished": True, "event_type": "stream-end", "finish_reason": reason, "response": response}]


def _ending_of_2(name: str, pieces: list[str], reason: str, usage: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: ARG001 - both versions are called alike
    return [
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": reason, "usage": usage}},
    ]
