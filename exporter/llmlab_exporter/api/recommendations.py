"""`GET /api/recommendations`: how to spend less."""

from collections.abc import Callable, Mapping, Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llmlab_exporter.api.exact_json import ExactJSON

Advice = Sequence[Mapping[str, object]]
"""Each with `title`, `savings_percentage` and `confidence`, the most rewarding first."""


def routes(advise: Callable[[], Advice]) -> list[Route]:
    """Return the route. `advise` may take its time: it runs on a thread of its own."""

    async def recommendations(_: Request) -> Response:
        return ExactJSON(list(await run_in_threadpool(advise)))

    return [Route("/api/recommendations", recommendations)]
