"""`GET /api/dead-letters` lists the calls that the store refused for good; `POST .../retry` gives them another try.

`GET /api/dead-letters/ID` shows one, and `DELETE` forgets it.
"""

from collections.abc import Callable
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llmlab_exporter.api.exact_json import ExactJSON, bad_request
from llmlab_exporter.ledger.writer import Writer
from llmlab_exporter.store.dead_letter_file import describe

MAX_LIMIT = 1_000
_MAX_ID = 2**63 - 1
"""Of SQLite."""
_HINT = 'ask like this: /api/dead-letters?limit=50, or POST {"ids": [1, 2]} to /api/dead-letters/retry; {} for all'


def routes(
    writer: Writer, send_again: Callable[[list[int] | None], int], discard: Callable[[list[int]], int]
) -> list[Route]:
    """Return the routes. `send_again` puts dead letters of some ids, or all, back before the store."""

    async def latest(request: Request) -> Response:
        limit = request.query_params.get("limit", "50")
        if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= MAX_LIMIT:
            return bad_request(f"limit={limit!r} is not a number from 1 to {MAX_LIMIT}", _HINT)
        count, rows, letters = await run_in_threadpool(
            writer.run,
            lambda book: (book.dead_letters.count, book.dead_letters.rows, book.dead_letters.latest(int(limit))),
        )
        return ExactJSON({"count": count, "calls": rows, "dead_letters": [describe(letter) for letter in letters]})

    async def show(request: Request) -> Response:
        letter_id = min(request.path_params["letter_id"], _MAX_ID)
        letter = await run_in_threadpool(writer.run, lambda book: book.dead_letters.find(letter_id))
        return _missing(letter_id) if letter is None else ExactJSON(describe(letter))

    async def forget(request: Request) -> Response:
        letter_id = min(request.path_params["letter_id"], _MAX_ID)
        discarded = await run_in_threadpool(discard, [letter_id])
        return ExactJSON({"discarded": discarded}) if discarded else _missing(letter_id)

    async def retry(request: Request) -> Response:
        try:
            ids = _ids(await request.body())
        except ValueError as error:
            return bad_request(str(error), _HINT)
        return ExactJSON({"sent_again": await run_in_threadpool(send_again, ids)})

    return [
        Route("/api/dead-letters", latest),
        Route("/api/dead-letters/retry", retry, methods=["POST"]),
        Route("/api/dead-letters/{letter_id:int}", show),
        Route("/api/dead-letters/{letter_id:int}", forget, methods=["DELETE"]),
    ]


def _missing(letter_id: int) -> Response:
    hint = "llmlab dead-letters list shows which there are; one that was sent again has another number"
    return ExactJSON({"error": f"there is no dead letter {letter_id}", "hint": hint}, status_code=404)


def _ids(body: bytes) -> list[int] | None:
    try:
        wanted: Any = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the body is no JSON: {error}") from error
    ids = wanted.get("ids") if isinstance(wanted, dict) else wanted
    if ids is None:
        return None
    if not isinstance(ids, list) or not all(type(each) is int and 0 < each <= _MAX_ID for each in ids):
        raise ValueError("ids is no list of numbers of dead letters")
    return ids
