"""`POST /embeddings`: vectors that depend on the text alone."""

import base64
import hashlib
from array import array
from collections.abc import Sequence
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_provider.book import Book
from fake_provider.openai.errors import behaviour, failure, refusal
from fake_provider.openai.usage import count_text, dictate, embedding_usage

_DIMENSIONS = {"text-embedding-3-large": 3072}
_USUAL_DIMENSIONS = 1536

Text = str | Sequence[int]
"""A text, or the tokens of one."""


class EmbeddingsEndpoint:
    """Answers embeddings requests and bills them."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def handle(self, request: Request) -> Response:
        exchange = await self._book.receive(request)
        body = exchange.body
        model = request.path_params.get("deployment") or body.get("model")
        if not model or not isinstance(model, str):
            return refusal("you must provide a model parameter", "model")
        if not body.get("input"):
            return refusal("Missing required parameter: 'input'.", "input")
        if (failed := failure(behaviour(exchange, model))) is not None:
            return failed
        texts = _texts(body["input"])
        try:
            derived = embedding_usage(sum(map(_count, texts)))
            usage = dictate(derived, exchange.headers.get("x-fake-usage"))
        except ValueError as error:
            return refusal(str(error), "x-fake-usage")
        exchange.bill(model, usage)
        dimensions: int = body.get("dimensions") or _DIMENSIONS.get(model, _USUAL_DIMENSIONS)
        encoded = body.get("encoding_format") == "base64"
        data = [_embedding(index, _vector(text, dimensions), encoded) for index, text in enumerate(texts)]
        return JSONResponse({"object": "list", "data": data, "model": model, "usage": usage})


def _texts(given: Any) -> list[Text]:
    """Return the texts of an input: the API takes one or several, each as text or as tokens."""
    if isinstance(given, str) or isinstance(given[0], int):
        return [given]
    return cast("list[Text]", given)


def _count(text: Text) -> int:
    return count_text(text) if isinstance(text, str) else len(text)


def _vector(text: Text, dimensions: int) -> "array[float]":
    """Return a vector of length 1, the same for the same text."""
    noise = array("h", hashlib.shake_256(repr(text).encode()).digest(2 * dimensions))
    length = sum(number * number for number in noise) ** 0.5
    return array("f", (number / length for number in noise))


def _embedding(index: int, vector: "array[float]", encoded: bool) -> dict[str, Any]:
    value = base64.b64encode(vector.tobytes()).decode() if encoded else vector.tolist()
    return {"object": "embedding", "index": index, "embedding": value}
