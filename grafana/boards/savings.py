"""Savings: what caching and batches saved, and where money goes that need not; computed from rows, never assumed."""

# ruff: noqa: S608 - the queries are put together from constants of this folder

from boards import variables
from boards.board import Board, Section
from boards.calls_sql import CALLS, DISCOUNTED, SPEND, named, unit_price
from boards.panel import steps
from boards.query import series_sql, table_sql
from boards.styles import COUNT, DOLLARS, GOOD, MUST_BE_ZERO, SHARE, TIMES, USD, WARN, Column, series, stat, table

_INPUT, _READ, _WRITE, _OUTPUT = (unit_price(part) for part in ("input", "cache_read", "cache_write", "output"))
_WRITE_1H = unit_price("cache_write_1h")
_READ_TEXT = "(cache_read - ifNull(cache_read_audio, 0) - ifNull(cache_read_image, 0))"
"""Cached sounds and images have rates of their own, which are not compared."""
_SAVED = f"{_READ_TEXT} * ({_INPUT} - {_READ}) * {DISCOUNTED}"
_HOUR = "ifNull(cache_write_1h, 0)"
_PREMIUM = (
    f"((cache_write - {_HOUR}) * ({_WRITE} - {_INPUT}) + {_HOUR} * (ifNull({_WRITE_1H}, {_WRITE}) - {_INPUT}))"
    f" * {DISCOUNTED}"
)
_OF = f"FROM current_calls\nWHERE {CALLS}"

_LONG, _SHORT = 8_000, 200
"""Tokens: an input at least as long, for an answer at most as long, is worth a look."""

_LONG_CALLS = f"input_tokens >= {_LONG} AND output_tokens <= {_SHORT}"

_CACHE_SAVED = stat(
    "Saved by cache",
    "What the tokens that came from the providers' prompt caches would have cost as ordinary input, less what they "
    "did cost. By the rate in each row; rows whose rate does not say both prices count as nothing.",
    table_sql(f"SELECT sum({_SAVED}) AS usd {_OF} AND cache_read > 0"),
    DOLLARS,
    decimals=2,
    colors=steps(GOOD),
)
_CACHE_PAID = stat(
    "Cache premium",
    "What writing into the caches cost above ordinary input. It is to be compared with what the reads saved.",
    table_sql(f"SELECT sum({_PREMIUM}) AS usd {_OF} AND cache_write > 0"),
    DOLLARS,
    decimals=2,
)
_BATCHES = f"""
SELECT count() AS calls, toFloat64(sum(cost_usd)) AS paid, sum(whole) AS whole FROM (
  SELECT cost_usd,
    {DISCOUNTED} * ((ifNull(input_tokens, 0) - ifNull(cache_read, 0)) * usual_input
      + ifNull(cache_read, 0) * usual_read + ifNull(output_tokens, 0) * usual_output) AS whole
  FROM (SELECT * {_OF} AND batch AND cost_source = 'computed' AND ifNull(cache_write, 0) = 0) AS batched
  INNER JOIN (
    SELECT provider, model, argMax({_INPUT}, started_at) AS usual_input, argMax({_OUTPUT}, started_at) AS usual_output,
      ifNull(argMax({_READ}, started_at), usual_input) AS usual_read
    {_OF} AND NOT batch AND rate != ''
    GROUP BY provider, model HAVING usual_input > 0 AND usual_output > 0) AS usual USING (provider, model))"""
_BATCH_SAVED = stat(
    "Saved by batch",
    "What the batched calls would have cost at the rate that the same models charged for other calls of the range, "
    "less what they did cost. Models that only ran in batches are not counted.",
    table_sql(f"SELECT if(calls > 0, whole - paid, NULL) AS usd FROM ({_BATCHES})"),
    DOLLARS,
    decimals=2,
    colors=steps(GOOD),
    no_value="no batches",
)
_FAILED = stat(
    "Spent on errors",
    "What calls that ended in an error cost nevertheless. Requests has them by error.",
    table_sql(f"SELECT toFloat64(sumIf(cost_usd, outcome = 'error')) AS usd {_OF}"),
    DOLLARS,
    decimals=2,
    colors=MUST_BE_ZERO,
)
_LONG_SPEND = stat(
    "Long prompts",
    f"Spend on calls with {_LONG:,} input tokens and more for {_SHORT} output tokens and less. Is all of that input "
    "needed?",
    table_sql(f"SELECT toFloat64(sumIf(cost_usd, {_LONG_CALLS})) AS usd {_OF}"),
    DOLLARS,
    decimals=2,
)
_COLD = stat(
    "Uncached input",
    "Spend on ordinary input tokens of calls with at least 1,024 of them and nothing read from a cache, which is "
    "where most caches begin. What part of it repeats, only the application knows.",
    table_sql(
        f"SELECT sum(input_tokens * {_INPUT} * {DISCOUNTED}) AS usd {_OF}"
        " AND input_tokens >= 1024 AND ifNull(cache_read, 0) = 0 AND ifNull(cache_write, 0) = 0 AND NOT batch"
    ),
    DOLLARS,
    decimals=2,
)

