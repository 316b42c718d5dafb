"""What Prometheus reads: spend and calls from the durable ledger, so that a restart neither loses nor doubles."""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, islice
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from llmlab.money import usd
from llmlab_exporter.disk import Disk
from llmlab_exporter.exemplars import Example, Exemplars
from llmlab_exporter.late import Late
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.ledger.totals import OTHER, summary_series
from llmlab_exporter.new_series import NewSeries, Spender
from llmlab_exporter.store.flusher import Flusher
from llmlab_exporter.tally import LATENCY_BOUNDS_S, Series, Tally
from llmlab_exporter.window import Window

_LABELS = ("org", "project", "service_name", "environment", "provider", "model", "operation")
_TOKEN_TYPES = ("input", "output", "cache_read", "cache_write", "reasoning")
"""`input` and `output` are totals; the others are parts of them, so do not add all five up."""


MAX_EXPOSED_SERIES = 5_000
"""Label sets of which each has a series of its own: 20 MB to scrape. Calls of later ones are summed up."""


class SpendCollector(Collector):
    """Spend, tokens, requests and latency of every series in the ledger."""

    def __init__(self, book: Book, exemplars: Exemplars, hold_s: float, now_s: Callable[[], float] = time.time) -> None:
        """`hold_s`: for how long new series are shown at 0 (`new_series.py`)."""
        self._book = book
        self._exemplars = exemplars
        self._new = NewSeries(hold_s, _priced(exposed(book.totals.by_series)[0]), now_s)

    def collect(self) -> Iterable[Metric]:
        """Yield the metric families."""
        by_series, summed_up = exposed(self._book.totals.by_series.copy())
        overflowed = self._book.totals.overflowed + summed_up
        yield CounterMetricFamily("llmlab_exporter_overflowed_requests", "Calls with labels `other`.", overflowed)
        examples = self._exemplars.by_series.copy()
        priced = _priced(by_series)
        held = self._new.held(self._book.totals.created_at.copy())
        shown = {series: Tally() if series in held else tally for series, tally in by_series.items()}
        by_spender = _merged(shown)
        yield _cost(by_spender, priced, self._new.held_costs(priced), examples)
        yield from _spend(by_spender)
        yield _requests(shown)
        yield _durations(shown, examples)


