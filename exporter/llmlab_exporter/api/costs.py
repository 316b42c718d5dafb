"""`GET /api/costs/summary`: what was spent today, this month, ever, and on which models."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llmlab_exporter.api.budgets import described, main_budget
from llmlab_exporter.api.exact_json import ExactJSON, bad_request, money
from llmlab_exporter.api.sampling import sampling
from llmlab_exporter.budgets.status import Status
from llmlab_exporter.ledger.summary import ByModel, Spend, Summary, merge, total

MAX_DAYS = 366

PipelineState = Callable[[], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Question:
    days: int
    zone: tzinfo
    zone_name: str
    now: datetime
    extrapolate: bool
    """Whether to say, too, what the calls that stand for others amount to."""


def routes(
    summary: Summary,
    pipeline_state: PipelineState,
    catalogue: Callable[[], str],
    budgets: Callable[[], Sequence[Status]] = tuple,
) -> list[Route]:
    """Return the cost routes. `catalogue` names the prices that apply to calls that arrive now."""

    async def costs_summary(request: Request) -> Response:
        try:
            question = _question(request, datetime.now(tz=UTC))
        except ValueError as error:
            return bad_request(str(error), "ask like this: /api/costs/summary?days=30&tz=Europe/Berlin")
        answer = await run_in_threadpool(_answer, summary, question, catalogue())
        return ExactJSON(answer | await run_in_threadpool(_budgets, budgets) | {"pipeline": pipeline_state()})

    return [Route("/api/costs/summary", costs_summary)]


def _question(request: Request, now: datetime) -> _Question:
    days = request.query_params.get("days", "30")
    if not days.isascii() or not days.isdigit() or not 1 <= int(days) <= MAX_DAYS:
        raise ValueError(f"days={days!r} is not a number from 1 to {MAX_DAYS}")
    zone_name = request.query_params.get("tz", "UTC")
    try:
        zone = ZoneInfo(zone_name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"tz={zone_name!r} is not an IANA time zone") from error
    extrapolate = request.query_params.get("extrapolate", "false")
    if extrapolate not in {"true", "false"}:
        raise ValueError(f"extrapolate={extrapolate!r} is neither true nor false")
    return _Question(int(days), zone, zone_name, now.astimezone(zone), extrapolate == "true")


def _answer(summary: Summary, question: _Question, catalogue: str) -> dict[str, Any]:
    today = question.now.date()
    month_start = today.replace(day=1)
    window_start = today - timedelta(days=question.days - 1)
    days = summary.days(min(month_start, window_start), today, question.zone)
    window = {day: groups for day, groups in days.items() if day >= window_start}
    by_model = merge(list(window.values()))
    periods = {
        "today": total(days[today]),
        "month": total(merge([groups for day, groups in days.items() if day >= month_start])),
        "all_time": total(summary.all_time()),
    }
    return {
        "currency": "USD",
        "timezone": question.zone_name,
        "as_of": question.now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "total_spend": money(periods["all_time"].cost_yocto),
        "this_month_spend": money(periods["month"].cost_yocto),
        "today_spend": money(periods["today"].cost_yocto),
        "periods": {name: _spend(spend) for name, spend in periods.items()},
        "window": {"days": question.days, "from": window_start, "to": today} | _spend(total(by_model)),
        "provenance": _provenance(total(by_model), catalogue),
        **_groups(by_model),
        "sampling": sampling(periods | {"window": total(by_model)}, by_model, extrapolate=question.extrapolate),
        "daily_trend": [_day(day, groups) for day, groups in window.items()],
    }


def _budgets(budgets: Callable[[], Sequence[Status]]) -> dict[str, Any]:
    statuses = budgets()
    return {"budget_status": main_budget(statuses), "budgets": [described(status) for status in statuses]}


def _provenance(spend: Spend, catalogue: str) -> dict[str, Any]:
    """Say who says what the calls of the window cost, in calls by `cost_source`; /api/calls says it of each."""
    return {
        "catalogue": catalogue,
        "requests_by_cost_source": {
            "computed": spend.priced - spend.estimated - spend.provider_priced,
            "estimated": spend.estimated,
            "provider": spend.provider_priced,
            "none": spend.unpriced,
        },
    }


def _groups(by_model: ByModel) -> dict[str, Any]:
    """Break the window down; the dearest first."""
    ranked = sorted(by_model.items(), key=lambda item: (-item[1].cost, item[0]))
    by_provider: dict[str, Spend] = {}
    for model, spend in ranked:
        by_provider.setdefault(model.provider or "unknown", Spend()).add(spend)
    return {
        "by_provider": {name: money(spend.cost_yocto) for name, spend in by_provider.items()},
        "by_model": {
            f"{model.provider or 'unknown'}/{model.model or 'unknown'}": money(spend.cost_yocto)
            for model, spend in ranked
        },
        "models": [
            {"provider": model.provider, "model": model.model}
            | _spend(spend)
            | {"input_tokens": spend.input_tokens, "output_tokens": spend.output_tokens}
            for model, spend in ranked
        ],
        "unpriced": {
            "requests": sum(spend.unpriced for spend in by_model.values()),
            "models": [
                {"provider": model.provider, "model": model.model, "requests": spend.unpriced}
                for model, spend in ranked
                if spend.unpriced
            ],
        },
    }


def _spend(spend: Spend) -> dict[str, Any]:
    return {
        "spend": money(spend.cost_yocto),
        "requests": spend.requests,
        "unpriced_requests": spend.unpriced,
    }


def _day(day: date, groups: ByModel) -> dict[str, Any]:
    return {"date": day, "spend": money(total(groups).cost_yocto)}
