"""New series are shown at 0 first, so that `increase()` misses nothing; exemplars lead from a counter to a trace."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics import exposition
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from calls import call
from ledger.entries import SERIES
from llmlab.pricing import Priced
from llmlab_exporter.assess import Line
from llmlab_exporter.exemplars import MAX_SERIES, Exemplars
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.metrics import SpendCollector
from llmlab_exporter.new_series import NewSeries
from llmlab_exporter.tally import BUCKET_S, Tally, series_of

DOLLAR = 10**24


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_series_is_held_for_its_first_minute() -> None:
    clock = Clock()
    new = NewSeries(60, (), clock)
    assert new.held({SERIES: 1_000_000}) == {SERIES}
    clock.now_s += 59
    assert new.held({SERIES: 1_000_000}) == {SERIES}
    clock.now_s += 2
    assert new.held({SERIES: 1_000_000}) == set()


def test_a_cost_that_becomes_known_later_is_held_too() -> None:
    clock = Clock()
    new = NewSeries(60, [("old",)], clock)
    assert new.held_costs([("old",), ("new",)]) == {("new",)}
    clock.now_s += 61
    assert new.held_costs([("old",), ("new",)]) == set()


def test_nothing_is_held_when_the_user_wants_that() -> None:
    clock = Clock()
    new = NewSeries(0, (), clock)
    assert new.held({SERIES: int(clock.now_s)}) == set()
    assert new.held_costs([("new",)]) == set()


class Ledger:
    """A book on disk, what is exposed of it, and a clock."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        monkeypatch.setattr("llmlab_exporter.ledger.totals.time", SimpleNamespace(time=self.clock))
        self.path = path
        self.exemplars = Exemplars()
        self.open()

    def open(self) -> None:
        self.book = Book(self.path)
        self.registry = CollectorRegistry()
        self.registry.register(SpendCollector(self.book, self.exemplars, 60, self.clock))

    def reopen(self) -> None:
        self.book.close()
        self.open()

    def spend(self, dollars: int, unpriced: int = 0) -> None:
        """Count one call, or so many without a price."""
        tally = Tally(requests=unpriced or 1, priced=0 if unpriced else 1, unpriced=unpriced)
        tally.cost_yocto = dollars * DOLLAR
        tally.latency[0] = tally.requests
        changed = self.book.totals.write([{(BUCKET_S, SERIES): tally}], {})
        self.book.totals.keep(changed)

    def value(self, name: str, *, with_outcome: bool = False) -> float | None:
        labels = SERIES._asdict()
        if not with_outcome:
            del labels["outcome"]
        return self.registry.get_sample_value(name, labels)

    @property
    def cost(self) -> float | None:
        return self.value("llm_cost_usd_total")

    @property
    def requests(self) -> float | None:
        return self.value("llm_requests_total", with_outcome=True)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite", monkeypatch)


def test_a_new_series_begins_at_0_and_then_shows_everything(ledger: Ledger) -> None:
    ledger.spend(5)
    assert (ledger.cost, ledger.requests) == (0, 0)
    assert ledger.value("llm_request_duration_seconds_count", with_outcome=True) == 0
    ledger.spend(2)
    ledger.clock.now_s += 61
    assert (ledger.cost, ledger.requests) == (7, 2)


def test_a_known_series_never_falls_back_to_0_after_a_restart(ledger: Ledger) -> None:
    ledger.spend(5)
    ledger.clock.now_s += 61
    ledger.reopen()
    assert (ledger.cost, ledger.requests) == (5, 1)


def test_a_restart_does_not_cut_the_hold_short(ledger: Ledger) -> None:
    ledger.spend(5)
    ledger.clock.now_s += 10
    ledger.reopen()
    assert (ledger.cost, ledger.requests) == (0, 0)
    ledger.clock.now_s += 61
    assert (ledger.cost, ledger.requests) == (5, 1)


def test_a_series_without_a_price_has_no_cost_and_gets_one_at_0_first(ledger: Ledger) -> None:
    ledger.spend(0, unpriced=3)
    ledger.clock.now_s += 61
    assert ledger.cost is None
    assert ledger.value("llm_unpriced_requests_total") == 3
    ledger.spend(4)
    assert ledger.cost == 0
    assert ledger.requests == 4
    ledger.clock.now_s += 61
    assert ledger.cost == 4


def line(cost: int | None, trace: int) -> Line:
    one = call()._replace(trace_id=trace.to_bytes(16, "big"), start_ns=10**18, end_ns=10**18 + 700_000_000)
    priced = Priced(cost, "computed" if cost is not None else "none")
    return Line(one, priced, b"", priced)


def test_the_most_expensive_call_of_a_request_is_its_example() -> None:
    exemplars = Exemplars()
    exemplars.note([line(1, 1), line(3 * DOLLAR, 2), line(None, 3)])
    (example,) = exemplars.by_series.values()
    assert example.trace_id == f"{2:032x}"
    assert example.cost_usd == 3
    assert example.duration_s == pytest.approx(0.7)


def test_repetitions_are_no_examples() -> None:
    exemplars = Exemplars()
    exemplars.note([line(1, 1)._replace(duplicate_of=b"12345678")])
    assert exemplars.by_series == {}


def test_examples_are_bounded_and_the_latest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmlab_exporter.exemplars.MAX_SERIES", 2)
    exemplars = Exemplars()
    for number in range(4):
        one = line(1, number)
        exemplars.note([one._replace(call=one.call._replace(model=f"model-{number}"))])
    assert [series.model for series in exemplars.by_series] == ["model-2", "model-3"]
    assert MAX_SERIES > 1000


def test_openmetrics_names_the_trace_behind_a_counter_and_a_bucket(ledger: Ledger) -> None:
    one = line(3 * DOLLAR, 7)
    ledger.exemplars.note([one._replace(call=one.call._replace(model="another"))])
    assert "trace_id" not in exposition.generate_latest(ledger.registry).decode()
    ledger.spend(3)
    ledger.clock.now_s += 61
    (series,) = ledger.book.totals.by_series
    ledger.exemplars.by_series[series] = ledger.exemplars.by_series.pop(series_of(one.call)._replace(model="another"))
    text = exposition.generate_latest(ledger.registry).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    with_exemplar = {sample.name: sample for sample in samples if sample.exemplar}
    assert set(with_exemplar) == {"llm_cost_usd_total", "llm_request_duration_seconds_bucket"}
    cost, bucket = with_exemplar.values()
    assert cost.exemplar is not None
    assert cost.exemplar.labels["trace_id"] == f"{7:032x}"
    assert cost.exemplar.value == 3
    assert bucket.labels["le"] == "1.0"
