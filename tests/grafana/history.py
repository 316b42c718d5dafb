"""What Prometheus would know had it scraped the exporter all along: the counters as they grew with the stored calls.

Labels and metric names are those that the exporter exposes; the growth is that of the rows in ClickHouse, minute by
minute. What the exporter says of itself (delays, the queue of a collector) is made up to look alive.
"""

import math
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from grafana.month import DAYS, END, SPIKE, SPIKE_HOURS
from llmlab_exporter.tally import LATENCY_BOUNDS_S, Series

Select = Callable[[str], Sequence[tuple[Any, ...]]]
Labels = dict[str, str]

END_S = int(END.timestamp())
_DAY_S = 86_400
_SLICE_S = 4 * _DAY_S
_TOKENS = ("input", "output", "cache_read", "cache_write", "reasoning")
_SUMS = ("requests", "cost", "unpriced", *_TOKENS, "seconds", *(f"under_{bound:g}" for bound in LATENCY_BOUNDS_S))

_GROWTH = """
SELECT org, project, service_name, environment, provider, model, operation, outcome,
  toUnixTimestamp(toStartOfMinute(ended_at)) + 60 AS minute, count(), toFloat64(sum(cost_usd)),
  countIf(billable AND cost_usd IS NULL), sum(ifNull(input_tokens, 0)), sum(ifNull(output_tokens, 0)),
  sum(ifNull(cache_read, 0)), sum(ifNull(cache_write, 0)), sum(ifNull(reasoning, 0)),
  sum(dateDiff('millisecond', started_at, ended_at)) / 1000, {buckets}
FROM llmlab.current_calls
WHERE duplicate_of IS NULL AND (billable OR outcome = 'error')
  AND ended_at >= fromUnixTimestamp({begin}) AND ended_at < fromUnixTimestamp({end})
GROUP BY ALL ORDER BY minute"""


class Budget(NamedTuple):
    """A budget as its gauges tell of it."""

    name: str
    project: str
    period: str
    limit_usd: float


BUDGETS = (
    Budget("company", "", "month", 1_250),
    Budget("search", "search", "month", 140),
    Budget("support", "support", "month", 320),
    Budget("platform", "platform", "month", 450),
    Budget("research", "research", "week", 30),
    Budget("code review", "platform", "day", 35),
)


class Growth:
    """Running totals at each scrape, by series."""

    def __init__(self, select: Select, times: Sequence[int], share: float = 1.0) -> None:
        """`share`: how many of the calls there are, and so of the budgets' limits."""
        self.times = times
        self.share = share
        self.totals: dict[Series, dict[str, array[float]]] = {}
        buckets = ", ".join(
            f"countIf(dateDiff('millisecond', started_at, ended_at) <= {1000 * bound})" for bound in LATENCY_BOUNDS_S
        )
        grown: defaultdict[Series, list[tuple[Any, ...]]] = defaultdict(list)
        for begin in range(END_S - DAYS * _DAY_S, END_S + _DAY_S, _SLICE_S):  # the endpoint bounds each answer
            for row in select(_GROWTH.format(buckets=buckets, begin=begin, end=begin + _SLICE_S)):
                grown[Series(*row[:8])].append(row[8:])
        for series, rows in grown.items():
            self.totals[series] = self._running(rows)

    def _running(self, rows: list[tuple[Any, ...]]) -> dict[str, "array[float]"]:
        found = {name: array("d", bytes(8 * len(self.times))) for name in _SUMS}
        minutes = [row[0] for row in rows]
        sums = [0.0] * len(_SUMS)
        done = 0
        for place, time in enumerate(self.times):
            until = bisect_right(minutes, time)
            for row in rows[done:until]:
                sums = [total + float(value or 0) for total, value in zip(sums, row[1:], strict=True)]
            done = until
            for name, total in zip(_SUMS, sums, strict=True):
                found[name][place] = total
        return found

    def spend(self, project: str, sums: str = "cost") -> list[float]:
        """Return the running spend of a project, of all for ""; `sums` names another total."""
        members = [totals[sums] for series, totals in self.totals.items() if project in {"", series.project}]
        return [sum(values) for values in zip(*members, strict=True)]


