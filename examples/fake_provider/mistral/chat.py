"""Chat, fill-in-the-middle and agents, after `ChatCompletionResponse` and `CompletionChunk` of `mistralai` 3.7.

The SDK's types know neither `prompt_tokens_details` nor `num_cached_tokens`, both of which the API sends
(docs.mistral.ai, "Prompt caching" and the reference of `/v1/chat/completions`, read 2026-11-21).
"""

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from fake_provider.book import Book, Exchange
from fake_provider.chat_delivery import ChatDelivery
from fake_provider.openai.answer import answer
from fake_provider.openai.errors import behaviour, failure, refusal

AGENT_MODEL = "mistral-medium-2508"
"""What serves every agent, except those named like a failure."""


class CompletionEndpoint:
    """Answers requests for text and bills them."""

    def __init__(self, book: Book, pause_s: float) -> None:
        self._book = book
        self._pause_s = pause_s

    async def handle(self, request: Request) -> Response:
        exchange = await self._book.receive(request)
        body = exchange.body
        asked = body.get("model") or body.get("agent_id")
        if not isinstance(asked, str) or not (body.get("messages") or body.get("prompt")):
            return refusal("'model' or 'agent_id', and 'messages' or 'prompt' are required")
        manner = behaviour(exchange, asked)
        if (failed := failure(manner)) is not None:
            return failed
        try:
            given = answer(_as_chat(exchange), body.get("model", AGENT_MODEL), self._book)
        except ValueError as error:
            return refusal(str(error), "x-fake-usage")
        return await _MistralDelivery(exchange, given, manner, self._pause_s if manner == "slow" else 0.0).respond()


def _as_chat(exchange: Exchange) -> Exchange:
    """Return a fill-in-the-middle request as the chat that costs the same."""
    body = exchange.body
    if "messages" in body:
        return exchange
    content = body["prompt"] + (body.get("suffix") or "")
    return replace(exchange, body={**body, "messages": [{"role": "user", "content": content}]})


class _MistralDelivery(ChatDelivery):
    """Writes usage as Mistral does."""

    __slots__ = ()

    def completion(self) -> dict[str, Any]:
        return super().completion() | {"usage": self._usage}

    def ending(self) -> list[dict[str, Any]]:
        chunks = super().ending()
        chunks[-1]["usage"] = self._usage
        return chunks

    def tier(self) -> str:
        asked: str | None = self.exchange.body.get("service_tier")
        return asked or "standard"

    @property
    def _usage(self) -> dict[str, Any]:
        billed = self.answer.usage
        cached = billed["prompt_tokens_details"]["cached_tokens"]
        own = ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_audio_seconds")
        usage: dict[str, Any] = {name: billed[name] for name in own if name in billed}
        return usage | {
            "service_tier": self.tier(),
            "num_cached_tokens": cached,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
