"""Requests: which single calls, traces, sessions and users cost most, and which are out of the ordinary."""

# ruff: noqa: S608 - the queries are put together from constants of this folder

from boards import links, variables
from boards.board import Board, Section
from boards.calls_sql import CALLS, SECONDS_EACH, SPEND, named
from boards.panel import steps
from boards.query import table_sql
from boards.styles import (
    COUNT,
    DOLLARS,
    GOOD,
    MOMENT,
    MUST_BE_ZERO,
    SECONDS,
    SHARE,
    TIMES,
    WARN,
    Column,
    bars,
    stat,
    table,
)

_LOOKED_FOR = f"""
  AND (${{trace_id:sqlstring}} = '' OR lower(hex(trace_id)) = lower(${{trace_id:sqlstring}}))
  AND (${{user:sqlstring}} = '' OR {named("user_id")} = ${{user:sqlstring}})
  AND (${{session:sqlstring}} = '' OR session_id = ${{session:sqlstring}})
  AND (${{run:sqlstring}} = '' OR run_id = ${{run:sqlstring}})
  AND (${{feature:sqlstring}} = '' OR {named("feature")} = ${{feature:sqlstring}})"""
_CALLS = CALLS + _LOOKED_FOR
_TRACE = Column(name="Trace", width=130, link=links.trace())
_COST = Column(name="Cost", unit=DOLLARS, decimals=4, width=95)
_OUTCOME_COLORS = {
    "type": "value",
    "options": {
        "error": {"text": "error", "color": "red", "index": 0},
        "partial": {"text": "partial", "color": "orange", "index": 1},
        "ok": {"text": "ok", "color": "green", "index": 2},
    },
}

_COUNT = stat(
    "Calls",
    "Calls that match.",
    table_sql(f"SELECT count() AS calls FROM current_calls WHERE {_CALLS}"),
    COUNT,
)
_SPEND = stat(
    "Spend",
    "What they cost; calls without a price are not part of it.",
    table_sql(f"SELECT {SPEND} AS spend FROM current_calls WHERE {_CALLS}"),
    DOLLARS,
    decimals=2,
)
_MEDIAN = stat(
    "Median call",
    "Half of the calls cost less.",
    table_sql(f"SELECT quantile(0.5)(toFloat64(cost_usd)) AS usd FROM current_calls WHERE {_CALLS}"),
    DOLLARS,
    decimals=4,
)
_P99 = stat(
    "p99 call",
    "One call in a hundred costs this or more.",
    table_sql(f"SELECT quantile(0.99)(toFloat64(cost_usd)) AS usd FROM current_calls WHERE {_CALLS}"),
    DOLLARS,
    decimals=3,
)
_TOP = stat(
    "Top 1 % share",
    "How much of the spend the dearest hundredth of the calls takes. A high share: the list below is where to save.",
    table_sql(
        f"""
SELECT toFloat64(sumIf(cost_usd, cost_usd >= limit)) / nullIf(toFloat64(sum(cost_usd)), 0) AS share FROM (
  SELECT cost_usd, quantileExact(0.99)(cost_usd) OVER () AS limit FROM current_calls
  WHERE {_CALLS} AND cost_usd > 0)"""
    ),
    SHARE,
    decimals=0,
    colors=steps(GOOD, (0.3, WARN)),
)
_WASTED = stat(
    "Spent on errors",
    "What failed calls cost nevertheless, since the provider had done some of the work.",
    table_sql(f"SELECT toFloat64(sumIf(cost_usd, outcome = 'error')) AS usd FROM current_calls WHERE {_CALLS}"),
    DOLLARS,
    decimals=2,
    colors=MUST_BE_ZERO,
)

