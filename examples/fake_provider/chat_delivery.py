"""How hosts that imitate OpenAI's chat API hand over an answer: in one body, or as a stream of chunks."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from fake_provider.book import Exchange
from fake_provider.openai.answer import Answer
from fake_provider.openai.errors import SERVER_ERROR
from fake_provider.wire import TruncatedResponse, event, once

_BROKEN = frozenset({"truncated", "error-in-stream"})


@dataclass(slots=True)
class ChatDelivery:
    """Hands one answer to the client and bills what it handed over. Hosts differ in what they override."""

    exchange: Exchange
    answer: Answer
    manner: str
    """How to behave: `slow`, `truncated`, `error-in-stream`, anything else is normal."""
    pause_s: float

    async def respond(self) -> Response:
        """Answer as the request asks."""
        if self.exchange.body.get("stream"):
            kind = TruncatedResponse if self.manner == "truncated" else StreamingResponse
            return kind(self._events(), media_type="text/event-stream")
        await asyncio.sleep(self.pause_s)
        self._bill(self.answer.usage)
        if self.manner == "truncated":
            raw = json.dumps(self.completion()).encode()
            return TruncatedResponse(once(raw[: len(raw) // 2]), media_type="application/json")
        return JSONResponse(self.completion())

    def completion(self) -> dict[str, Any]:
        """Write the answer as one body."""
        message = {"role": "assistant", "content": "".join(self.answer.pieces)}
        choices = [
            {"index": index, "message": message, "finish_reason": self.answer.finish_reason}
            for index in range(self.answer.choices)
        ]
        return self.head("chat.completion") | {"choices": choices, "usage": self.answer.usage}

    def opening(self) -> list[dict[str, Any]]:
        """Write the chunks before the text."""
        return [self.chunk(index, {"role": "assistant", "content": ""}) for index in range(self.answer.choices)]

    def ending(self) -> list[dict[str, Any]]:
        """Write the chunks after the text."""
        return [self.chunk(index, {}, self.answer.finish_reason) for index in range(self.answer.choices)]

    def chunk(self, index: int, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        """Write one chunk of one choice."""
        choice = {"index": index, "delta": delta, "finish_reason": finish_reason}
        return self.head("chat.completion.chunk") | {"choices": [choice]}

    def head(self, kind: str) -> dict[str, Any]:
        """Write what every body and chunk begins with."""
        return {"id": self.answer.id, "object": kind, "created": self.answer.created, "model": self.answer.model}

    def tier(self) -> str | None:
        """Name the tier that serves."""
        return None

    async def _events(self) -> AsyncIterator[bytes]:
        tokens = 0
        try:
            for chunk in self.opening():
                yield event(chunk)
            for piece in self._spoken():
                for index in range(self.answer.choices):
                    await asyncio.sleep(self.pause_s)
                    yield event(self.chunk(index, {"content": piece}))
                    tokens += 1
            if self.manner == "error-in-stream":
                yield event(SERVER_ERROR)
            if self.manner in _BROKEN:
                return
            self._bill(self.answer.usage)  # before the client can know that it has everything
            for chunk in self.ending():
                yield event(chunk)
            yield b"data: [DONE]\n\n"
        finally:
            if self.exchange.usage is None:
                self._bill(self.answer.usage_after(tokens))

    def _spoken(self) -> tuple[str, ...]:
        pieces = self.answer.pieces
        return pieces[: len(pieces) // 2] if self.manner in _BROKEN else pieces

    def _bill(self, usage: dict[str, Any]) -> None:
        self.exchange.bill(self.answer.model, usage, self.tier())
