"""Models: which ones cost what, how they do, and which price they are charged at."""

# ruff: noqa: S608 - the queries are put together from constants of this folder

from boards import links, variables
from boards.board import Board, Section
from boards.calls_sql import (
    CALLS,
    CALLS_AND_BEFORE,
    DISCOUNTED,
    IN_RANGE,
    SECONDS_EACH,
    SPEND,
    TOKENS,
    UNPRICED,
    named,
    unit_price,
)
from boards.panel import steps
from boards.prometheus_labels import CHOSEN_LABELS
from boards.query import promql, series_sql, table_sql
from boards.styles import (
    COUNT,
    DOLLARS,
    GOOD,
    MOMENT,
    MUST_BE_ZERO,
    SECONDS,
    SHARE,
    USD,
    WARN,
    Column,
    series,
    stat,
    table,
)

_PARTS = {"input": "Input", "cache_read": "Cached", "cache_write": "Written", "output": "Output"}
"""Parts of a rate, and their columns."""
_MODEL = named("model")
_PROVIDER = named("provider")
_NAME = f"concat({_PROVIDER}, ' / ', {_MODEL})"
_LARGEST = f"""
    SELECT model FROM current_calls
    WHERE {CALLS}
    GROUP BY model ORDER BY sum(cost_usd) DESC LIMIT 8"""
_ERRORS = steps(GOOD, (0.02, WARN), (0.1, "red"))

_COUNT_OF_MODELS = stat(
    "Models in use",
    "Different models that answered a call in the range.",
    table_sql(f"SELECT uniqExact(provider, model) AS models FROM current_calls WHERE {CALLS}"),
    COUNT,
    decimals=0,
)
_DEAREST = stat(
    "Largest share of the spend",
    "The model that takes most of the money, and how much of it. A change there pays most.",
    table_sql(
        f"""
SELECT concat({_MODEL}, ': ', toString(round(100 * spend / total)), ' %') AS model FROM (
  SELECT model, {SPEND} AS spend, sum(spend) OVER () AS total FROM current_calls
  WHERE {CALLS}
  GROUP BY model)
ORDER BY spend DESC LIMIT 1"""
    ),
    "string",
    width=8,
    is_text=True,
)
_CACHED = stat(
    "Cached input",
    "Share of the input tokens that the providers' prompt caches served, which is cheaper. Savings has it by service.",
    table_sql(f"SELECT sum(cache_read) / nullIf(sum(input_tokens), 0) AS share FROM current_calls WHERE {CALLS}"),
    SHARE,
    decimals=0,
)
_P95 = stat(
    "Duration, p95",
    "Nineteen of twenty calls took no longer, streams to their end.",
    table_sql(f"SELECT quantile(0.95)({SECONDS_EACH}) AS seconds FROM current_calls WHERE {CALLS}"),
    SECONDS,
    decimals=1,
)
_UNPRICED_STAT = stat(
    "Unpriced calls",
    "Nobody knows what these cost. The list below names the models and the reason.",
    table_sql(f"SELECT {UNPRICED} AS calls FROM current_calls WHERE {CALLS}"),
    COUNT,
    colors=MUST_BE_ZERO,
)