def scrapes(days: int = 34, scale: int = 1) -> list[int]:
    """Return when Prometheus scraped, Unix seconds: more often of late. `scale` thins them out."""
    parts = ((days, 7, 900), (7, 1, 300), (1, 0, 60))
    found = [
        time
        for begin, end, step_s in parts
        for time in range(END_S - begin * _DAY_S, END_S - end * _DAY_S, step_s * scale)
    ]
    return [*found, END_S]


def open_metrics(growth: Growth) -> Iterator[str]:
    """Write the history as lines of the OpenMetrics text format."""
    for name, kind, samples in (*_spend(growth), *_budgets(growth), *_exporter(growth), *_alerts(growth)):
        family = name.removesuffix("_total") if kind == "counter" else name
        yield f"# TYPE {family} {kind}\n"
        for suffix, labels, values, times in samples:
            inside = ",".join(f'{key}="{value}"' for key, value in labels.items() if value or key in {"org", "model"})
            head = f"{name}{suffix}{{{inside}}}"
            for time, value in zip(times, values, strict=True):
                if not math.isnan(value):
                    yield f"{head} {value:.12g} {time}\n"
    yield "# EOF\n"


Sample = tuple[str, Labels, Iterable[float], Sequence[int]]
Family = tuple[str, str, list[Sample]]


def _spend(growth: Growth) -> Iterator[Family]:
    spenders: dict[tuple[str, ...], list[dict[str, array[float]]]] = defaultdict(list)
    for series, totals in growth.totals.items():
        spenders[series[:-1]].append(totals)
    labels = {spender: dict(zip(Series._fields, spender, strict=False)) for spender in spenders}

    def added(name: str, spender: tuple[str, ...]) -> list[float]:
        return [sum(values) for values in zip(*(totals[name] for totals in spenders[spender]), strict=True)]

    times = growth.times
    priced = [spender for spender in spenders if spender[4]]
    yield "llm_cost_usd_total", "counter", [("", labels[each], added("cost", each), times) for each in priced]
    yield (
        "llm_unpriced_requests_total",
        "counter",
        [("", labels[each], added("unpriced", each), times) for each in spenders],
    )
    yield (
        "llm_tokens_total",
        "counter",
        [("", labels[each] | {"token_type": kind}, added(kind, each), times) for each in spenders for kind in _TOKENS],
    )
    by_series = [(dict(series._asdict()), totals) for series, totals in growth.totals.items()]
    yield "llm_requests_total", "counter", [("", names, totals["requests"], times) for names, totals in by_series]
    late = bisect_right(times, END_S - 8 * _DAY_S)
    yield (
        "llm_request_duration_seconds",
        "histogram",
        [each for one in by_series for each in _buckets(*one, times, late)],
    )


def _buckets(labels: Labels, totals: dict[str, "array[float]"], times: Sequence[int], late: int) -> Iterator[Sample]:
    for bound in LATENCY_BOUNDS_S:
        yield "_bucket", labels | {"le": str(bound)}, totals[f"under_{bound:g}"][late:], times[late:]
    yield "_bucket", labels | {"le": "+Inf"}, totals["requests"][late:], times[late:]
    yield "_sum", labels, totals["seconds"][late:], times[late:]
    yield "_count", labels, totals["requests"][late:], times[late:]


def _period(name: str, time: int) -> tuple[int, int]:
    """Return when the period around a time begins and ends, Unix seconds, in UTC."""
    moment = END + timedelta(seconds=time - END_S)
    day = moment.replace(hour=0, minute=0)
    if name == "day":
        return int(day.timestamp()), int((day + timedelta(days=1)).timestamp())
    if name == "week":
        monday = day - timedelta(days=day.weekday())
        return int(monday.timestamp()), int((monday + timedelta(days=7)).timestamp())
    first = day.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return int(first.timestamp()), int(following.timestamp())


