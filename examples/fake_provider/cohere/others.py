"""Everything but chat: `POST /embed` and `POST /rerank` of both versions, and `POST /generate`."""

import hashlib
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_provider.book import Book, Exchange
from fake_provider.cohere.errors import behaviour, failure
from fake_provider.cohere.usage import count_text, dictate

DOCUMENTS_PER_SEARCH = 100
_USUAL_DIMENSIONS = 1536


class OtherEndpoints:
    """Answers and bills."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def generate(self, request: Request) -> Response:
        """Continue a prompt."""
        exchange = await self._book.receive(request)
        if (failed := _failure(exchange)) is not None:
            return failed
        prompt: str = exchange.body["prompt"]
        count: int = exchange.body.get("num_generations") or 1
        generations = [
            {"id": secrets.token_hex(8), "text": f"{prompt} and so on", "finish_reason": "COMPLETE"}
            for _ in range(count)
        ]
        billed = {"input_tokens": count_text(prompt), "output_tokens": 3 * count}
        meta = _bill(exchange, billed)
        return JSONResponse({"id": secrets.token_hex(8), "prompt": prompt, "generations": generations, "meta": meta})

    async def embed(self, request: Request) -> Response:
        """Embed texts."""
        exchange = await self._book.receive(request)
        if (failed := _failure(exchange)) is not None:
            return failed
        texts: list[str] = exchange.body["texts"]
        dimensions: int = exchange.body.get("output_dimension") or _USUAL_DIMENSIONS
        vectors = [_vector(text, dimensions) for text in texts]
        meta = _bill(exchange, {"input_tokens": sum(map(count_text, texts))})
        by_type = "embedding_types" in exchange.body
        kind = "embeddings_by_type" if by_type else "embeddings_floats"
        embeddings = {"float": vectors} if by_type else vectors
        body = {"id": secrets.token_hex(8), "response_type": kind, "texts": texts, "embeddings": embeddings}
        return JSONResponse(body | {"meta": meta})

    async def rerank(self, request: Request) -> Response:
        """Sort documents."""
        exchange = await self._book.receive(request)
        if (failed := _failure(exchange)) is not None:
            return failed
        documents: list[Any] = exchange.body["documents"]
        results = [{"index": index, "relevance_score": 1 / (index + 1)} for index in range(len(documents))]
        meta = _bill(exchange, {"search_units": -(-len(documents) // DOCUMENTS_PER_SEARCH)})
        return JSONResponse({"id": secrets.token_hex(8), "results": results, "meta": meta})


def _failure(exchange: Exchange) -> JSONResponse | None:
    return failure(behaviour(exchange, exchange.body.get("model") or ""))


def _bill(exchange: Exchange, billed: dict[str, int]) -> dict[str, Any]:
    usage = dictate({"billed_units": billed}, exchange.headers.get("x-fake-usage"))
    exchange.bill(exchange.body.get("model") or "", usage)
    return {"api_version": {"version": "2" if exchange.path.startswith("/v2/") else "1"}, **usage}


def _vector(text: str, dimensions: int) -> list[float]:
    """Return a vector that depends on the text alone."""
    return [byte / 255 for byte in hashlib.shake_256(text.encode()).digest(dimensions)]