_CALL_LIST = table(
    "Most expensive calls",
    "The calls that cost most, with what they consumed. Source says where the cost comes from: computed from reported "
    "usage, estimated, or said by the provider. A click on the trace opens it in the data source of traces.",
    table_sql(
        f"""
SELECT started_at AS "Time", toFloat64(cost_usd) AS "Cost", model AS "Model", service_name AS "Service",
  {named("feature")} AS "Feature", input_tokens AS "Input", cache_read AS "Cached", output_tokens AS "Output",
  {SECONDS_EACH} AS "Duration", outcome AS "Outcome", cost_source AS "Source", project AS "Project",
  user_id AS "User", session_id AS "Session", lower(hex(trace_id)) AS "Trace"
FROM current_calls
WHERE {_CALLS}
ORDER BY cost_usd DESC NULLS LAST LIMIT 100"""
    ),
    [
        Column(name="Time", unit=MOMENT, width=125),
        Column(name="Project", width=90),
        Column(name="Service", width=110),
        Column(name="Feature", width=90),
        Column(name="Model", width=165),
        Column(name="User", width=80),
        Column(name="Session", width=130),
        Column(name="Input", unit=COUNT, width=70),
        Column(name="Cached", unit=COUNT, width=75),
        Column(name="Output", unit=COUNT, width=75),
        _COST,
        Column(name="Source", width=90),
        Column(name="Duration", unit=SECONDS, decimals=1, width=85),
        Column(name="Outcome", width=85),
        Column(name="Trace", link=links.trace()),
    ],
    width=24,
    height=12,
    overrides=[
        {
            "matcher": {"id": "byName", "options": "Outcome"},
            "properties": [
                {"id": "mappings", "value": [_OUTCOME_COLORS]},
                {"id": "custom.cellOptions", "value": {"type": "color-text"}},
            ],
        }
    ],
)
_TRACES = table(
    "Most expensive traces",
    "What whole requests of your users cost, all calls of a trace together. Many calls in one trace: an agent that "
    "loops?",
    table_sql(
        f"""
SELECT min(started_at) AS "Began", {SPEND} AS "Cost", count() AS "Calls", any(service_name) AS "Service",
  dateDiff('millisecond', min(started_at), max(ended_at)) / 1000 AS "Duration", uniqExact(model) AS "Models",
  lower(hex(trace_id)) AS "Trace"
FROM current_calls
WHERE {_CALLS}
GROUP BY trace_id HAVING "Cost" > 0 ORDER BY "Cost" DESC LIMIT 50"""
    ),
    [
        Column(name="Began", unit=MOMENT, width=125),
        Column(name="Calls", unit=COUNT, width=65),
        Column(name="Models", unit=COUNT, width=75),
        Column(name="Duration", unit=SECONDS, decimals=0, width=85),
        _COST,
        _TRACE,
    ],
)
_UNUSUAL = table(
    "Out of the ordinary",
    "Calls of a cent and more that cost five times the median of their service and model. A pasted document, a loop, "
    "a lost cache.",
    table_sql(
        f"""
SELECT started_at AS "Time", toFloat64(cost_usd) AS "Cost", "Cost" / usual AS "Times usual",
  service_name AS "Service", model AS "Model", lower(hex(trace_id)) AS "Trace"
FROM (
  SELECT *, quantile(0.5)(toFloat64(cost_usd)) OVER (PARTITION BY service_name, model) AS usual FROM current_calls
  WHERE {_CALLS} AND cost_usd > 0)
WHERE toFloat64(cost_usd) >= 5 * usual AND cost_usd >= 0.01
ORDER BY "Cost" DESC LIMIT 50"""
    ),
    [
        Column(name="Time", unit=MOMENT, width=125),
        _COST,
        Column(name="Times usual", unit=TIMES, decimals=0, width=100),
        _TRACE,
    ],
    no_value="Nothing out of the ordinary",
)
_SIZES = bars(
    "Spend by the cost of a call",
    "Whether many small calls or few large ones make the bill: the spend of all calls in each class.",
    table_sql(
        f"""
SELECT class, spend FROM (
  SELECT multiIf(cost_usd < 0.0001, 1, cost_usd < 0.001, 2, cost_usd < 0.01, 3, cost_usd < 0.1, 4, cost_usd < 1, 5,
    6) AS n,
    ['<0.01¢', '<0.1¢', '<1¢', '<10¢', '<$1', '$1+'][n] AS class,
    {SPEND} AS spend
  FROM current_calls
  WHERE {_CALLS} AND cost_usd IS NOT NULL
  GROUP BY n)
ORDER BY n"""
    ),
    DOLLARS,
    decimals=2,
    each_row=True,
)
_USERS = table(
    "Users",
    "Who causes the spend, by the id that the application sends; (none) are calls without one.",
    table_sql(
        f"""
SELECT {named("user_id")} AS "User", {SPEND} AS "Spend", count() AS "Calls", uniqExact(session_id) AS "Sessions"
FROM current_calls
WHERE {_CALLS}
GROUP BY "User" ORDER BY "Spend" DESC LIMIT 50"""
    ),
    [
        Column(name="User", link=links.board("llm-requests", "Calls of this user", "user")),
        Column(name="Calls", unit=COUNT, width=75),
        Column(name="Sessions", unit=COUNT, width=85),
        Column(name="Spend", unit=DOLLARS, decimals=2, width=95),
    ],
    width=8,
)
_SESSIONS = table(
    "Sessions",
    "The conversations that cost most. Cost per call that grows with the number of calls: the history is sent each "
    "time.",
    table_sql(
        f"""
SELECT session_id AS "Session", {SPEND} AS "Spend", count() AS "Calls", avg(input_tokens) AS "Input"
FROM current_calls
WHERE {_CALLS} AND session_id != ''
GROUP BY "Session" ORDER BY "Spend" DESC LIMIT 50"""
    ),
    [
        Column(name="Session", link=links.board("llm-requests", "Calls of this session", "session")),
        Column(name="Calls", unit=COUNT, width=75),
        Column(name="Input", unit=COUNT, decimals=0, width=75),
        Column(name="Spend", unit=DOLLARS, decimals=3, width=95),
    ],
    width=8,
    no_value="No call says its session",
)
_FAILED = table(
    "Failed calls",
    "Which errors, how often, and what they cost. Retries that are billed each time show as cost here.",
    table_sql(
        f"""
SELECT {named("error_type")} AS "Error", {SPEND} AS "Cost", count() AS "Calls",
  countIf(billable) AS "Billed", model AS "Model", service_name AS "Service", max(started_at) AS "Last"
FROM current_calls
WHERE {_CALLS} AND outcome = 'error'
GROUP BY "Error", "Model", "Service" ORDER BY "Cost" DESC, "Calls" DESC LIMIT 50"""
    ),
    [
        Column(name="Calls", unit=COUNT, width=70),
        Column(name="Billed", unit=COUNT, width=70),
        _COST,
        Column(name="Last", unit=MOMENT, width=125),
    ],
    width=16,
    no_value="No call failed",
)
_DUPLICATES = table(
    "Recorded more than once",
    "Second records of calls, which are stored and not billed, by the rule that found them. A new number after a "
    "deploy: two instrumentations watch one SDK.",
    table_sql(
        f"""
SELECT service_name AS "Service", count() AS "Records", {named("duplicate_reason")} AS "Rule", dialect AS "Dialect"
FROM current_calls
WHERE $__timeFilter_ms(started_at) AND org IN (${{org:singlequote}}) AND project IN (${{project:singlequote}})
  AND service_name IN (${{service_name:singlequote}}) AND environment IN (${{environment:singlequote}})
  AND duplicate_of IS NOT NULL
GROUP BY "Service", "Rule", "Dialect" ORDER BY "Records" DESC LIMIT 50"""
    ),
    [Column(name="Records", unit=COUNT, width=80), Column(name="Dialect", width=90)],
    width=8,
    no_value="Every call was recorded once",
)

BOARD = Board(
    uid="llm-requests",
    title="LLM requests explorer",
    question="Which calls, traces, sessions and users cost most, which are out of the ordinary, and which failed.",
    since="now-24h",
    refresh="",
    variables=[
        variables.CLICKHOUSE_SOURCE,
        variables.TRACES_SOURCE,
        *variables.stored_filters(),
        *(
            variables.text_box(name, label)
            for name, label in (
                ("trace_id", "Trace"),
                ("user", "User"),
                ("session", "Session"),
                ("run", "Run"),
                ("feature", "Feature"),
            )
        ),
    ],
    sections=[
        Section(title="", panels=[_COUNT, _SPEND, _MEDIAN, _P99, _TOP, _WASTED]),
        Section(title="", panels=[_CALL_LIST]),
        Section(title="Whole requests, and what is unusual", panels=[_TRACES, _UNUSUAL]),
        Section(title="Who", panels=[_SIZES, _USERS, _SESSIONS]),
        Section(title="What went wrong", panels=[_FAILED, _DUPLICATES]),
    ],
)