def _since(totals: Sequence[float], periods: Sequence[tuple[int, int]], times: Sequence[int]) -> list[float]:
    """Return how much a running total has grown since the period began."""
    began = (totals[max(bisect_right(times, begin) - 1, 0)] for begin, _ in periods)
    return [total - before for total, before in zip(totals, began, strict=True)]


def _budgets(growth: Growth) -> Iterator[Family]:
    rows: dict[str, list[Sample]] = defaultdict(list)
    times = growth.times
    for budget in BUDGETS:
        labels = {"budget": budget.name, "org": "example", "project": budget.project, "period": budget.period}
        whole = growth.spend(budget.project)
        periods = [_period(budget.period, time) for time in times]
        spent, unpriced = (_since(total, periods, times) for total in (whole, growth.spend(budget.project, "unpriced")))
        week = [max(bisect_right(times, time - 7 * _DAY_S) - 1, 0) for time in times]
        pace = [
            (whole[place] - whole[back]) / max(times[place] - times[back], _DAY_S) for place, back in enumerate(week)
        ]
        forecast = [
            now + each * (end - time) for now, each, (_, end), time in zip(spent, pace, periods, times, strict=True)
        ]
        for name, values in (
            ("limit_usd", [budget.limit_usd * growth.share] * len(times)),
            ("spent_usd", spent),
            ("forecast_usd", forecast),
            ("period_start_timestamp_seconds", [float(begin) for begin, _ in periods]),
            ("period_end_timestamp_seconds", [float(end) for _, end in periods]),
            ("unpriced_requests", unpriced),
            ("unattributed_requests", [0.0] * len(times)),
        ):
            rows[f"llm_budget_{name}"].append(("", labels, values, times))
        rows["llm_budget_cost_usd_total"].append(("", labels, whole, times))
        for threshold in ("50", "80", "100"):
            ratio = [int(threshold) / 100] * len(times)
            rows["llm_budget_threshold_ratio"].append(("", labels | {"threshold": threshold}, ratio, times))
    for name, samples in rows.items():
        yield name, "counter" if name.endswith("_total") else "gauge", samples


