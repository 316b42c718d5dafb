"""`/health`, `/readyz`, `/metrics` and a front page that says what there is."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, exposition
from prometheus_client.openmetrics import exposition as openmetrics
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from llmlab._version import __version__
from llmlab_exporter.api.exact_json import ExactJSON

_FRONT_PAGE = f"""LLMLab exporter {__version__}

POST /v1/traces           OTLP over HTTP, protobuf or JSON (OTLP over gRPC has its own port)
POST /api/events/track    one call, for those without OTLP
GET  /api/costs/summary   what was spent: ?days=30&tz=UTC
GET  /api/calls           single calls; /api/calls/TRACE/SPAN shows what a cost rests on
POST /api/reprice         price history again; GET and DELETE /api/reprice/ID
POST /api/prune           forget old calls
GET  /api/budgets         budgets; POST sets one, DELETE /api/budgets/NAME removes it
GET  /api/budgets/status  how much of each is spent, and where it leads
GET  /api/budgets/exporters  which exporters share them, and what part each has
GET  /api/dead-letters    calls that the store refused; POST /api/dead-letters/retry
GET  /api/recommendations cost-saving tips (none yet)
GET  /metrics             for Prometheus
GET  /health              200 while the process lives
GET  /readyz              200 while it accepts spans, with details
"""

NotReady = Callable[[], str]
"""Says why no spans are accepted, "" when they are."""

Details = Callable[[], dict[str, object]]


def routes(registry: CollectorRegistry, not_ready: NotReady, details: Details) -> list[Route]:
    """Return the routes that operators and Prometheus use."""

    async def front_page(_: Request) -> Response:
        return PlainTextResponse(_FRONT_PAGE)

    async def health(_: Request) -> Response:
        return ExactJSON({"status": "ok", "version": __version__})

    async def readyz(_: Request) -> Response:
        reason = not_ready()
        state = {"status": "not ready", "reason": reason} if reason else {"status": "ready"}
        return ExactJSON(state | details(), status_code=503 if reason else 200)

    async def metrics(request: Request) -> Response:
        modern = "application/openmetrics-text" in request.headers.get("accept", "")
        body = await run_in_threadpool(_expose, registry, modern)
        kind = openmetrics.CONTENT_TYPE_LATEST if modern else exposition.CONTENT_TYPE_PLAIN_0_0_4
        return Response(body, headers={"content-type": kind})

    return [
        Route("/", front_page),
        Route("/health", health),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
    ]


def _expose(registry: CollectorRegistry, modern: bool) -> bytes:
    return openmetrics.generate_latest(registry) if modern else exposition.generate_latest(registry)
