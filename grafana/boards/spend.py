"""Spend overview: how much, is that normal, and who."""

# ruff: noqa: S608 - the queries are put together from constants of this folder

from boards import variables
from boards.board import Board, Section
from boards.calls_sql import (
    CALLS,
    CALLS_AND_BEFORE,
    IN_RANGE,
    RANGE_S,
    SPEND,
    TOKENS,
    UNPRICED,
    WHICH,
    named,
)
from boards.links import call_list
from boards.prometheus_labels import CHOSEN_LABELS
from boards.query import promql, promql_now, series_sql, table_sql
from boards.shared import alert_annotations, firing_alerts
from boards.styles import (
    COUNT,
    DOLLARS,
    GOOD,
    MOMENT,
    MUST_BE_ZERO,
    SHARE,
    TIMES,
    USD,
    USED,
    WARN,
    Column,
    series,
    stat,
    steps,
    table,
)

_CHANGE = steps(GOOD, (0.25, WARN), (1, "red"))
_BY = named("toString(${by:raw})")

_SPEND = stat(
    "Spend",
    "What the calls of the range cost. Calls without a price are not part of it: Unpriced calls counts them.",
    table_sql(f"SELECT {SPEND} AS spend FROM current_calls WHERE {CALLS}"),
    DOLLARS,
    decimals=2,
)
_CHANGE_STAT = stat(
    "Change",
    "How much more or less that is than in the period of the same length before. Above 25 % look who it was, below.",
    table_sql(
        f"""
SELECT if(before > 0, spend / before - 1, NULL) AS change FROM (
  SELECT toFloat64(sumIf(cost_usd, {IN_RANGE})) AS spend, toFloat64(sumIf(cost_usd, NOT ({IN_RANGE}))) AS before
  FROM current_calls
  WHERE {CALLS_AND_BEFORE})"""
    ),
    SHARE,
    decimals=0,
    colors=_CHANGE,
    no_value="no earlier calls",
)
_NOW = stat(
    "Per hour now",
    "The rate of the last hour, and how it went. A rate of counters: for shape, not for accounts.",
    promql(f"3600 * sum(rate(llm_cost_usd_total{{{CHOSEN_LABELS}}}[1h]))", "per hour"),
    DOLLARS,
    decimals=2,
    spark=True,
)
_BUDGET = stat(
    "Fullest budget",
    "The budget of which the greatest share is spent. Above 80 % open Budgets and forecast.",
    promql_now(
        'topk(1, max by (budget) (llm_budget_spent_usd{org=~"$org|", project=~"$project|"})'
        ' / max by (budget) (llm_budget_limit_usd{org=~"$org|", project=~"$project|"} > 0))',
        "{{budget}}",
    ),
    SHARE,
    decimals=0,
    colors=USED,
    named=True,
    no_value="no budget",
)
_UNPRICED = stat(
    "Unpriced calls",
    "Nobody knows what these cost: the spend is higher than shown. Give the models a price in prices.yaml; Models "
    "lists them.",
    table_sql(f"SELECT {UNPRICED} AS calls FROM current_calls WHERE {CALLS}"),
    COUNT,
    colors=MUST_BE_ZERO,
)
_CALLS = stat(
    "Calls",
    "Calls of the range, failed ones included, each counted once however often it was recorded.",
    table_sql(f"SELECT count() AS calls FROM current_calls WHERE {CALLS}"),
    COUNT,
)

