"""`POST /completions`: the older API for texts, which hosts of open models still have."""

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from fake_provider.book import Book, Exchange
from fake_provider.chat_delivery import ChatDelivery
from fake_provider.openai.answer import answer
from fake_provider.openai.errors import behaviour, failure, refusal
from fake_provider.openai.models import deployed, served


class CompletionsEndpoint:
    """Continues prompts and bills that."""

    def __init__(self, book: Book, pause_s: float) -> None:
        self._book = book
        self._pause_s = pause_s

    async def handle(self, request: Request) -> Response:
        exchange = await self._book.receive(request)
        deployment: str | None = request.path_params.get("deployment")
        asked = deployment or exchange.body.get("model")
        if not asked or not isinstance(asked, str):
            return refusal("you must provide a model parameter", "model")
        manner = behaviour(exchange, asked)
        if (failed := failure(manner)) is not None:
            return failed
        try:
            given = answer(_as_chat(exchange), deployed(asked) if deployment else served(asked), self._book)
        except ValueError as error:
            return refusal(str(error), "x-fake-usage")
        given = replace(given, id=given.id.removeprefix("chat"))
        pause_s = self._pause_s if manner == "slow" else 0.0
        return await _Delivery(exchange, given, manner, pause_s).respond()


def _as_chat(exchange: Exchange) -> Exchange:
    """Return the request as one for a chat: a message for each prompt, and as many choices for each as were asked."""
    prompt = exchange.body.get("prompt") or ""
    prompts: list[Any] = prompt if isinstance(prompt, list) and isinstance(prompt[0], str | list) else [prompt]
    messages = [{"role": "user", "content": each if isinstance(each, str) else repr(each)} for each in prompts]
    choices = (exchange.body.get("n") or 1) * len(prompts)
    return replace(exchange, body={**exchange.body, "messages": messages, "n": choices})


class _Delivery(ChatDelivery):
    """Hands out texts. A stream reports its usage only when it is asked to."""

    __slots__ = ()

    def completion(self) -> dict[str, Any]:
        text, reason = "".join(self.answer.pieces), self.answer.finish_reason
        choices = [_choice(index, text, reason) for index in range(self.answer.choices)]
        body = self.head("text_completion") | {"choices": choices}
        return body if self.manner == "stream-no-usage" else body | {"usage": self.answer.usage}

    def opening(self) -> list[dict[str, Any]]:
        return []

    def ending(self) -> list[dict[str, Any]]:
        chunks = [self.chunk(index, {}, self.answer.finish_reason) for index in range(self.answer.choices)]
        if self._usage_wanted() and self.manner != "stream-no-usage":
            chunks.append(self.head("text_completion") | {"choices": [], "usage": self.answer.usage})
        return chunks

    def chunk(self, index: int, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = _choice(index, delta.get("content", ""), finish_reason)
        chunk = self.head("text_completion") | {"choices": [choice]}
        return chunk | {"usage": None} if self._usage_wanted() else chunk

    def _usage_wanted(self) -> bool:
        return bool((self.exchange.body.get("stream_options") or {}).get("include_usage"))


def _choice(index: int, text: str, finish_reason: str | None) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish_reason}
