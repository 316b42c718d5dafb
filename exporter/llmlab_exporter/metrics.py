"""What Prometheus reads: spend and calls from the durable ledger, so that a restart neither loses nor doubles."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from llmlab.money import usd
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.store.flusher import Flusher
from llmlab_exporter.tally import LATENCY_BOUNDS_S, Series, Tally

_LABELS = ("org", "project", "service_name", "environment", "provider", "model", "operation")
_TOKEN_TYPES = ("input", "output", "cache_read", "cache_write", "reasoning")
"""`input` and `output` are totals; the others are parts of them, so do not add all five up."""


class SpendCollector(Collector):
    """Spend, tokens, requests and latency of every series in the ledger."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def collect(self) -> Iterable[Metric]:
        """Yield the metric families."""
        by_series = self._book.totals.by_series.copy()
        yield from _spend(by_series)
        yield _requests(by_series)
        yield _durations(by_series)


class PipelineCollector(Collector):
    """How far the store is behind the ledger."""

    def __init__(self, book: Book, flusher: Flusher) -> None:
        self._book = book
        self._flusher = flusher

    def collect(self) -> Iterable[Metric]:
        """Yield the metric families."""
        yield GaugeMetricFamily(
            "llmlab_exporter_pending_rows", "Calls acknowledged and not yet in the store.", self._book.outbox.rows
        )
        yield CounterMetricFamily(
            "llmlab_exporter_stored_rows", "Calls put into the store by this process.", self._flusher.stored_rows
        )
        yield CounterMetricFamily(
            "llmlab_exporter_store_failures", "Inserts that failed and were tried again.", self._flusher.failures
        )


def _spend(by_series: dict[Series, Tally]) -> Iterable[Metric]:
    """Add series up over their outcome: a call costs what it costs, however it ended."""
    merged: dict[tuple[str, ...], Tally] = {}
    for series, tally in by_series.items():
        merged.setdefault(series[:-1], Tally()).add(tally)
    cost = CounterMetricFamily("llm_cost_usd", "Cost of calls whose price is known, in USD.", labels=_LABELS)
    unpriced = CounterMetricFamily("llm_unpriced_requests", "Calls whose cost is unknown.", labels=_LABELS)
    tokens = CounterMetricFamily("llm_tokens", "Tokens as reported.", labels=(*_LABELS, "token_type"))
    for labels, tally in merged.items():
        if tally.priced or not tally.unpriced:  # nobody knows what only unpriced calls cost: no series says 0
            cost.add_metric(labels, float(usd(tally.cost_yocto)))
        unpriced.add_metric(labels, tally.unpriced)
        for kind in _TOKEN_TYPES:
            tokens.add_metric((*labels, kind), getattr(tally, kind))
    return cost, unpriced, tokens


def _requests(by_series: dict[Series, Tally]) -> Metric:
    requests = CounterMetricFamily("llm_requests", "Calls, by how they ended.", labels=Series._fields)
    for series, tally in by_series.items():
        requests.add_metric(series, tally.requests)
    return requests


def _durations(by_series: dict[Series, Tally]) -> Metric:
    durations = HistogramMetricFamily("llm_request_duration_seconds", "Duration of calls.", labels=Series._fields)
    for series, tally in by_series.items():
        counts = tally.latency
        steps = [(str(bound), sum(counts[: place + 1])) for place, bound in enumerate(LATENCY_BOUNDS_S)]
        durations.add_metric(series, [*steps, ("+Inf", sum(counts))], tally.duration_ns / 1e9)
    return durations


def register(registry: CollectorRegistry, book: Book, flusher: Flusher) -> None:
    """Expose the ledger through a registry."""
    registry.register(SpendCollector(book))
    registry.register(PipelineCollector(book, flusher))
