"""Budgets and forecast: what is left, will it last, and since when not."""

from boards import variables
from boards.board import Board, Section
from boards.panel import override, steps
from boards.query import promql, promql_now
from boards.shared import alert_annotations, firing_alerts
from boards.styles import (
    ACCENT,
    COUNT,
    DOLLARS,
    GOOD,
    MUST_BE_ZERO,
    SHARE,
    TIMES,
    USD,
    USED,
    WARN,
    Column,
    series,
    stat,
    table,
)

_CHOSEN = '{budget=~"$budget", org=~"$org|", project=~"$project|"}'
"""Budgets that are not limited to an organisation or a project count for each of them."""

_KEYS = "budget, org, project, period"


def _gauge(name: str) -> str:
    """Ask for a gauge of each budget: several exporters tell of the same ones, and each counts its own calls alone."""
    return f"max by ({_KEYS}) (llm_budget_{name}{_CHOSEN})"


_LIMIT = f"({_gauge('limit_usd')} > 0)"
_SPENT = _gauge("spent_usd")
_FORECAST = _gauge("forecast_usd")
_START, _END = _gauge("period_start_timestamp_seconds"), _gauge("period_end_timestamp_seconds")
_ELAPSED = f"(time() - {_START}) / ({_END} - {_START})"


def _burn(window: str) -> str:
    """How many times faster than the limit allows the window's spend is."""
    return f"sum by ({_KEYS}) (rate(llm_budget_cost_usd_total{_CHOSEN}[{window}])) / ({_LIMIT} / ({_END} - {_START}))"


_LONGER = _CHOSEN.replace("}", ', period!="day"}')
_DASHED, _DOTTED = {"fill": "dash", "dash": [6, 6]}, {"fill": "dot", "dash": [0, 6]}

_NOT_IN_IT = f"{_gauge('unpriced_requests')} + {_gauge('unattributed_requests')}"
_LEFT = f"{_LIMIT} - {_SPENT}"
_RUNS_OUT = (
    f"1000 * (time() + ({_LEFT} > 0) / (sum by ({_KEYS}) (rate(llm_budget_cost_usd_total{_CHOSEN}[1d])) > 0) < {_END})"
)

_MOMENT = "time:ddd D MMM HH:mm"

_ALL = table(
    "All budgets",
    "Each budget, the fullest first. Spent, forecast and period come from the exporter, exact and in the budget's "
    "time zone. Runs out: when the limit is reached at the pace of the last 24 hours, if that is before the period "
    "ends. Not in it: calls without a price, and calls of which nobody can tell whether they belong to the budget; "
    "with any of them, what is spent is a lower bound.",
    [
        promql_now(expression, as_table=True)
        for expression in (
            _LIMIT,
            _SPENT,
            f"{_SPENT} / {_LIMIT}",
            f"{_FORECAST} / {_LIMIT}",
            _LEFT,
            _burn("1d"),
            _RUNS_OUT,
            f"1000 * {_END}",
            _NOT_IN_IT,
        )
    ],
    [
        Column(name="Budget"),
        Column(name="Limit", unit=DOLLARS, decimals=0, width=90),
        Column(name="Spent", unit=DOLLARS, decimals=2, width=100),
        Column(name="Used", unit=SHARE, decimals=0, gauge=True, highest=1, colors=USED, width=150),
        Column(name="Forecast", unit=SHARE, decimals=0, width=85, colors=steps(GOOD, (0.9, WARN), (1, "red"))),
        Column(name="Left", unit=DOLLARS, decimals=2, width=100),
        Column(name="Burn, 24 h", unit=TIMES, decimals=1, width=90, colors=steps(GOOD, (1.3, WARN), (3, "red"))),
        Column(name="Runs out", unit=_MOMENT, width=140),
        Column(name="Period ends", unit=_MOMENT, width=140),
        Column(name="Not in it", unit=COUNT, decimals=0, width=80, colors=MUST_BE_ZERO),
    ],
    width=24,
    height=8,
    sort="Used",
    no_value="No budget is set: llmlab budget 1000",
    transformations=[
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True, "org": True},
                "indexByName": {
                    name: place
                    for place, name in enumerate(
                        ("budget", *(f"Value #{letter}" for letter in "CBAEDGFHI"), "project", "period")
                    )
                },
                "renameByName": {
                    "budget": "Budget",
                    "project": "Project",
                    "period": "Period",
                    "Value #A": "Limit",
                    "Value #B": "Spent",
                    "Value #C": "Used",
                    "Value #D": "Forecast",
                    "Value #E": "Left",
                    "Value #F": "Burn, 24 h",
                    "Value #G": "Runs out",
                    "Value #H": "Period ends",
                    "Value #I": "Not in it",
                },
            },
        },
    ],
)
_FULLEST = stat(
    "Fullest budget",
    "The budget of which the greatest share is spent.",
    promql_now(f"topk(1, {_SPENT} / {_LIMIT})", "{{budget}}"),
    SHARE,
    decimals=0,
    colors=USED,
    named=True,
    no_value="no budget",
)
_OVER = stat(
    "Over limit",
    "Budgets of which everything is spent.",
    promql_now(f"count({_SPENT} / {_LIMIT} >= 1) or 0 * count({_LIMIT})", "budgets"),
    COUNT,
    decimals=0,
    colors=steps(GOOD, (1, "red")),
)
_WILL_BE_OVER = stat(
    "Will be over",
    "Budgets that are below their limit and, by the exporter's forecast, will not be when their period ends.",
    promql_now(f"count(({_FORECAST} > {_LIMIT}) and ({_SPENT} < {_LIMIT})) or 0 * count({_LIMIT})", "budgets"),
    COUNT,
    decimals=0,
    colors=steps(GOOD, (1, WARN)),
)
_FASTEST = stat(
    "Fastest burn",
    "How many times faster than its limit allows the fastest budget was spent in the last hour. Working hours alone "
    "make about 3x.",
    promql_now(f"topk(1, {_burn('1h')})", "{{budget}}"),
    TIMES,
    decimals=1,
    colors=steps(GOOD, (3.5, WARN), (14.4, "red")),
    named=True,
    no_value="no budget",
)
_NEXT = stat(
    "Next to run out",
    "The soonest moment at which a budget is used up at the pace of the last 24 hours, if that is before its period "
    "ends.",
    promql_now(f"bottomk(1, {_RUNS_OUT})", "{{budget}}"),
    _MOMENT,
    named=True,
    colors=steps(WARN),
    no_value="none before its period ends",
)
_LEFT_STAT = stat(
    "Least left",
    "Dollars left in the budget that has the least.",
    promql_now(f"bottomk(1, {_LEFT})", "{{budget}}"),
    DOLLARS,
    decimals=2,
    named=True,
    no_value="no budget",
)

