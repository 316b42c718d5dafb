"""`POST /api/prune` forgets old calls, or says what that would mean."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llmlab_exporter.api.exact_json import ExactJSON, bad_request
from llmlab_exporter.ledger.writer import Writer
from llmlab_exporter.store import retention
from llmlab_exporter.store.store import Store

_HINT = 'ask like this: {"before": "2026-08-01", "dry_run": true}'
_FIELDS = {"before", "dry_run", "sums"}


def routes(store: Callable[[], Store | None], writer: Writer) -> list[Route]:
    """Return the route. `store` is the open store, None while it is away."""

    async def prune(request: Request) -> Response:
        try:
            before, dry_run, sums = _read(await request.body())
        except ValueError as error:
            return bad_request(str(error), _HINT)
        opened = store()
        if opened is None:
            error = {"error": "the store is not open", "hint": "/readyz says why; try again in a second"}
            return ExactJSON(error, status_code=503, headers={"retry-after": "1"})
        pruned = await run_in_threadpool((retention.plan if dry_run else retention.prune), opened, before)
        if sums and not dry_run:
            await run_in_threadpool(writer.run, lambda book: book.totals.forget(_midnight(before)))
        return ExactJSON(_answer(pruned, before, dry_run=dry_run, sums=sums))

    return [Route("/api/prune", prune, methods=["POST"])]


def _read(body: bytes) -> tuple[date, bool, bool]:
    try:
        wanted: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the body is no JSON: {error}") from error
    if not isinstance(wanted, dict):
        raise ValueError("the body is no object")  # noqa: TRY004 - what is wrong is the request
    if unknown := set(wanted) - _FIELDS:
        raise ValueError(f"unknown field {min(unknown)!r}")
    for name in ("dry_run", "sums"):
        if wanted.get(name, False) not in {True, False}:
            raise ValueError(f"{name} is neither true nor false")
    try:
        before = date.fromisoformat(str(wanted.get("before")))
    except ValueError as error:
        raise ValueError(f"before={wanted.get('before')!r} is no ISO date") from error
    if not date(1970, 1, 1) <= before <= datetime.now(UTC).date():
        raise ValueError(f"before={before} is not between 1970 and today (UTC)")
    return before, bool(wanted.get("dry_run")), bool(wanted.get("sums"))


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _answer(pruned: retention.Pruned, before: date, *, dry_run: bool, sums: bool) -> dict[str, Any]:
    return {
        "before": before,
        "dry_run": dry_run,
        "calls": pruned.calls,
        "bytes": pruned.size_bytes,
        "whole_months": [f"{month // 100}-{month % 100:02}" for month in pruned.whole_months],
        "sums": "pruned" if sums else "kept",
    }
