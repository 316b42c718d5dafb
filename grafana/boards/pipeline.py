"""Pipeline health: whether the other dashboards can be trusted."""

# ruff: noqa: S608 - the queries are put together from constants of this folder

from boards import variables
from boards.board import Board, Section
from boards.calls_sql import A_CALL, SPEND
from boards.panel import override, steps
from boards.query import promql, promql_now, table_sql
from boards.shared import firing_alerts
from boards.styles import (
    BYTES,
    COUNT,
    DOLLARS,
    GOOD,
    MOMENT,
    MUST_BE_ZERO,
    SECONDS,
    SHARE,
    WARN,
    Column,
    series,
    stat,
    table,
)

_DAY_S = 86_400
_PER_MINUTE = "suffix:/min"

_UP = stat(
    "Exporters up",
    "Exporters that Prometheus reaches. Red: start it; collectors and SDKs hold the spans meanwhile, for a while.",
    promql_now("count(llmlab_exporter_pending_rows) or vector(0)", "exporters"),
    COUNT,
    decimals=0,
    colors=steps("red", (1, GOOD)),
)
_LAG = stat(
    "Delay, p95",
    "From the end of a call to its durable record. Minutes: a collector's queue drains, or a sender's clock is wrong.",
    promql_now("histogram_quantile(0.95, sum by (le) (rate(llmlab_exporter_lag_seconds_bucket[10m])))", "delay"),
    SECONDS,
    decimals=1,
    colors=steps(GOOD, (60, WARN), (300, "red")),
    no_value="no requests",
)
_PENDING = stat(
    "Waiting calls",
    "Safe in the ledger and counted in every sum, and not yet in ClickHouse. It should be back near 0 within seconds.",
    promql_now("sum(llmlab_exporter_pending_rows)", "calls"),
    COUNT,
    decimals=0,
    colors=steps(GOOD, (10_000, WARN), (100_000, "red")),
)
_LOST = stat(
    "Rejected spans",
    "Spans of the range that can never be accepted. Their senders were told why; so does the graph below.",
    promql_now("sum(increase(llmlab_exporter_rejected_spans_total[$__range])) or vector(0)", "spans"),
    COUNT,
    decimals=0,
    colors=MUST_BE_ZERO,
)
_UNPRICED = stat(
    "Unpriced calls",
    "Calls of the range that no sum contains. Models names them.",
    promql_now("sum(increase(llm_unpriced_requests_total[$__range]))", "calls"),
    COUNT,
    decimals=0,
    colors=MUST_BE_ZERO,
)
_CATALOGUE = stat(
    "Price list age",
    "Newer models have no price until the list is fetched: llmlab prices update.",
    promql_now(f"(time() - min(llmlab_exporter_catalogue_timestamp_seconds)) / {_DAY_S}", "age"),
    "suffix: days",
    decimals=0,
    colors=steps(GOOD, (30, WARN), (90, "red")),
)

