"""`generate` and `embed`, after the types of `huggingface_hub` 2.4."""

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from fake_provider.book import Book, Exchange
from fake_provider.openai.usage import count_text
from fake_provider.wire import event

MODEL = "HuggingFaceH4/zephyr-7b-beta"
_DIMENSIONS = 8
_FAILURES = {
    "error-401": (401, "Invalid credentials in Authorization header"),
    "error-429": (429, "Model is overloaded"),
    "error-500": (500, "Internal server error"),
}


class GenerationServer:
    """Continues a text and bills it."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def handle(self, request: Request) -> Response:
        exchange = await self._book.receive(request)
        if (failed := _failure(exchange)) is not None:
            return failed
        tokens = [" and", " so", " on"][: exchange.body["parameters"].get("max_new_tokens") or 3]
        if exchange.body.get("stream"):
            return StreamingResponse(self._events(exchange, tokens), media_type="text/event-stream")
        prompt = _bill(exchange, len(tokens))
        body: dict[str, Any] = {"generated_text": "".join(tokens)}
        if exchange.body["parameters"].get("details"):
            wants_prompt = exchange.body["parameters"].get("decoder_input_details")
            body["details"] = {
                "finish_reason": "length",
                "generated_tokens": len(tokens),
                "prefill": [_token(number, "") for number in range(prompt)] if wants_prompt else [],
                "tokens": [_token(number, text) for number, text in enumerate(tokens)],
            }
        return JSONResponse([body])

    def _events(self, exchange: Exchange, tokens: list[str]) -> Iterator[bytes]:
        for number, text in enumerate(tokens[:-1]):
            yield event({"index": number, "token": _token(number, text), "generated_text": None, "details": None})
        prompt = _bill(exchange, len(tokens))
        details = {"finish_reason": "length", "generated_tokens": len(tokens), "input_length": prompt}
        last = len(tokens) - 1
        token = _token(last, tokens[last])
        yield event({"index": last, "token": token, "generated_text": "".join(tokens), "details": details})


class EmbeddingServer:
    """Embeds a text and bills it."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def handle(self, request: Request) -> Response:
        exchange = await self._book.receive(request)
        if (failed := _failure(exchange)) is not None:
            return failed
        _bill(exchange, 0)
        return JSONResponse([[byte / 255 for byte in exchange.body["inputs"].encode()[:_DIMENSIONS]]])


def _failure(exchange: Exchange) -> Response | None:
    asked = exchange.headers.get("x-fake-behaviour", "")
    if asked not in _FAILURES:
        return None
    status, message = _FAILURES[asked]
    return JSONResponse({"error": message}, status, {"retry-after": "0"} if status == 429 else None)


def _bill(exchange: Exchange, generated: int) -> int:
    """Charge for a text and return how many tokens the prompt has."""
    prompt = count_text(exchange.body["inputs"])
    exchange.bill(MODEL, {"input_length": prompt, "generated_tokens": generated})
    return prompt


def _token(number: int, text: str) -> dict[str, Any]:
    return {"id": number, "logprob": -0.5, "special": False, "text": text}