_OVER_TIME = series(
    "Spend per ${bucket:text} by ${by:text}",
    "What was spent when, and on what: the eight largest, and the rest as (other). Days and weeks are those of UTC. "
    "The last bar is not complete.",
    series_sql(
        f"""
SELECT toDateTime(toStartOfInterval(started_at, INTERVAL 1 ${{bucket:raw}}, 'UTC'), 'UTC') AS time,
  if({_BY} IN (
    SELECT {_BY} AS name FROM current_calls
    WHERE {CALLS}
    GROUP BY name ORDER BY sum(cost_usd) DESC LIMIT 8), {_BY}, '(other)') AS series,
  {SPEND} AS "Value"
FROM current_calls
WHERE {CALLS}
GROUP BY time, series HAVING "Value" > 0 ORDER BY time, series"""
    ),
    USD,
    width=16,
    height=10,
    stacked="normal",
    bars=True,
    legend=["sum"],
)
_UNUSUAL = table(
    "Hours out of the ordinary",
    "Hours that cost more than three times the median of the same hour of the day, and at least a dollar more, by the "
    "dimension chosen above. Working days are compared with working days, weekends with weekends, over the range and "
    "the period before.",
    table_sql(
        f"""
SELECT hour AS "Hour", name AS "Name", spent AS "Spend", spent / nullIf(usual, 0) AS "Times usual" FROM (
  SELECT hour, name, spent, quantile(0.5)(spent) OVER (PARTITION BY name, toDayOfWeek(hour) > 5, toHour(hour)) AS usual
  FROM (
    SELECT toStartOfHour(toDateTime(started_at, 'UTC')) AS hour, {_BY} AS name, {SPEND} AS spent
    FROM current_calls
    WHERE {CALLS_AND_BEFORE}
    GROUP BY hour, name))
WHERE hour >= $__fromTime_ms AND spent > 3 * usual AND spent > usual + 1
ORDER BY spent - usual DESC LIMIT 20"""
    ),
    [
        Column(name="Hour", unit="time:MMM DD HH:mm", width=105),
        Column(name="Spend", unit=DOLLARS, decimals=2, width=85),
        Column(name="Times usual", unit=TIMES, decimals=1, width=95),
    ],
    width=8,
    height=5,
    no_value="No hour was out of the ordinary",
)
_CUMULATIVE = series(
    "Spend so far, and in the period before",
    "The range added up hour by hour. Where the line leaves that of the period before, something changed.",
    series_sql(
        f"""
SELECT time, period, sum(spent) OVER (PARTITION BY period ORDER BY time) AS "Value" FROM (
  SELECT toStartOfHour(toDateTime(if({IN_RANGE}, started_at, addSeconds(started_at, {RANGE_S})))) AS time,
    if({IN_RANGE}, 'this period', 'period before') AS period, {SPEND} AS spent
  FROM current_calls
  WHERE {CALLS_AND_BEFORE}
  GROUP BY time, period)
ORDER BY time"""
    ),
    USD,
    width=10,
    fill=8,
)
_WHO = table(
    "Who spends it, by ${by:text}",
    "Spend by the dimension chosen above, and how it changed. Start with the largest share that grows.",
    table_sql(
        f"""
SELECT {_BY} AS "Name", toFloat64(sumIf(cost_usd, {IN_RANGE})) AS "Spend",
  "Spend" / nullIf(sum("Spend") OVER (), 0) AS "Share",
  toFloat64(sumIf(cost_usd, NOT ({IN_RANGE}))) AS before,
  if(before > 0, "Spend" / before - 1, NULL) AS "Change",
  countIf({IN_RANGE} AND billable AND cost_usd IS NULL) AS "Unpriced",
  countIf({IN_RANGE}) AS "Calls",
  1000 * "Spend" / nullIf(countIf({IN_RANGE} AND cost_usd IS NOT NULL), 0) AS "Per 1000 calls"
FROM current_calls
WHERE {CALLS_AND_BEFORE}
GROUP BY "Name" ORDER BY "Spend" DESC LIMIT 50"""
    ),
    [
        Column(name="Spend", unit=DOLLARS, decimals=2, width=95),
        Column(name="Share", unit=SHARE, decimals=0, gauge=True, highest=1),
        Column(name="before", hidden=True),
        Column(name="Change", unit=SHARE, decimals=0, width=80, colors=_CHANGE),
        Column(name="Calls", unit=COUNT, width=75),
        Column(name="Per 1000 calls", unit=DOLLARS, decimals=2, width=115),
        Column(name="Unpriced", unit=COUNT, width=80, colors=MUST_BE_ZERO),
    ],
    width=14,
)

_EXPENSIVE = table(
    "Most expensive calls",
    "The eight calls of the range that cost most. A click on the trace shows its calls in the requests explorer.",
    table_sql(
        f"""
SELECT started_at AS "Time", toFloat64(cost_usd) AS "Cost", model AS "Model", project AS "Project",
  service_name AS "Service", {named("feature")} AS "Feature", {named("user_id")} AS "User",
  input_tokens AS "Input", output_tokens AS "Output", lower(hex(trace_id)) AS "Trace"
FROM current_calls
WHERE {CALLS} AND cost_usd > 0
ORDER BY cost_usd DESC LIMIT 8"""
    ),
    [
        Column(name="Time", unit=MOMENT, width=125),
        Column(name="Input", unit=COUNT, width=70),
        Column(name="Output", unit=COUNT, width=75),
        Column(name="Cost", unit=DOLLARS, decimals=3, width=85),
        Column(name="Trace", link=call_list()),
    ],
    width=24,
    height=10,
)
_HOURS = table(
    "Spend per hour of the week (UTC)",
    "What an average hour of each weekday costs. Dark cells are the peaks: what need not run then can wait, as a "
    "batch.",
    table_sql(
        "SELECT ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'][weekday] AS \"Day\",\n  "
        + ",\n  ".join(
            f'toFloat64(sumIf(cost_usd, intDiv(hour, 2) = {part})) / 2 / max(days) AS "{2 * part:02}-{2 * part + 2:02}"'
            for part in range(12)
        )
        + f"""
FROM (
  SELECT toDayOfWeek(started_at, 0, 'UTC') AS weekday, toHour(started_at, 'UTC') AS hour, cost_usd,
    uniqExact(toDate(started_at, 'UTC')) OVER (PARTITION BY weekday) AS days
  FROM current_calls
  WHERE {CALLS})
GROUP BY weekday ORDER BY weekday"""
    ),
    [
        Column(name="Day", width=95),
        *(Column(name=f"{hour:02}-{hour + 2:02}", unit=DOLLARS, decimals=2, heat=True) for hour in range(0, 24, 2)),
    ],
    width=24,
    height=9,
)