_SPANS = series(
    "Spans by what became of them",
    "accepted: calls. ignored: spans that are none. redelivered: sent twice, counted once. rejected: cannot be read.",
    promql("60 * sum by (result) (rate(llmlab_exporter_spans_total[$__rate_interval]))", "{{result}}"),
    _PER_MINUTE,
    width=8,
    overrides=[
        override(name, color={"mode": "fixed", "fixedColor": color})
        for name, color in (("accepted", GOOD), ("ignored", "#8e8e8e"), ("redelivered", "blue"), ("rejected", "red"))
    ],
)
_REFUSED = series(
    "Requests turned away, spans rejected",
    "Why senders were refused. busy and ledger: they try again. Anything else is lost for good, at the sender.",
    [
        promql(
            "60 * sum by (reason) (rate(llmlab_exporter_refused_requests_total[$__rate_interval]))",
            "request: {{reason}}",
        ),
        promql(
            "60 * sum by (reason) (rate(llmlab_exporter_rejected_spans_total[$__rate_interval]))", "span: {{reason}}"
        ),
    ],
    _PER_MINUTE,
    width=8,
    no_value="Nothing was ever refused",
)
_DELAYS = series(
    "Delay and acknowledgement",
    "How old calls are when they are recorded, and how long senders wait for the durable acknowledgement.",
    [
        promql(
            "histogram_quantile(0.95, sum by (le) (rate(llmlab_exporter_lag_seconds_bucket[$__rate_interval])))",
            "delay, 95 %",
        ),
        promql(
            "histogram_quantile(0.95, sum by (transport, le) "
            "(rate(llmlab_exporter_ack_seconds_bucket[$__rate_interval])))",
            "acknowledged, 95 %, {{transport}}",
        ),
    ],
    SECONDS,
    width=8,
)
_STORE = series(
    "On the way into ClickHouse",
    "Calls that wait, and calls kept aside because ClickHouse refuses them: llmlab dead-letters shows those.",
    [
        promql("sum(llmlab_exporter_pending_rows)", "waiting"),
        promql("sum(llmlab_exporter_dead_letters)", "kept aside"),
    ],
    COUNT,
    decimals=0,
    fill=10,
    width=8,
)
_STORED = series(
    "Calls stored, inserts that failed",
    "Failed inserts are tried again, and nothing is stored twice.",
    [
        promql("60 * sum(rate(llmlab_exporter_stored_rows_total[$__rate_interval]))", "stored"),
        promql("60 * sum(rate(llmlab_exporter_store_failures_total[$__rate_interval]))", "failed inserts"),
    ],
    _PER_MINUTE,
    width=8,
)
_REPEATS = series(
    "Records that repeat a call",
    "By the rule that found them; each call is billed once. A step after a deploy: two instrumentations at once.",
    promql("60 * sum by (reason) (rate(llmlab_exporter_duplicates_total[$__rate_interval]))", "{{reason}}"),
    _PER_MINUTE,
    width=8,
)
_DISK = series(
    "Disk",
    "What the ledger and the store take, and what is left. Below the dashed line spans are refused.",
    [
        promql("sum(llmlab_exporter_ledger_bytes)", "ledger"),
        promql("sum(llmlab_exporter_store_bytes)", "store"),
        promql("min(llmlab_exporter_free_bytes)", "free"),
        promql("max(llmlab_exporter_min_free_bytes)", "refuses below"),
    ],
    BYTES,
    width=8,
    overrides=[override("refuses below", custom_lineStyle={"fill": "dash", "dash": [6, 6]})],
)
_COLLECTOR = series(
    "Collector: queue and losses",
    "How full the collector's queue to the exporter is, and spans it lost on the way: those calls are missing "
    "everywhere.",
    [
        promql(
            'sum by (exporter) ({__name__=~"otelcol_exporter_queue_size"})'
            ' / sum by (exporter) ({__name__=~"otelcol_exporter_queue_capacity"})',
            "queue of {{exporter}}",
        ),
    ],
    SHARE,
    highest=1,
    width=8,
    no_value="No collector is scraped",
)
_COLLECTOR_RATES = series(
    "Collector: spans sent and lost",
    "Spans it handed on, and spans it could not: queue full, or refused for good.",
    [
        promql(
            '60 * sum by (exporter) (rate({__name__=~"otelcol_exporter_sent_spans(_total)?"}[$__rate_interval]))',
            "sent by {{exporter}}",
        ),
        promql(
            "60 * sum by (exporter) "
            '(rate({__name__=~"otelcol_exporter_(enqueue|send)_failed_spans(_total)?"}[$__rate_interval]))',
            "lost by {{exporter}}",
        ),
    ],
    _PER_MINUTE,
    width=8,
    no_value="No collector is scraped",
)

