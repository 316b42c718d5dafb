"""`/v1/messages/batches`: a batch is done as soon as it is created, and each request that succeeded is billed."""

import json
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_provider.anthropic.answer import answer
from fake_provider.anthropic.errors import error_body, failure
from fake_provider.book import Book, Exchange

_A_DAY = "2026-01-01T00:00:00Z"


class BatchesEndpoint:
    """Keeps the batches and their results."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._results: dict[str, list[dict[str, Any]]] = {}

    async def create(self, request: Request) -> Response:
        exchange = await self._book.receive(request)
        batch_id = f"msgbatch_{secrets.token_hex(12)}"
        self._results[batch_id] = [
            {"custom_id": each["custom_id"], "result": self._result(exchange, each["params"])}
            for each in exchange.body["requests"]
        ]
        return JSONResponse(self._batch(batch_id, request))

    async def retrieve(self, request: Request) -> Response:
        await self._book.receive(request)
        return JSONResponse(self._batch(request.path_params["id"], request))

    async def results(self, request: Request) -> Response:
        await self._book.receive(request)
        lines = [json.dumps(result) for result in self._results[request.path_params["id"]]]
        return Response("\n".join(lines) + "\n", media_type="application/x-jsonl")

    def _result(self, exchange: Exchange, params: dict[str, Any]) -> dict[str, Any]:
        if params["model"] == "expired":
            return {"type": "expired"}
        if failure(params["model"]) is not None:
            return {"type": "errored", "error": error_body("invalid_request_error", "prompt is too long")}
        given = answer(params, params["model"], exchange.headers, self._book)
        usage = given.usage | {"service_tier": "batch"}
        billed = Exchange(method="POST", path=exchange.path, headers=exchange.headers, body=params, at=exchange.at)
        billed.bill(given.model, usage, "batch")
        self._book.requests.append(billed)
        return {"type": "succeeded", "message": given.message | {"usage": usage}}

    def _batch(self, batch_id: str, request: Request) -> dict[str, Any]:
        kinds = [result["result"]["type"] for result in self._results[batch_id]]
        names = ("succeeded", "errored", "canceled", "expired")
        return {
            "id": batch_id,
            "type": "message_batch",
            "processing_status": "ended",
            "request_counts": {"processing": 0, **{name: kinds.count(name) for name in names}},
            "created_at": _A_DAY,
            "ended_at": _A_DAY,
            "expires_at": _A_DAY,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": f"{request.base_url}v1/messages/batches/{batch_id}/results",
        }
