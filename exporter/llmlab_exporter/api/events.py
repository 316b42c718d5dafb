"""`POST /api/events/track`: one call, reported by whoever made it instead of by a span."""

import sqlite3
import time
from collections.abc import Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from llmlab_exporter.api.exact_json import ExactJSON, bad_request, money
from llmlab_exporter.api.reported_call import BadReport, read_call
from llmlab_exporter.pipeline import Pipeline, Tracked
from llmlab_exporter.reading.origin import Defaults

MAX_BODY_BYTES = 64 * 1024
"""A report is a few hundred bytes; the rest is metadata that nobody reads."""

NotReady = Callable[[], str]
"""Says why no calls are accepted, "" when they are."""


def routes(pipeline: Pipeline, not_ready: NotReady) -> list[Route]:
    """Return the route. A call is durable when it is answered."""

    async def track(request: Request) -> Response:
        if reason := not_ready():
            return _try_again(reason)
        try:
            call = read_call(await _body(request), time.time_ns(), Defaults())
            tracked = await pipeline.track(call)
        except BadReport as error:
            return bad_request(str(error), error.hint)
        except sqlite3.Error as error:
            return _try_again(f"the ledger did not take the call: {error}")
        return ExactJSON(_answer(tracked))

    return [Route("/api/events/track", track, methods=["POST"])]


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise BadReport(f"the body has more than {MAX_BODY_BYTES} bytes", "send one call at a time")
    except ClientDisconnect as gone:
        raise BadReport("the sender hung up before the end of the body", "send it again") from gone
    return bytes(body)


def _answer(tracked: Tracked) -> dict[str, Any]:
    answer: dict[str, Any] = {"success": True, "cost": money(tracked.priced.cost_yocto)}
    if tracked.priced.cost_yocto is None:
        answer |= {"reason": tracked.priced.reason, "detail": tracked.priced.detail}
    return answer | ({"repeated": True} if tracked.is_repeated else {})


def _try_again(reason: str) -> Response:
    return ExactJSON({"error": reason, "hint": "try again in a second"}, status_code=503, headers={"retry-after": "1"})