_PER_MILLION = stat(
    "Per 1M tokens",
    "Spend by all tokens, input and output, of calls with a price. It rises when dearer models or longer answers do.",
    table_sql(
        f"""
SELECT 1e6 * {SPEND} / nullIf(sumIf({TOKENS}, cost_usd IS NOT NULL), 0) AS usd
FROM current_calls
WHERE {CALLS}"""
    ),
    DOLLARS,
    decimals=2,
)
_PER_1000 = stat(
    "Per 1000 calls",
    "Spend by calls with a price.",
    table_sql(
        f"SELECT 1000 * {SPEND} / nullIf(countIf(cost_usd IS NOT NULL), 0) AS usd FROM current_calls WHERE {CALLS}"
    ),
    DOLLARS,
    decimals=2,
)
_ATTRIBUTED = stat(
    "With a feature",
    "Share of the spend whose feature is known. The rest cannot be charged to anybody: set "
    "llmlab.attribute(feature=...).",
    table_sql(
        f"SELECT toFloat64(sumIf(cost_usd, feature != '')) / nullIf({SPEND}, 0) AS share FROM current_calls WHERE "
        f"{CALLS}"
    ),
    SHARE,
    decimals=0,
    colors=steps(WARN, (0.8, GOOD)),
)
_MEASURED = stat(
    "Usage reported",
    "Share of the spend whose tokens the provider reported; the rest is estimated, or from streams that broke off.",
    table_sql(
        f"""
SELECT toFloat64(sumIf(cost_usd, cost_source IN ('computed', 'provider'))) / nullIf({SPEND}, 0) AS share
FROM current_calls
WHERE {CALLS}"""
    ),
    SHARE,
    decimals=1,
    colors=steps(WARN, (0.95, GOOD)),
)
_FAILED = stat(
    "Failed calls",
    "Share of the calls that ended in an error. Those that had used tokens by then cost money: see Savings.",
    table_sql(f"SELECT countIf(outcome = 'error') / nullIf(count(), 0) AS share FROM current_calls WHERE {CALLS}"),
    SHARE,
    decimals=1,
    colors=steps(GOOD, (0.02, WARN), (0.1, "red")),
)
_WEEKLY = stat(
    "Week on week",
    "The last 24 hours of the range against the same 24 hours a week before: a fair comparison, weekday with weekday.",
    table_sql(
        f"""
SELECT if(before > 0, day / before - 1, NULL) AS change FROM (
  SELECT toFloat64(sumIf(cost_usd, started_at > subtractHours($__toTime_ms, 24))) AS day,
    toFloat64(sumIf(cost_usd, started_at <= subtractHours($__toTime_ms, 168))) AS before
  FROM current_calls
  WHERE started_at > subtractHours($__toTime_ms, 192) AND started_at <= $__toTime_ms
    AND {WHICH})"""
    ),
    SHARE,
    decimals=0,
    colors=_CHANGE,
    no_value="no earlier calls",
)

BOARD = Board(
    uid="llm-spend",
    title="LLM spend overview",
    question="How much is spent, is that normal, who spends it, and what to look at next.",
    since="now-30d",
    refresh="5m",
    variables=[
        variables.PROMETHEUS_SOURCE,
        variables.CLICKHOUSE_SOURCE,
        *variables.stored_filters(),
        variables.choice(
            "by",
            "Break down by",
            {
                "project": "project",
                "model": "model",
                "service_name": "service",
                "feature": "feature",
                "provider": "provider",
                "environment": "environment",
                "operation": "operation",
            },
        ),
        variables.choice("bucket", "Bar", {"DAY": "day", "HOUR": "hour", "WEEK": "week"}),
    ],
    sections=[
        Section(title="", panels=[_SPEND, _CHANGE_STAT, _NOW, _BUDGET, _UNPRICED, _CALLS]),
        Section(title="", panels=[_OVER_TIME, [firing_alerts(width=8, height=5), _UNUSUAL]]),
        Section(title="Who, and since when", panels=[_WHO, _CUMULATIVE]),
        Section(title="What to look at", panels=[_HOURS, _EXPENSIVE]),
        Section(
            title="How far to trust it, and what a unit costs",
            panels=[_WEEKLY, _PER_1000, _PER_MILLION, _ATTRIBUTED, _MEASURED, _FAILED],
        ),
    ],
    annotations=[alert_annotations()],
)