_EACH = series(
    "$budget",
    "Spent so far (filled) against the even pace (dashed), which reaches the limit exactly when the period ends. "
    "Above the dashed line it will not last. Dotted: the exporter's forecast for the end of the period. Red: the "
    "limit.",
    [
        promql(_SPENT, "spent"),
        promql(f"{_LIMIT} * {_ELAPSED}", "even pace"),
        promql(_FORECAST, "forecast"),
        promql(_LIMIT, "limit"),
    ],
    USD,
    width=8,
    height=7,
    overrides=[
        override("spent", custom_fillOpacity=20, color={"mode": "fixed", "fixedColor": ACCENT}),
        override(
            "even pace", custom_lineStyle=_DASHED, custom_lineWidth=1, color={"mode": "fixed", "fixedColor": "#8e8e8e"}
        ),
        override("forecast", custom_lineStyle=_DOTTED, color={"mode": "fixed", "fixedColor": WARN}),
        override("limit", custom_lineWidth=1, color={"mode": "fixed", "fixedColor": "red"}),
    ],
    repeat="budget",
)
_FORECASTS = series(
    "Forecast at the end of the period",
    "What the exporter expects to be spent by then, as a share of the limit. Above the red line the budget will not "
    "last. Without budgets by the day, whose forecast is that of the hour.",
    promql(f"max by ({_KEYS}) (llm_budget_forecast_usd{_LONGER}) / {_LIMIT}", "{{budget}}"),
    SHARE,
    lines_at=steps("transparent", (1, "red")),
)
_BURN = series(
    "Burn over 6 hours",
    "How many times faster than the limit allows money is spent; 1x lasts exactly. Working days alone make 3x. The "
    "lines are those of the alerts for monthly budgets: 6x for six hours takes 5 % of a month.",
    promql(_burn("6h"), "{{budget}}"),
    TIMES,
    decimals=0,
    lines_at=steps("transparent", (3, WARN), (6, "red")),
)
_RATE = series(
    "Spend per hour",
    "What the calls of each budget cost per hour.",
    promql(f"3600 * sum by ({_KEYS}) (rate(llm_budget_cost_usd_total{_CHOSEN}[$__rate_interval]))", "{{budget}}"),
    USD,
    decimals=2,
    fill=10,
)

BOARD = Board(
    uid="llm-budgets",
    title="LLM budgets and forecast",
    question="What is left of each budget, whether it will last, and since when it will not.",
    since="now-30d",
    refresh="1m",
    variables=[
        variables.PROMETHEUS_SOURCE,
        variables.measured_filter("budget", "Budget", "llm_budget_limit_usd"),
        variables.measured_filter("org", "Organisation", "llm_budget_limit_usd"),
        variables.measured_filter("project", "Project", "llm_budget_limit_usd"),
    ],
    sections=[
        Section(title="", panels=[_FULLEST, _OVER, _WILL_BE_OVER, _NEXT, _LEFT_STAT, _FASTEST]),
        Section(title="", panels=[_ALL]),
        Section(title="Each budget in its period", panels=[_EACH]),
        Section(title="Will it last?", panels=[_FORECASTS, _BURN]),
        Section(title="What happens now", panels=[_RATE, firing_alerts(width=12, height=9)]),
    ],
    annotations=[alert_annotations()],
)