_OVER_TIME = series(
    "Saved by cache reads, paid for cache writes",
    "Whether the caches pay for themselves, day by day (UTC). When the saving falls and the premium does not, prompts "
    "begin differently than they did.",
    series_sql(
        f"""
SELECT toDateTime(toStartOfDay(started_at, 'UTC'), 'UTC') AS time, ifNull(sum({_SAVED}), 0) AS "saved by reads",
  -ifNull(sum({_PREMIUM}), 0) AS "paid extra for writes"
{_OF} AND (cache_read > 0 OR cache_write > 0)
GROUP BY time ORDER BY time"""
    ),
    USD,
    bars=True,
    stacked="normal",
    lowest=None,
    decimals=2,
    width=12,
)
_CACHES = table(
    "Prompt caches by service and model",
    "How much of the input comes from the cache, how often what is written is read again, and what is gained in all. "
    "Below zero the cache costs more than it saves: keep entries longer, move what changes to the end, or switch it "
    "off.",
    table_sql(
        f"""
SELECT service_name AS "Service", model AS "Model",
  ifNull(sum({_SAVED}), 0) - ifNull(sum({_PREMIUM}), 0) AS "Gain",
  sum(ifNull(cache_read, 0)) / nullIf("Written", 0) AS "Reads per write",
  sum(ifNull(cache_read, 0)) / nullIf(sum(input_tokens), 0) AS "Cached",
  sum(ifNull(cache_write, 0)) AS "Written"
{_OF} AND (cache_read > 0 OR cache_write > 0)
GROUP BY "Service", "Model" ORDER BY "Gain" LIMIT 50"""
    ),
    [
        Column(name="Cached", unit=SHARE, decimals=0, gauge=True, highest=1, width=140),
        Column(name="Written", unit=COUNT, width=80),
        Column(name="Reads per write", unit=TIMES, decimals=1, width=120, colors=steps(WARN, (1, GOOD))),
        Column(name="Gain", unit=USD, decimals=2, width=95, colors=steps("red", (0, GOOD))),
    ],
    no_value="No call reads from or writes to a cache",
)
_WHAT_IF = table(
    "What if it had been ${alternative:text}?",
    "The calls of the range with the same tokens at the list price that the alternative last had. Prices only: another "
    "model may answer longer, worse, or not at all, so try it before you count on it. Calls with a cost alone are "
    "compared, without those that wrote to a cache, in batches, or for audio and images.",
    table_sql(
        f"""
SELECT service_name AS "Service", model AS "Model", "Spent" - "Instead" AS "Saving",
  "Saving" / nullIf("Spent", 0) AS "Less", {SPEND} AS "Spent",
  sum((ifNull(input_tokens, 0) - ifNull(cache_read, 0)) * other_input + ifNull(cache_read, 0) * other_read
    + ifNull(output_tokens, 0) * other_output) AS "Instead", count() AS "Calls"
FROM (SELECT * {_OF} AND cost_source = 'computed' AND operation IN ('chat', 'text_completion', 'generate_content')
  AND NOT batch AND ifNull(cache_write, 0) = 0 AND ifNull(audio_in, 0) + ifNull(audio_out, 0) + ifNull(images, 0) = 0
  AND model != ${{alternative:sqlstring}}) AS actual
CROSS JOIN (
  SELECT argMax({_INPUT}, started_at) AS other_input, argMax({_OUTPUT}, started_at) AS other_output,
    ifNull(argMax({_READ}, started_at), other_input) AS other_read
  FROM current_calls
  WHERE $__timeFilter_ms(started_at) AND model = ${{alternative:sqlstring}} AND NOT batch AND rate != '') AS other
GROUP BY "Service", "Model" HAVING "Spent" > 0 ORDER BY "Saving" DESC LIMIT 50"""
    ),
    [
        Column(name="Calls", unit=COUNT, width=75),
        Column(name="Spent", unit=DOLLARS, decimals=2, width=95),
        Column(name="Instead", unit=DOLLARS, decimals=2, width=95),
        Column(name="Saving", unit=USD, decimals=2, width=95, colors=steps("red", (0, GOOD))),
        Column(name="Less", unit=SHARE, decimals=0, width=75),
    ],
    width=12,
    height=10,
    no_value="Choose an alternative above: a model with a rate in the range",
)
_LONG_TABLE = table(
    "Long prompts for short answers",
    f"Where calls with {_LONG:,} input tokens and more get {_SHORT} output tokens and less: retrieve less, summarise "
    "the history, or cache what repeats.",
    table_sql(
        f"""
SELECT service_name AS "Service", {named("feature")} AS "Feature", model AS "Model",
  toFloat64(sumIf(cost_usd, {_LONG_CALLS})) AS "Spend", countIf({_LONG_CALLS}) AS "Calls",
  quantileIf(0.5)(input_tokens, {_LONG_CALLS}) AS "Input", quantileIf(0.5)(output_tokens, {_LONG_CALLS}) AS "Output"
{_OF}
GROUP BY "Service", "Feature", "Model" HAVING "Spend" > 0 ORDER BY "Spend" DESC LIMIT 50"""
    ),
    [
        Column(name="Calls", unit=COUNT, width=70),
        Column(name="Input", unit=COUNT, decimals=0, width=75),
        Column(name="Output", unit=COUNT, decimals=0, width=75),
        Column(name="Spend", unit=DOLLARS, decimals=2, width=95),
    ],
    width=12,
    height=10,
    no_value="None",
)
_FAILED_TABLE = table(
    "Failed calls that cost money",
    "Errors after the provider had begun to work: timeouts that are too short, answers that a parser refuses, retries.",
    table_sql(
        f"""
SELECT service_name AS "Service", model AS "Model", {SPEND} AS "Cost",
  count() AS "Calls", {named("error_type")} AS "Error"
{_OF} AND outcome = 'error' AND cost_usd > 0
GROUP BY "Service", "Model", "Error" ORDER BY "Cost" DESC LIMIT 50"""
    ),
    [Column(name="Calls", unit=COUNT, width=75), Column(name="Cost", unit=DOLLARS, decimals=2, width=95)],
    no_value="No failed call cost anything",
)
_WRITES = table(
    "Cache writes that nobody read",
    "Days and services that wrote to a cache and read nothing from it: the premium bought nothing. By service, model "
    "and day (UTC), since rows do not say which write a read came from.",
    table_sql(
        f"""
SELECT day AS "Day", service AS "Service", model AS "Model", premium AS "Paid extra", written AS "Written" FROM (
  SELECT toDateTime(toStartOfDay(started_at, 'UTC'), 'UTC') AS day, service_name AS service, model,
    sum(ifNull(cache_write, 0)) AS written, sum(ifNull(cache_read, 0)) AS read, sum({_PREMIUM}) AS premium
  {_OF}
  GROUP BY day, service, model)
WHERE written > 0 AND read = 0
ORDER BY premium DESC LIMIT 50"""
    ),
    [
        Column(name="Day", unit="time:YYYY-MM-DD", width=110),
        Column(name="Written", unit=COUNT, width=80),
        Column(name="Paid extra", unit=DOLLARS, decimals=2, width=95),
    ],
    no_value="Every cache that was written to was read from on the same day",
)

BOARD = Board(
    uid="llm-savings",
    title="LLM savings",
    question="What caches and batches saved, which money bought nothing, and what another model would have cost.",
    since="now-30d",
    refresh="",
    variables=[
        variables.CLICKHOUSE_SOURCE,
        *variables.stored_filters(),
        variables.stored_choice(
            "alternative",
            "What if",
            "SELECT model FROM (SELECT DISTINCT model, argMax(" + _INPUT + ", started_at) AS price FROM current_calls "
            "WHERE $__timeFilter_ms(started_at) AND rate LIKE '%output%' GROUP BY model) ORDER BY price, model",
        ),
    ],
    sections=[
        Section(title="", panels=[_CACHE_SAVED, _BATCH_SAVED, _CACHE_PAID, _FAILED, _LONG_SPEND, _COLD]),
        Section(title="What could be cheaper", panels=[_WHAT_IF, _LONG_TABLE]),
        Section(title="Do the caches pay?", panels=[_OVER_TIME, _CACHES]),
        Section(title="Money for nothing", panels=[_FAILED_TABLE, _WRITES]),
    ],
)
