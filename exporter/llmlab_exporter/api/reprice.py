"""`/api/reprice`: price history again, as a job that is started, watched and cancelled."""

from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from llmlab_exporter.api.exact_json import ExactJSON, bad_request, money
from llmlab_exporter.reprice.job import Busy, Job, Repricer
from llmlab_exporter.reprice.report import Sums
from llmlab_exporter.reprice.request import BadRequest, read_request

MAX_BODY_BYTES = 4096
_EXAMPLE = 'send application/json such as {"from": "2026-11-01", "to": "2026-11-30", "dry_run": true}'


def routes(repricer: Repricer) -> list[Route]:
    """Return the routes."""

    async def start(http: HttpRequest) -> Response:
        # Browsers ask before they send JSON to another site, so no web page can start a job on a loopback exporter.
        if http.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return bad_request("the content type is not application/json", _EXAMPLE)
        try:
            request = read_request(await _body(http))
        except BadRequest as error:
            return bad_request(str(error), _EXAMPLE)
        try:
            job = await run_in_threadpool(repricer.start, request)
        except Busy as busy:
            return ExactJSON({"error": str(busy), "hint": "wait for it, or cancel it"}, status_code=409)
        return ExactJSON(_answer(job), status_code=202)

    async def latest(_: HttpRequest) -> Response:
        return ExactJSON([_brief(job) for job in await run_in_threadpool(repricer.latest)])

    async def show(http: HttpRequest) -> Response:
        job = await run_in_threadpool(repricer.find, http.path_params["job_id"])
        return _unknown(http) if job is None else ExactJSON(await run_in_threadpool(_answer, job))

    async def cancel(http: HttpRequest) -> Response:
        job = await run_in_threadpool(repricer.find, http.path_params["job_id"])
        if job is None:
            return _unknown(http)
        job.cancelled.set()
        return ExactJSON(_brief(job), status_code=200 if job.ended else 202)

    return [
        Route("/api/reprice", start, methods=["POST"]),
        Route("/api/reprice", latest),
        Route("/api/reprice/{job_id}", show),
        Route("/api/reprice/{job_id}", cancel, methods=["DELETE"]),
    ]


async def _body(http: HttpRequest) -> Any:
    body = bytearray()
    async for piece in http.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise BadRequest(f"the body has more than {MAX_BODY_BYTES} bytes")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is no JSON: {error}") from error


def _unknown(http: HttpRequest) -> Response:
    error = f"there is no repricing {http.path_params['job_id']!r}"
    return ExactJSON({"error": error, "hint": "GET /api/reprice lists them; dry runs end with the process"}, 404)


def _brief(job: Job) -> dict[str, Any]:
    total = job.report.total()
    return {
        "id": job.job_id,
        "state": job.state,
        "request": job.request.as_json(),
        "catalogue": job.catalogue,
        "total_calls": max(job.total_calls, total.calls),
        "error": job.error or None,
        "total": _sums(total),
    }


def _answer(job: Job) -> dict[str, Any]:
    return _brief(job) | {
        "by_model": [
            {"provider": group.provider, "model": group.model, **_sums(sums)} for group, sums in job.report.by_model()
        ],
        "by_day": [
            {"date": group.date, "provider": group.provider, "model": group.model, **_sums(sums)}
            for group, sums in job.report.by_day()
        ],
    }


def _sums(sums: Sums) -> dict[str, Any]:
    return {
        "calls": sums.calls,
        "changed": sums.changed,
        "newly_priced": sums.newly_priced,
        "no_longer_priced": sums.no_longer_priced,
        "still_unpriced": sums.still_unpriced,
        "recomputed": sums.recomputed,
        "old_spend": money(sums.old_cost_yocto),
        "new_spend": money(sums.new_cost_yocto),
        "difference": money(sums.new_yocto - sums.old_yocto),
    }
