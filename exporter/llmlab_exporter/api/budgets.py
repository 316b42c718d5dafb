"""`/api/budgets`: set budgets, list them, see how much is spent, remove them."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llmlab.budgets import BadBudget, Budget, read_budget
from llmlab_exporter.api.exact_json import ExactJSON, bad_request, money
from llmlab_exporter.budgets.forecast import Forecast
from llmlab_exporter.budgets.records import as_json, number, with_known_provider
from llmlab_exporter.budgets.registry import Budgets, ReadOnly, TooMany
from llmlab_exporter.budgets.shared.others import Heard
from llmlab_exporter.budgets.status import Status
from llmlab_exporter.budgets.tracker import Tracker

MAX_BODY_BYTES = 16 * 1024
_EXAMPLE = 'send application/json such as {"limit": 1000, "period": "month", "scope": {"project": "web"}}'
_DAY_S = 86_400


def routes(budgets: Budgets, tracker: Tracker) -> list[Route]:
    """Return the routes."""

    async def show(_: Request) -> Response:
        listed = [_described(placed.budget, placed.source) for placed in budgets.current]
        return ExactJSON({"budgets": listed, **budgets.details()})

    async def status(_: Request) -> Response:
        return ExactJSON(await run_in_threadpool(_statuses, tracker))

    async def put(request: Request) -> Response:
        # Browsers ask before they send JSON to another site, so no web page can set a budget on a loopback exporter.
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return bad_request("the content type is not application/json", _EXAMPLE)
        try:
            budget = _read(await request.body())
        except BadBudget as bad:
            return _refusal(bad)
        except ValueError as error:
            return bad_request(str(error), _EXAMPLE)
        return await run_in_threadpool(_put, budgets, tracker, budget)

    async def remove(request: Request) -> Response:
        return await run_in_threadpool(_remove, budgets, request.path_params["name"])

    return [
        Route("/api/budgets", show),
        Route("/api/budgets", put, methods=["POST"]),
        Route("/api/budgets/status", status),
        Route("/api/budgets/{name}", remove, methods=["DELETE"]),
    ]


def described(status: Status) -> dict[str, Any]:
    """Return everything that is to be said of a budget."""
    budget = status.budget
    return {
        **_described(budget, status.source),
        "spent": money(status.spent_yocto),
        "percentage": float(status.percentage),
        "left": money(budget.limit_yocto - status.spent_yocto),
        "alert": status.is_near,
        "reached": [number(threshold) for threshold in status.reached],
        "period_start": moment(status.window.start_s),
        "period_end": moment(status.window.end_s),
        "days_left": round((status.window.end_s - status.now) / _DAY_S, 2),
        "since": moment(status.since_s),
        "requests": status.requests,
        "unpriced_requests": status.unpriced,
        "unattributed_requests": status.unattributed,
        "is_lower_bound": status.is_lower_bound,
        "shared": _shared(status.heard),
        "burn_rate": round(status.burn_rate, 3),
        **_forecast(status.forecast),
    }


def main_budget(statuses: Sequence[Status]) -> dict[str, Any] | None:
    """Return how the budget on all calls stands, as `/api/costs/summary` promises; None when there is none.

    Of several, the one named `monthly`, else the one of the longest period.
    """
    overall = [status for status in statuses if not tuple(status.budget.scope)]
    if not overall:
        return None
    status = max(overall, key=lambda each: (each.budget.name == "monthly", each.window.length_s))
    return {
        "budget": money(status.budget.limit_yocto),
        "spent": money(status.spent_yocto),
        "percentage": float(status.percentage),
        "alert": status.is_near,
    }


def _statuses(tracker: Tracker) -> dict[str, Any]:
    return {
        "as_of": moment(datetime.now(UTC).timestamp()),
        "currency": "USD",
        "budgets": [described(status) for status in tracker.statuses()],
    }


def _read(body: bytes) -> Budget:
    if len(body) > MAX_BODY_BYTES:
        raise ValueError(f"the body has more than {MAX_BODY_BYTES} bytes")
    try:
        return with_known_provider(read_budget(orjson.loads(body)))
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the body is no JSON: {error}") from error


def _put(budgets: Budgets, tracker: Tracker, budget: Budget) -> Response:
    try:
        created = budgets.put(budget)
    except ReadOnly as error:
        return ExactJSON({"error": str(error), "hint": "change it there; it is read again by itself"}, 409)
    except TooMany as error:
        return ExactJSON({"error": str(error), "hint": "remove one first: DELETE /api/budgets/NAME"}, 409)
    except sqlite3.Error as error:
        return _try_again(f"the ledger did not take the budget: {error}")
    stands = [described(status) for status in tracker.statuses() if status.budget.name == budget.name]
    return ExactJSON({"created": created, "budget": (stands or [_described(budget, "api")])[0]})


def _remove(budgets: Budgets, name: str) -> Response:
    try:
        removed = budgets.remove(name)
    except ReadOnly as error:
        return ExactJSON({"error": str(error), "hint": "remove it there; the file is read again by itself"}, 409)
    except sqlite3.Error as error:
        return _try_again(f"the ledger did not take it: {error}")
    if not removed:
        known = ", ".join(placed.budget.name for placed in budgets.current[:10]) or "none is set"
        return ExactJSON({"error": f"there is no budget {name!r}", "hint": f"budgets are: {known}"}, 404)
    return ExactJSON({"removed": name})


def _refusal(bad: BadBudget) -> Response:
    """Say everything that is wrong, each with the field it stands in."""
    faults = [
        {"field": ".".join(map(str, fault.path)), "error": fault.what, "hint": fault.hint} for fault in bad.faults
    ]
    first = bad.faults[0]
    return ExactJSON({"error": first.what, "hint": first.hint, "faults": faults}, 400)


def _described(budget: Budget, source: str) -> dict[str, Any]:
    return as_json(budget) | {"limit": money(budget.limit_yocto), "source": source}


def _shared(heard: Heard | None) -> dict[str, Any] | None:
    return None if heard is None else {"doubts": heard.doubts, "oldest_part_s": round(heard.age_s, 1)}


def _forecast(forecast: Forecast | None) -> dict[str, Any]:
    if forecast is None:
        return {"forecast": None, "forecast_method": None, "projected_exhaustion": None}
    return {
        "forecast": round(forecast.usd, 6),
        "forecast_method": forecast.method,
        "projected_exhaustion": moment(forecast.exhausted_at),
    }


def moment(at_s: float | None) -> str | None:
    """Write a moment in UTC."""
    if at_s is None:
        return None
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _try_again(reason: str) -> Response:
    return ExactJSON({"error": reason, "hint": "try again in a second"}, 503, headers={"retry-after": "1"})
