"""`POST /openai/v1/chat/completions`, after the types `ChatCompletion` and `ChatCompletionChunk` of `groq` 1.7.

A stream reports its usage in `x_groq.usage` of the chunk that ends it, whether or not anybody asked. Who asks with
`stream_options` gets it once more, as OpenAI sends it.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from fake_provider.book import Book
from fake_provider.chat_delivery import ChatDelivery
from fake_provider.openai.answer import answer
from fake_provider.openai.errors import behaviour, failure, refusal

_TIMES_S = {"queue_time": 0.0112, "prompt_time": 0.0019, "completion_time": 0.0345, "total_time": 0.0364}


class ChatEndpoint:
    """Answers chat requests and bills them."""

    def __init__(self, book: Book, pause_s: float) -> None:
        self._book = book
        self._pause_s = pause_s

    async def handle(self, request: Request) -> Response:
        exchange = await self._book.receive(request)
        model = exchange.body.get("model")
        if not isinstance(model, str) or not exchange.body.get("messages"):
            return refusal("'model' and 'messages' are required")
        manner = behaviour(exchange, model)
        if (failed := failure(manner)) is not None:
            return failed
        try:
            given = answer(exchange, model, self._book)
        except ValueError as error:
            return refusal(str(error), "x-fake-usage")
        return await _GroqDelivery(exchange, given, manner, self._pause_s if manner == "slow" else 0.0).respond()


class _GroqDelivery(ChatDelivery):
    """Adds Groq's metadata."""

    __slots__ = ()

    def completion(self) -> dict[str, Any]:
        return super().completion() | {
            "usage": self.answer.usage | _TIMES_S,
            "usage_breakdown": None,
            "service_tier": self.tier(),
            "x_groq": {"id": self._request_id},
        }

    def opening(self) -> list[dict[str, Any]]:
        return [chunk | {"x_groq": {"id": self._request_id}} for chunk in super().opening()]

    def ending(self) -> list[dict[str, Any]]:
        chunks = super().ending()
        chunks[-1]["x_groq"] = {"id": self._request_id, "usage": self.answer.usage | _TIMES_S}
        if (self.exchange.body.get("stream_options") or {}).get("include_usage"):
            chunks.append(self.head("chat.completion.chunk") | {"choices": [], "usage": self.answer.usage})
        return chunks

    def head(self, kind: str) -> dict[str, Any]:
        return super().head(kind) | {"system_fingerprint": self.answer.fingerprint}

    def tier(self) -> str:
        asked: str | None = self.exchange.body.get("service_tier")
        return "on_demand" if asked is None or asked == "auto" else asked

    @property
    def _request_id(self) -> str:
        return f"req_{self.answer.id.removeprefix('chatcmpl-')}"
