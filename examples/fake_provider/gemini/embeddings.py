"""The three methods that embed texts, each with usage in a place of its own."""

import hashlib
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_provider.book import Book, Exchange
from fake_provider.gemini.errors import behaviour, failure
from fake_provider.gemini.usage import count_content, count_text

_USUAL_DIMENSIONS = 768


class EmbeddingsEndpoint:
    """Answers embeddings requests and bills them."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def batch(self, request: Request, model: str) -> Response:
        """Embed several contents: the Gemini API, and Vertex AI with newer models."""
        exchange = await self._book.receive(request)
        if (failed := failure(behaviour(exchange, model))) is not None:
            return failed
        asked: list[dict[str, Any]] = exchange.body["requests"]
        vectors = [{"values": _vector(each["content"], each.get("outputDimensionality"))} for each in asked]
        usage = _bill(exchange, model, sum(sum(count_content(each["content"]).values()) for each in asked))
        return JSONResponse({"embeddings": vectors, "usageMetadata": usage})

    async def one(self, request: Request, model: str) -> Response:
        """Embed one content at Vertex AI."""
        exchange = await self._book.receive(request)
        if (failed := failure(behaviour(exchange, model))) is not None:
            return failed
        content: dict[str, Any] = exchange.body["content"]
        usage = _bill(exchange, model, sum(count_content(content).values()))
        config: dict[str, Any] = exchange.body.get("embedContentConfig") or exchange.body
        vector = _vector(content, config.get("outputDimensionality"))
        return JSONResponse({"embedding": {"values": vector}, "usageMetadata": usage})

    async def predict(self, request: Request, model: str) -> Response:
        """Embed texts at Vertex AI with older models, which count the tokens of each text."""
        exchange = await self._book.receive(request)
        if (failed := failure(behaviour(exchange, model))) is not None:
            return failed
        texts: list[str] = [each["content"] for each in exchange.body["instances"]]
        parameters: dict[str, Any] = exchange.body.get("parameters") or {}
        counts = [count_text(text) for text in texts]
        _bill(exchange, model, sum(counts))
        predictions = [
            {
                "embeddings": {
                    "values": _vector(text, parameters.get("outputDimensionality")),
                    "statistics": {"truncated": False, "token_count": count},
                }
            }
            for text, count in zip(texts, counts, strict=True)
        ]
        characters = sum(map(len, texts))
        return JSONResponse({"predictions": predictions, "metadata": {"billableCharacterCount": characters}})


def _bill(exchange: Exchange, model: str, tokens: int) -> dict[str, Any]:
    usage = {"promptTokenCount": tokens, "totalTokenCount": tokens}
    exchange.bill(model, usage)
    return usage


def _vector(content: Any, dimensions: int | None) -> list[float]:
    """Return a vector that depends on the content alone."""
    noise = hashlib.shake_256(repr(content).encode()).digest(dimensions or _USUAL_DIMENSIONS)
    return [byte / 255 for byte in noise]
