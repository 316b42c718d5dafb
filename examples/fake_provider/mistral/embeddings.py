"""`POST /v1/embeddings`, after `EmbeddingResponse` of `mistralai` 3.7: with an id, and with an output of no tokens."""

import hashlib
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_provider.book import Book
from fake_provider.openai.errors import behaviour, failure, refusal
from fake_provider.openai.usage import count_text

_DIMENSIONS = 16
"""The real model has 1024; nobody looks at them here."""


class EmbeddingsEndpoint:
    """Answers embeddings requests and bills them."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def handle(self, request: Request) -> Response:
        exchange = await self._book.receive(request)
        model, given = exchange.body.get("model"), exchange.body.get("input")
        if not isinstance(model, str) or not given:
            return refusal("'model' and 'input' are required")
        if (failed := failure(behaviour(exchange, model))) is not None:
            return failed
        texts: list[str] = [given] if isinstance(given, str) else given
        tokens = sum(map(count_text, texts))
        usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
        exchange.bill(model, usage)
        data = [_embedding(index, text) for index, text in enumerate(texts)]
        return JSONResponse(
            {"id": secrets.token_hex(16), "object": "list", "data": data, "model": model, "usage": usage}
        )


def _embedding(index: int, text: str) -> dict[str, Any]:
    noise = hashlib.shake_256(text.encode()).digest(_DIMENSIONS)
    return {"object": "embedding", "index": index, "embedding": [number / 255 for number in noise]}