_TABLE = table(
    "Models side by side",
    "What each model costs and how it does. The cost of a million tokens mixes input and output as they were used, so "
    "it compares models as you use them, not their price lists.",
    table_sql(
        f"""
SELECT {_PROVIDER} AS "Provider", {_MODEL} AS "Model",
  toFloat64(sumIf(cost_usd, {IN_RANGE})) AS "Spend",
  "Spend" / nullIf(sum("Spend") OVER (), 0) AS "Share",
  toFloat64(sumIf(cost_usd, NOT ({IN_RANGE}))) AS before,
  if(before > 0, "Spend" / before - 1, NULL) AS "Change",
  countIf({IN_RANGE}) AS "Calls",
  countIf({IN_RANGE} AND outcome = 'error') / nullIf("Calls", 0) AS "Failed",
  countIf({IN_RANGE} AND billable AND cost_usd IS NULL) AS "Unpriced",
  1000 * "Spend" / nullIf(countIf({IN_RANGE} AND cost_usd IS NOT NULL), 0) AS "Per 1000 calls",
  1e6 * "Spend" / nullIf(sumIf({TOKENS}, {IN_RANGE} AND cost_usd IS NOT NULL), 0)
    AS "Per 1M tokens",
  avgIf(input_tokens, {IN_RANGE}) AS "Input", avgIf(output_tokens, {IN_RANGE}) AS "Output",
  sumIf(cache_read, {IN_RANGE}) / nullIf(sumIf(input_tokens, {IN_RANGE}), 0) AS "Cached",
  quantileIf(0.5)({SECONDS_EACH}, {IN_RANGE}) AS "p50", quantileIf(0.95)({SECONDS_EACH}, {IN_RANGE}) AS "p95"
FROM current_calls
WHERE {CALLS_AND_BEFORE}
GROUP BY "Provider", "Model" HAVING "Calls" > 0 ORDER BY "Spend" DESC LIMIT 100"""
    ),
    [
        Column(name="Provider", width=125),
        Column(name="Spend", unit=DOLLARS, decimals=2, width=95),
        Column(name="Share", unit=SHARE, decimals=0, gauge=True, highest=1, width=115),
        Column(name="before", hidden=True),
        Column(name="Change", unit=SHARE, decimals=0, width=80, colors=steps(GOOD, (0.25, WARN), (1, "red"))),
        Column(name="Calls", unit=COUNT, width=75),
        Column(name="Per 1000 calls", unit=DOLLARS, decimals=2, width=115),
        Column(name="Per 1M tokens", unit=DOLLARS, decimals=2, width=115),
        Column(name="Input", unit=COUNT, decimals=0, width=75),
        Column(name="Output", unit=COUNT, decimals=0, width=75),
        Column(name="Cached", unit=SHARE, decimals=0, width=75),
        Column(name="p50", unit=SECONDS, decimals=1, width=70),
        Column(name="p95", unit=SECONDS, decimals=1, width=70),
        Column(name="Failed", unit=SHARE, decimals=1, width=75, colors=_ERRORS),
        Column(name="Unpriced", unit=COUNT, width=80, colors=MUST_BE_ZERO),
    ],
    width=24,
    height=13,
)
_MIX = series(
    "Share of the spend by model",
    "How the mix moves: a deploy that switches models shows as a step. The eight largest, and the rest as (other).",
    series_sql(
        f"""
SELECT $__timeInterval(started_at) AS time, if(model IN ({_LARGEST}), {_MODEL}, '(other)') AS series, {SPEND} AS "Value"
FROM current_calls
WHERE {CALLS}
GROUP BY time, series HAVING "Value" > 0 ORDER BY time, series"""
    ),
    SHARE,
    stacked="percent",
    bars=True,
    max_data_points=14,
)
_UNIT_COST = series(
    "Cost of a million tokens",
    "Spend by input and output tokens together, on a logarithmic axis. A step up without a switch of models means "
    "longer answers, a colder cache, or a new price.",
    series_sql(
        f"""
SELECT $__timeInterval(started_at) AS time, {_MODEL} AS series,
  1e6 * {SPEND} / nullIf(sumIf({TOKENS}, cost_usd IS NOT NULL), 0) AS "Value"
FROM current_calls
WHERE {CALLS} AND model IN ({_LARGEST})
GROUP BY time, series ORDER BY time, series"""
    ),
    USD,
    max_data_points=28,
    joined=True,
    is_logarithmic=True,
)
_LATENCY = series(
    "Duration, 95 % of calls",
    "Nineteen of twenty calls of the last hour took no longer, for models with at least 20 calls in it. From the "
    "buckets of a histogram, so to about a third.",
    promql(
        "histogram_quantile(0.95, sum by (model, le) "
        f"(increase(llm_request_duration_seconds_bucket{{{CHOSEN_LABELS}}}[1h])))"
        f" and on (model) (sum by (model) (increase(llm_requests_total{{{CHOSEN_LABELS}}}[1h])) >= 20)",
        "{{model}}",
        exemplars=True,
    ),
    SECONDS,
    broken_after_s=7_200,
)
_FAILURES = series(
    "Failed calls by provider",
    "Share of the last hour's calls that ended in an error, in hours with at least 20 calls. Providers in trouble "
    "show here.",
    promql(
        f'sum by (provider) (increase(llm_requests_total{{{CHOSEN_LABELS}, outcome="error"}}[1h]))'
        f" / (sum by (provider) (increase(llm_requests_total{{{CHOSEN_LABELS}}}[1h])) >= 20)",
        "{{provider}}",
    ),
    SHARE,
    broken_after_s=7_200,
)
_TOKENS = series(
    "Tokens by kind",
    "What the tokens are. Input is without what was read from and written to the cache, answers without reasoning.",
    series_sql(
        f"""
SELECT $__timeInterval(started_at) AS time,
  sum(ifNull(input_tokens, 0) - ifNull(cache_read, 0) - ifNull(cache_write, 0)) AS "input",
  sum(ifNull(cache_read, 0)) AS "from cache", sum(ifNull(cache_write, 0)) AS "into cache",
  sum(ifNull(output_tokens, 0) - ifNull(current_calls.reasoning, 0)) AS "answers",
    sum(ifNull(current_calls.reasoning, 0)) AS "reasoning"
FROM current_calls
WHERE {CALLS}
GROUP BY time ORDER BY time"""
    ),
    COUNT,
    stacked="normal",
    bars=True,
    max_data_points=56,
    width=14,
)
_PER_CALL = table(
    "Cost of one call",
    "How much calls of a model differ. Where one in a hundred costs a hundred times the median, look at it in "
    "Requests.",
    table_sql(
        f"""
SELECT {_MODEL} AS "Model", quantile(0.5)(toFloat64(cost_usd)) AS "Median",
  quantile(0.99)(toFloat64(cost_usd)) AS "p99", toFloat64(max(cost_usd)) AS "Dearest"
FROM current_calls
WHERE {CALLS} AND cost_usd > 0
GROUP BY "Model" ORDER BY "p99" DESC LIMIT 50"""
    ),
    [
        Column(name="Model", link=links.board("llm-requests", "Calls of this model", "model")),
        *(Column(name=name, unit=DOLLARS, decimals=4, width=90) for name in ("Median", "p99", "Dearest")),
    ],
    width=10,
)
_PRICES = table(
    "Prices in force, for a million tokens",
    "The rates by which calls of the range were priced, read off the rows. Two lines for one model: a price change, a "
    "tier, a long context, or a batch. Factor: what discounts leave.",
    table_sql(
        f"""
SELECT {_PROVIDER} AS "Provider", {_MODEL} AS "Model",
  {", ".join(f'1e6 * {unit_price(part)} AS "{title}"' for part, title in _PARTS.items())},
  {DISCOUNTED} AS "Factor", if(batch, 'batch', '') AS "Batch", min(started_at) AS "First seen", count() AS "Calls"
FROM current_calls
WHERE {CALLS} AND rate != ''
GROUP BY "Provider", "Model", rate, batch ORDER BY "Provider", "Model", "First seen" LIMIT 200"""
    ),
    [
        Column(name="Provider", width=105),
        *(Column(name=title, unit=DOLLARS, decimals=3, width=85) for title in _PARTS.values()),
        Column(name="Factor", decimals=2, width=65),
        Column(name="Batch", width=60),
        Column(name="First seen", unit=MOMENT, width=125),
        Column(name="Calls", unit=COUNT, width=75),
    ],
    width=16,
    height=14,
)
_NO_PRICE = table(
    "Models without a price",
    "Why calls have no cost. Give the model a price in prices.yaml and run llmlab reprice, which prices these calls "
    "too.",
    table_sql(
        f"""
SELECT {_NAME} AS "Model", count() AS "Calls", any(cost_reason) AS "Reason",
  sum({TOKENS}) AS "Tokens"
FROM current_calls
WHERE {CALLS} AND billable AND cost_usd IS NULL
GROUP BY "Model" ORDER BY "Calls" DESC LIMIT 50"""
    ),
    [Column(name="Calls", unit=COUNT, width=75), Column(name="Tokens", unit=COUNT, width=80)],
    width=8,
    height=14,
    no_value="Every call has a price",
)

BOARD = Board(
    uid="llm-models",
    title="LLM models",
    question="Which models the money goes to, what a unit of each costs, how they do, and which price is in force.",
    since="now-7d",
    refresh="5m",
    variables=[variables.PROMETHEUS_SOURCE, variables.CLICKHOUSE_SOURCE, *variables.stored_filters()],
    sections=[
        Section(title="", panels=[_COUNT_OF_MODELS, _DEAREST, _CACHED, _P95, _UNPRICED_STAT]),
        Section(title="", panels=[_TABLE]),
        Section(title="What moves", panels=[_MIX, _UNIT_COST, _LATENCY, _FAILURES]),
        Section(title="What it is spent on", panels=[_TOKENS, _PER_CALL]),
        Section(title="Prices", panels=[_PRICES, _NO_PRICE]),
    ],
)