def _exporter(growth: Growth) -> Iterator[Family]:
    """Tell of the exporter itself, for the last two days."""
    first = bisect_right(growth.times, END_S - 2 * _DAY_S)
    times = growth.times[first:]
    calls = [sum(values) for values in zip(*(each["requests"] for each in growth.totals.values()), strict=True)][first:]
    requests = [count / 12 for count in calls]
    wave = [1 + 0.5 * math.sin(time / 700) for time in times]

    def flat(value: float) -> list[float]:
        return [value] * len(times)

    def one(name: str, values: Iterable[float], **labels: str) -> Family:
        kind = "counter" if name.endswith("_total") else "gauge"
        return f"llmlab_exporter_{name}", kind, [("", labels, values, times)]

    def several(name: str, key: str, by_value: dict[str, Iterable[float]]) -> Family:
        samples: list[Sample] = [("", {key: value}, values, times) for value, values in by_value.items()]
        return f"llmlab_exporter_{name}", "counter", samples

    blip = [
        sum(1 for time in times[: place + 1] if END_S - 9_000 < time < END_S - 8_400) for place in range(len(times))
    ]
    spans = {"accepted": calls, "ignored": [0.4 * count for count in calls], "redelivered": [2.0 * b for b in blip]}
    yield several("spans_total", "result", {**spans, "rejected": flat(0)})
    yield several("refused_requests_total", "reason", {"busy": [3.0 * b for b in blip], "ledger": flat(0)})
    yield several("rejected_spans_total", "reason", {"bad_id": flat(0)})
    yield several("duplicates_total", "reason", {"same_work_below": [0.035 * count for count in calls]})
    yield one("stored_rows_total", calls)
    yield one("store_failures_total", [float(b // 3) for b in blip])
    yield one(
        "pending_rows", [20 * w + 400 * (END_S - 9_000 < t < END_S - 8_000) for w, t in zip(wave, times, strict=True)]
    )
    yield one("dead_letters", flat(0))
    yield one("ledger_bytes", [2.6e9 + 40_000.0 * count for count in calls])
    yield one("store_bytes", [8e9 + 20_000.0 * count for count in calls])
    yield one("free_bytes", [6.1e10 - 60_000.0 * count for count in calls])
    yield one("min_free_bytes", flat(268_435_456))
    yield one("held_back_usd", flat(0.12))
    yield one("overflowed_requests_total", flat(0))
    yield one("sampled_spans_total", flat(0), service_name="search-api")
    yield one("catalogue_timestamp_seconds", flat(END_S - 9.4 * _DAY_S))
    yield _histogram(
        "lag_seconds", {}, {"1.0": 0.2, "2.5": 0.75, "5.0": 0.93, "10.0": 0.99, "30.0": 1}, requests, times
    )
    yield _histogram(
        "ack_seconds", {"transport": "grpc"}, {"0.005": 0.5, "0.01": 0.9, "0.02": 0.98, "0.05": 1}, requests, times
    )
    collector = {"exporter": "otlp_http/llmlab"}
    for name, kind, values in (
        ("otelcol_exporter_queue_size", "gauge", [900 * w for w in wave]),
        ("otelcol_exporter_queue_capacity", "gauge", flat(100_000)),
        ("otelcol_exporter_sent_spans_total", "counter", calls),
        ("otelcol_exporter_enqueue_failed_spans_total", "counter", flat(0)),
    ):
        yield name, kind, [("", collector, values, times)]


def _histogram(
    name: str, labels: Labels, shares: dict[str, float], requests: list[float], times: Sequence[int]
) -> Family:
    samples: list[Sample] = [
        ("_bucket", labels | {"le": bound}, _part(share, requests, times), times) for bound, share in shares.items()
    ]
    samples.append(("_bucket", labels | {"le": "+Inf"}, requests, times))
    samples += [("_sum", labels, requests, times), ("_count", labels, requests, times)]
    return f"llmlab_exporter_{name}", "histogram", samples


def _part(share: float, requests: list[float], times: Sequence[int]) -> Iterator[float]:
    """Count about a share of the requests, now more and now less."""
    total = requests[0] * share
    yield total
    for place in range(1, len(times)):
        swing = 1 if share == 1 else 0.95 + 0.05 * math.sin(times[place] / 2_500)
        total += (requests[place] - requests[place - 1]) * share * swing
        yield total


def _alerts(growth: Growth) -> Iterator[Family]:
    """Tell which alerts fired when, by the thresholds that the rules have."""
    times = growth.times
    samples: list[Sample] = []

    def fires(labels: Labels, when: list[bool]) -> None:
        values = [1.0 if each else math.nan for each in when]
        samples.append(("", {"alertname": "", "alertstate": "firing"} | labels, values, times))

    for budget in BUDGETS:
        periods = [_period(budget.period, time) for time in times]
        limit_usd = budget.limit_usd * growth.share
        used = [spent / limit_usd for spent in _since(growth.spend(budget.project), periods, times)]
        labels = {"alertname": "LLMBudgetThreshold", "budget": budget.name, "project": budget.project}
        for threshold, severity in (("50", "info"), ("80", "warning"), ("100", "critical")):
            reached = [each >= int(threshold) / 100 for each in used]
            fires(labels | {"threshold": threshold, "severity": severity}, reached)
    spike = [SPIKE.timestamp() + 1_800 <= time < SPIKE.timestamp() + 3_600 * SPIKE_HOURS for time in times]
    fires({"alertname": "LLMSpendSpike", "severity": "warning", "project": "support"}, spike)
    unpriced = [time > END_S - 9 * _DAY_S for time in times]
    fires(
        {"alertname": "LLMUnpricedCalls", "severity": "warning", "project": "research", "model": "house-tuned-7b"},
        unpriced,
    )
    yield "ALERTS", "gauge", samples