_LEDGER_SAYS = stat(
    "By counters",
    "Growth of llm_cost_usd_total in the range, as PromQL sees it: it extrapolates, so it is a few percent off.",
    promql_now("sum(increase(llm_cost_usd_total[$__range]))", "counters"),
    DOLLARS,
    decimals=2,
)
_STORE_SAYS = stat(
    "By ClickHouse",
    "The same range summed up exactly from the stored calls. Far from the counters: calls came late, or are not "
    "stored.",
    table_sql(f"SELECT {SPEND} AS usd FROM current_calls WHERE $__timeFilter_ms(started_at) AND {A_CALL}"),
    DOLLARS,
    decimals=2,
)
_HELD_BACK = stat(
    "Counters ahead",
    "Duplicates that were found late: counters must not fall, so they wait until calls to come have made up for it.",
    promql_now("sum(llmlab_exporter_held_back_usd)", "held back"),
    DOLLARS,
    decimals=2,
)
_OVERFLOW = stat(
    "Under other",
    "Calls of the range whose labels were summed up as other because there are too many. ClickHouse has their names.",
    promql_now("sum(increase(llmlab_exporter_overflowed_requests_total[$__range]))", "calls"),
    COUNT,
    decimals=0,
    colors=MUST_BE_ZERO,
)
_SAMPLED = stat(
    "Sampling",
    "Services whose SDK drops spans before they are sent: what they spend is a lower bound.",
    promql_now(
        "count(sum by (service_name) (increase(llmlab_exporter_sampled_spans_total[$__range])) > 0) or vector(0)"
    ),
    COUNT,
    decimals=0,
    colors=MUST_BE_ZERO,
)
_SERIES = stat(
    "Series",
    "Label sets of llm_cost_usd_total. Beyond 5,000 later ones are summed up.",
    promql_now("count(llm_cost_usd_total)", "series"),
    COUNT,
    decimals=0,
    colors=steps(GOOD, (4_000, WARN)),
)
_SOURCES = table(
    "Where the numbers come from",
    "Each service's records in the range: what wrote the spans, how the usage and the cost are known, and what was "
    "odd.",
    table_sql(
        f"""
SELECT service_name AS "Service", count() AS "Calls", countIf(billable AND cost_usd IS NULL) AS "Unpriced",
  countIf(usage_source = 'reported') / count() AS "Usage reported", countIf(flaws != '') AS "Flawed",
  countIf(cost_source = 'provider') AS "Cost by provider", dialect AS "Written by", max(started_at) AS "Last call"
FROM current_calls
WHERE $__timeFilter_ms(started_at) AND {A_CALL}
GROUP BY "Service", "Written by" ORDER BY "Calls" DESC LIMIT 100"""
    ),
    [
        Column(name="Calls", unit=COUNT, width=80),
        Column(name="Usage reported", unit=SHARE, decimals=1, width=125, colors=steps(WARN, (0.95, GOOD))),
        Column(name="Cost by provider", unit=COUNT, width=130),
        Column(name="Unpriced", unit=COUNT, width=85, colors=MUST_BE_ZERO),
        Column(name="Flawed", unit=COUNT, width=80, colors=MUST_BE_ZERO),
        Column(name="Last call", unit=MOMENT, width=125),
    ],
    width=16,
)

BOARD = Board(
    uid="llm-pipeline",
    title="LLM cost pipeline",
    question="Whether the numbers of the other dashboards can be trusted: is everything received, priced and stored?",
    since="now-6h",
    refresh="30s",
    variables=[variables.PROMETHEUS_SOURCE, variables.CLICKHOUSE_SOURCE],
    sections=[
        Section(title="", panels=[_UP, _LAG, _PENDING, _LOST, _UNPRICED, _CATALOGUE]),
        Section(title="Received", panels=[_SPANS, _REFUSED, _DELAYS]),
        Section(title="Stored", panels=[_STORE, _STORED, _DISK]),
        Section(
            title="Do the sums agree?",
            panels=[_LEDGER_SAYS, _STORE_SAYS, _HELD_BACK, _OVERFLOW, _SAMPLED, _SERIES],
        ),
        Section(title="Where it comes from", panels=[_SOURCES, firing_alerts(width=8, height=9)]),
        Section(title="On the way here", panels=[_COLLECTOR, _COLLECTOR_RATES, _REPEATS]),
    ],
)