class PipelineCollector(Collector):
    """How far the store is behind the ledger."""

    def __init__(self, book: Book, flusher: Flusher, disk: Disk) -> None:
        self._book = book
        self._flusher = flusher
        self._disk = disk

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
        yield CounterMetricFamily(
            "llmlab_exporter_buried_rows", "Calls refused for good, or unreadable.", self._flusher.buried_rows
        )
        dead_letters = self._book.dead_letters.rows
        yield GaugeMetricFamily(
            "llmlab_exporter_dead_letters", "Calls kept aside: refused for good, or unreadable.", dead_letters
        )
        yield from self._disk_use()

    def _disk_use(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("llmlab_exporter_ledger_bytes", "Size of the ledger.", self._disk.ledger_bytes)
        yield GaugeMetricFamily("llmlab_exporter_free_bytes", "Free bytes on the ledger's disk.", self._disk.free_bytes)
        yield GaugeMetricFamily(
            "llmlab_exporter_min_free_bytes", "Free bytes below which spans are refused.", self._disk.min_free_bytes
        )
        if (store_bytes := self._flusher.store_bytes) is not None:
            yield GaugeMetricFamily("llmlab_exporter_store_bytes", "Size of the store's tables.", store_bytes)


class DuplicatesCollector(Collector):
    """Calls that were recorded more than once."""

    def __init__(self, book: Book, window: Window) -> None:
        self._book = book
        self._window = window

    def collect(self) -> Iterable[Metric]:
        """Yield the metric families."""
        decided = CounterMetricFamily(
            "llmlab_exporter_duplicates",
            "How often a span was found to repeat a call, by how; also where that was taken back.",
            labels=["reason"],
        )
        for reason, count in {"redelivered": self._book.redelivered, **self._book.duplicates.decided}.items():
            decided.add_metric([reason], count)
        yield decided
        repeating = GaugeMetricFamily(
            "llmlab_exporter_duplicate_calls", "Stored calls that repeat another one, by rule.", labels=["reason"]
        )
        for reason, count in self._book.duplicates.by_rule.items():
            repeating.add_metric([reason], count)
        yield repeating
        corrections = self._book.duplicates.corrections
        yield CounterMetricFamily("llmlab_exporter_corrections", "New versions of calls told of again.", corrections)
        yield GaugeMetricFamily("llmlab_exporter_window_calls", "Calls remembered for that.", len(self._window))
        yield CounterMetricFamily(
            "llmlab_exporter_window_forgotten_early",
            "Calls forgotten before their time for want of room.",
            self._window.forgotten_early,
        )
        yield CounterMetricFamily(
            "llmlab_exporter_window_cut_short",
            "Comparisons with more relatives than are looked at.",
            self._window.cut_short,
        )
        held_back = list(self._book.totals.held_back.copy().values())
        yield GaugeMetricFamily(
            "llmlab_exporter_held_back_usd",
            "What llm_cost_usd_total is ahead of the spend, since it must not fall.",
            float(usd(sum(tally.cost_yocto for tally in held_back))),
        )
        yield GaugeMetricFamily(
            "llmlab_exporter_held_back_requests",
            "What llm_requests_total is ahead of the calls.",
            sum(tally.requests for tally in held_back),
        )


class LateCollector(Collector):
    """Calls that came after the window had forgotten what else was told of them."""

    def __init__(self, late: Late) -> None:
        self._late = late

    def collect(self) -> Iterable[Metric]:
        """Yield the metric family."""
        calls = CounterMetricFamily(
            "llmlab_exporter_late_calls",
            "Calls that ended before the window began: compared with the store, or counted since it did not answer.",
            labels=["result"],
        )
        calls.add_metric(["checked"], self._late.checked)
        calls.add_metric(["unchecked"], self._late.unchecked)
        yield calls


def exposed(by_series: dict[Series, Tally]) -> tuple[dict[Series, Tally], int]:
    """Return what is exposed of the series, the oldest of them as they are, and how many calls were summed up."""
    kept = dict(islice(by_series.items(), MAX_EXPOSED_SERIES))
    summed_up = 0
    rest: dict[Series, Tally] = {}
    for series, tally in islice(by_series.items(), MAX_EXPOSED_SERIES, None):
        rest.setdefault(summary_series(series), Tally()).add(tally)
        summed_up += tally.requests if series.model != OTHER else 0  # the ledger has counted those itself
    for series, tally in rest.items():
        if series in kept:
            tally.add(kept[series])
    return kept | rest, summed_up


def _merged(by_series: dict[Series, Tally]) -> dict[Spender, Tally]:
    """Add series up over their outcome: a call costs what it costs, however it ended."""
    merged: dict[Spender, Tally] = {}
    for series, tally in by_series.items():
        merged.setdefault(series[:-1], Tally()).add(tally)
    return merged


def _priced(by_series: dict[Series, Tally]) -> set[Spender]:
    """Leave out those of which nobody knows what their calls cost: no series says 0 for them."""
    return {spender for spender, tally in _merged(by_series).items() if tally.priced or not tally.unpriced}


def _cost(
    by_spender: dict[Spender, Tally], priced: set[Spender], held: set[Spender], examples: dict[Series, Example]
) -> Metric:
    cost = CounterMetricFamily("llm_cost_usd", "Cost of calls whose price is known, in USD.", labels=_LABELS)
    example_of: dict[Spender, Example] = {series[:-1]: example for series, example in examples.items()}
    for spender, tally in by_spender.items():
        if spender in priced:
            example = example_of.get(spender)
            exemplar = example.of_cost() if example and tally.cost_yocto else None
            cost.add_metric(spender, 0.0 if spender in held else float(usd(tally.cost_yocto)), exemplar=exemplar)
    return cost


def _spend(by_spender: dict[Spender, Tally]) -> Iterable[Metric]:
    unpriced = CounterMetricFamily("llm_unpriced_requests", "Calls whose cost is unknown.", labels=_LABELS)
    tokens = CounterMetricFamily("llm_tokens", "Tokens as reported.", labels=(*_LABELS, "token_type"))
    for labels, tally in by_spender.items():
        unpriced.add_metric(labels, tally.unpriced)
        for kind in _TOKEN_TYPES:
            tokens.add_metric((*labels, kind), getattr(tally, kind))
    return unpriced, tokens


def _requests(by_series: dict[Series, Tally]) -> Metric:
    requests = CounterMetricFamily("llm_requests", "Calls, by how they ended.", labels=Series._fields)
    for series, tally in by_series.items():
        requests.add_metric(series, tally.requests)
    return requests


def _durations(by_series: dict[Series, Tally], examples: dict[Series, Example]) -> Metric:
    durations = HistogramMetricFamily("llm_request_duration_seconds", "Duration of calls.", labels=Series._fields)
    for series, tally in by_series.items():
        counts = tally.latency
        steps = zip((*map(str, LATENCY_BOUNDS_S), "+Inf"), accumulate(counts), strict=True)
        durations.add_metric(series, _with_exemplar(list(steps), examples.get(series)), tally.duration_ns / 1e9)
    return durations


def _with_exemplar(buckets: list[tuple[str, int]], example: Example | None) -> Sequence[Any]:
    if example is None or not buckets[-1][1]:
        return buckets
    place = bisect_left(LATENCY_BOUNDS_S, example.duration_s)
    return [*buckets[:place], (*buckets[place], example.of_duration()), *buckets[place + 1 :]]


def register(
    registry: CollectorRegistry,
    book: Book,
    flusher: Flusher,
    disk: Disk,
    window: Window,
    exemplars: Exemplars,
    *,
    hold_s: float,
) -> None:
    """Expose the ledger through a registry."""
    registry.register(SpendCollector(book, exemplars, hold_s))
    registry.register(PipelineCollector(book, flusher, disk))
    registry.register(DuplicatesCollector(book, window))
