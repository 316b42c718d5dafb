import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from calls import START_NS, call
from llmlab.money import usd, yocto
from llmlab.pricing.pricer import Pricer
from llmlab.usage import Usage
from llmlab_exporter.assess import Line, assess
from llmlab_exporter.batch import batch
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.ledger.summary import Summary, total
from llmlab_exporter.ledger.writer import Writer
from llmlab_exporter.rates import parts
from llmlab_exporter.reading.sampling import threshold_of
from llmlab_exporter.reprice.job import Busy, Job, Repricer
from llmlab_exporter.reprice.request import Request
from llmlab_exporter.store import changes
from llmlab_exporter.store.flusher import Flusher
from llmlab_exporter.store.store import Store, open_embedded
from llmlab_exporter.tally import Tally
from llmlab_exporter.window import Window

DAY_NS = 86_400 * 10**9
FIRST = date(2026, 9, 21)
"""The day of the first call."""
PRICER = Pricer()


class Exporter:
    """Ledger and store as they run together, without the receivers."""

    def __init__(self, data: Path) -> None:
        self.ledger = data / "ledger.sqlite"
        self.window = Window(PRICER)
        self.writer = Writer(Book(self.ledger), self.window)
        self.writer.start()
        self.engine = open_embedded(data / "engine")
        self.flusher = Flusher(self.writer, lambda: self.engine, interval_s=0.02)
        self.flusher.start()
        self.repricer = Repricer(self.writer, lambda: self.flusher.store, PRICER, self.window, chunk_rows=7)

    @property
    def store(self) -> Store:
        return self.engine

    def add(self, lines: list[Line]) -> None:
        self.writer.commit(batch(lines)).result(10)

    def reprice(self, **changes: object) -> Job:
        request = Request(first=FIRST, last=FIRST + timedelta(days=3), **changes)  # pyright: ignore[reportArgumentType]
        return ended(self.repricer.start(request))

    def spend(self) -> tuple[int | None, int, int]:
        """What the ledger says: the sum, priced and unpriced calls."""
        spend = total(Summary(self.ledger).all_time())
        return spend.cost_yocto, spend.priced, spend.unpriced

    def stored(self) -> tuple[Decimal | None, int, int]:
        """What the store says."""
        ((cost, priced, unpriced),) = self.store.query(
            "SELECT sum(cost_usd), count(cost_usd), countIf(cost_usd IS NULL) FROM {calls} WHERE billable"
        )
        return cost, priced, unpriced

    def close(self) -> None:
        self.repricer.stop()
        self.flusher.stop(20)
        self.writer.stop()


def ended(job: Job) -> Job:
    deadline = time.monotonic() + 60
    while not job.ended:
        assert time.monotonic() < deadline, job.error
        time.sleep(0.01)
    return job


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Exporter]:
    opened = Exporter(tmp_path)
    yield opened
    opened.close()


def mispriced(count: int, **reading: object) -> list[Line]:
    """Make calls over three days that were unpriced when they arrived, or had another price."""
    lines: list[Line] = []
    for number in range(count):
        start_ns = START_NS + number % 3 * DAY_NS
        (line,) = assess([call(number + 1, start_ns=start_ns, **reading)], PRICER)  # pyright: ignore[reportArgumentType]
        if number % 2:
            unknown = line.priced._replace(cost_yocto=None, source="none", reason="unknown_model", rate=None)
            lines.append(line._replace(priced=unknown, computed=unknown))
        else:
            assert line.priced.cost_yocto is not None
            other = line.priced._replace(cost_yocto=line.priced.cost_yocto * 3, rate_start="2020-01-01")
            lines.append(line._replace(priced=other, computed=other))
    return lines


def right_price() -> int:
    (line,) = assess([call()], PRICER)
    assert line.priced.cost_yocto is not None
    return line.priced.cost_yocto


def test_sampled_calls_keep_their_rate_at_their_new_price(exporter: Exporter) -> None:
    threshold = threshold_of("ot=th:c")
    lines = [line._replace(call=line.call._replace(sampling_threshold=threshold)) for line in mispriced(10)]
    exporter.add(lines)
    assert total(Summary(exporter.ledger).all_time()).sampled == {threshold: (10, 5 * 3 * right_price())}
    exporter.reprice()
    assert total(Summary(exporter.ledger).all_time()).sampled == {threshold: (10, 10 * right_price())}


def test_features_are_summed_up_at_their_new_price(exporter: Exporter) -> None:
    exporter.add(mispriced(10, feature="search"))
    assert by_feature(exporter.ledger) == {"search": (10, 5, 5 * 3 * right_price())}
    exporter.reprice()
    assert by_feature(exporter.ledger) == {"search": (10, 0, 10 * right_price())}


def by_feature(ledger: Path) -> dict[str, tuple[int, int, int]]:
    """Return calls, unpriced ones and cost by feature."""
    question = "SELECT name, requests, unpriced, cost_yocto FROM feature_spend JOIN features ON features.id = feature"
    sums: dict[str, Tally] = {}
    with closing(sqlite3.connect(ledger)) as db:
        for name, requests, unpriced, cost in db.execute(question):
            part = Tally(requests=requests, unpriced=unpriced, cost_yocto=int(cost))
            sums.setdefault(name, Tally()).add(part)
    return {name: (tally.requests, tally.unpriced, tally.cost_yocto) for name, tally in sums.items()}


def test_history_is_priced_again_in_the_store_and_in_the_ledger(exporter: Exporter) -> None:
    exporter.add(mispriced(40))
    before = exporter.spend()
    assert before == (20 * 3 * right_price(), 20, 20)
    job = exporter.reprice()
    sums = job.report.total()
    assert (sums.calls, sums.changed, sums.newly_priced) == (40, 40, 20)
    assert (sums.old_yocto, sums.new_yocto) == (before[0], 40 * right_price())
    assert exporter.spend() == (40 * right_price(), 40, 0)
    assert exporter.stored() == (usd(40 * right_price()), 40, 0)
    assert exporter.store.query("SELECT count() FROM {database}.llm_call_stage") == [(0,)]


def test_a_dry_run_says_the_same_and_changes_nothing(exporter: Exporter) -> None:
    exporter.add(mispriced(10))
    before = exporter.spend()
    dry = exporter.reprice(dry_run=True)
    assert exporter.spend() == before
    assert exporter.stored()[1:] == (5, 5)
    assert exporter.store.query("SELECT count() FROM {database}.llm_calls WHERE version > 1") == [(0,)]
    assert exporter.reprice().report.dump() == dry.report.dump()


def test_pricing_again_twice_changes_nothing_the_second_time(exporter: Exporter) -> None:
    exporter.add(mispriced(10))
    exporter.reprice()
    once = exporter.spend()
    assert exporter.reprice().report.total().changed == 0
    assert exporter.spend() == once
    assert exporter.store.query("SELECT max(version) FROM {database}.llm_calls") == [(2,)]


def test_old_values_are_kept_with_the_change_that_replaced_them(exporter: Exporter) -> None:
    exporter.add(mispriced(4))
    job = exporter.reprice()
    kept = exporter.store.query(
        "SELECT cost_usd, cost_reason, rate_start, version, replaced_by, reason FROM {database}.llm_call_versions"
        " ORDER BY trace_id"
    )
    by_this_change = (1, job.job_id, "reprice")
    assert (
        kept
        == [
            (usd(3 * right_price()), "", "2020-01-01", *by_this_change),
            (None, "unknown_model", "", *by_this_change),
        ]
        * 2
    )
    assert exporter.store.query("SELECT DISTINCT change_id, version FROM {calls}") == [(job.job_id, 2)]


def test_what_was_received_is_the_same_in_the_new_version(exporter: Exporter) -> None:
    columns = "trace_id, span_id, started_at, ended_at, response_id, tier, input_tokens, cache_read, batch_id, flaws"
    exporter.add(mispriced(3))
    exporter.flusher.stop(20)
    first = open_again(exporter).query(f"SELECT {columns} FROM {{calls}} ORDER BY trace_id")
    exporter.reprice()
    assert exporter.store.query(f"SELECT {columns} FROM {{calls}} ORDER BY trace_id") == first


def open_again(exporter: Exporter) -> Store:
    path = exporter.ledger.parent / "engine"
    exporter.engine = open_embedded(path)
    exporter.flusher = Flusher(exporter.writer, lambda: exporter.engine, interval_s=0.02)
    exporter.flusher.start()
    return exporter.engine


def test_the_cost_of_a_new_version_is_the_sum_of_its_parts(exporter: Exporter) -> None:
    exporter.add(mispriced(2))
    exporter.reprice()
    usage = call().reading.usage
    for cost, rate in exporter.store.query("SELECT cost_usd, rate FROM {calls}"):
        assert usd(sum(part.cost_yocto for part in parts(rate, usage))) == cost


SAID = Decimal("0.5")


def said_by_the_provider(number: int, **computed: object) -> Line:
    """Make a call whose cost the provider returned, with something else computed beside it than today's prices say."""
    (line,) = assess([call(number, provider_cost=SAID)], PRICER)
    return line._replace(computed=line.computed._replace(**computed))  # pyright: ignore[reportArgumentType]


OUTDATED: tuple[dict[str, object], ...] = (
    {"cost_yocto": 3 * right_price(), "rate_start": "2020-01-01"},
    {"cost_yocto": 3 * right_price()},
    {"cost_yocto": None, "source": "none", "reason": "unknown_model", "rate": None},
)


def test_what_the_provider_said_stays(exporter: Exporter) -> None:
    exporter.add([said_by_the_provider(1), *(said_by_the_provider(n, **old) for n, old in enumerate(OUTDATED, 2))])
    before = exporter.spend()
    sums = exporter.reprice().report.total()
    assert (sums.calls, sums.changed, sums.recomputed, sums.newly_priced) == (4, 3, 3, 0)
    assert sums.old_yocto == sums.new_yocto == before[0] == yocto(4 * SAID)
    assert exporter.spend() == before
    assert exporter.stored() == (4 * SAID, 4, 0)
    assert exporter.store.query("SELECT DISTINCT cost_source, cost_reason FROM {calls}") == [("provider", "")]


def test_what_is_computed_beside_the_provider_s_word_follows_the_prices(exporter: Exporter) -> None:
    exporter.add([said_by_the_provider(n, **old) for n, old in enumerate(OUTDATED)])
    exporter.reprice()
    usage = call().reading.usage
    found = exporter.store.query("SELECT computed_cost_usd, rate, price_model, rate_start, version FROM {calls}")
    for computed, rate, price_model, rate_start, version in found:
        assert computed == usd(right_price()) == usd(sum(part.cost_yocto for part in parts(rate, usage)))
        assert (price_model, rate_start, version) == ("gpt-5-mini", "", 2)
    kept = exporter.store.query("SELECT computed_cost_usd FROM {database}.llm_call_versions ORDER BY trace_id")
    assert kept == [(usd(3 * right_price()),), (usd(3 * right_price()),), (None,)]
    assert exporter.reprice().report.total().changed == 0


@pytest.mark.parametrize(
    ("wanted", "calls"), [({"model": "gpt-5-mini"}, 6), ({"model": "x"}, 0), ({"provider": "openai"}, 6)]
)
def test_only_what_was_asked_for_is_priced_again(exporter: Exporter, wanted: dict[str, str], calls: int) -> None:
    exporter.add(mispriced(6))
    assert exporter.reprice(**wanted).report.total().calls == calls


def test_only_days_that_were_asked_for_are_priced_again(exporter: Exporter) -> None:
    exporter.add(mispriced(6))
    job = ended(exporter.repricer.start(Request(first=FIRST + timedelta(days=1), last=FIRST + timedelta(days=1))))
    assert job.report.total().calls == 2


def test_calls_of_another_exporter_in_the_same_store_are_left_to_it(exporter: Exporter) -> None:
    exporter.add(mispriced(2))
    exporter.reprice()
    exporter.store.command(
        "ALTER TABLE {database}.llm_calls UPDATE batch_id = 'other-1' WHERE 1 SETTINGS mutations_sync = 1"
    )
    assert exporter.reprice().report.total().calls == 0


def test_one_job_at_a_time(exporter: Exporter) -> None:
    exporter.add(mispriced(40))
    job = exporter.repricer.start(Request(first=FIRST, last=FIRST))
    with pytest.raises(Busy, match=job.job_id):
        exporter.repricer.start(Request(first=FIRST, last=FIRST))
    ended(job)


def test_a_chunk_that_was_recorded_before_a_crash_is_applied_after_it(exporter: Exporter) -> None:
    exporter.add(mispriced(40))
    applied = changes.apply
    crash(exporter)
    assert exporter.spend() != (40 * right_price(), 40, 0)
    changes.apply = applied
    exporter.repricer = Repricer(exporter.writer, lambda: exporter.flusher.store, PRICER, exporter.window, chunk_rows=7)
    exporter.repricer.resume()
    (job,) = exporter.repricer.latest()
    ended(job)
    assert job.report.total().changed == 40
    assert exporter.spend() == (40 * right_price(), 40, 0)
    assert exporter.stored() == (usd(40 * right_price()), 40, 0)
    assert exporter.store.query("SELECT max(version) FROM {database}.llm_calls") == [(2,)]


def crash(exporter: Exporter) -> None:
    """Stop a repricing between the record of its third chunk and the store."""
    apply = changes.apply
    applied = 0

    def failing(store: Store, change: changes.Change) -> None:
        nonlocal applied
        applied += 1
        if applied > 2:
            raise ConnectionError("killed")
        apply(store, change)

    changes.apply = failing
    exporter.repricer.start(Request(first=FIRST, last=FIRST + timedelta(days=3)))
    deadline = time.monotonic() + 20
    while applied < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    exporter.repricer.stop()


def test_applying_a_change_twice_changes_nothing(exporter: Exporter) -> None:
    exporter.add(mispriced(6))
    job = exporter.reprice()
    before = exporter.store.query("SELECT * FROM {calls} ORDER BY trace_id")
    changes.apply(exporter.store, changes.Change(job.job_id, "reprice"))
    assert exporter.store.query("SELECT * FROM {calls} ORDER BY trace_id") == before


def test_a_cancelled_job_keeps_what_it_has_done_and_the_next_one_goes_on(exporter: Exporter) -> None:
    exporter.add(mispriced(40))
    job = exporter.repricer.start(Request(first=FIRST, last=FIRST + timedelta(days=3)))
    job.cancelled.set()
    ended(job)
    assert job.state == "cancelled"
    exporter.reprice()
    assert exporter.spend() == (40 * right_price(), 40, 0)
    assert exporter.stored() == (usd(40 * right_price()), 40, 0)


def twice(number: int) -> tuple[Line, Line]:
    """Make the two records of a call: of a framework, and of the SDK below it, which knows more."""
    inner = call(number)
    usage = Usage(inner.reading.usage.input, inner.reading.usage.output)
    outer = inner._replace(
        span_id=(99).to_bytes(8, "big"), scope="framework", reading=inner.reading._replace(usage=usage)
    )
    (wrong,) = assess([outer], PRICER)
    mistaken = wrong.priced._replace(cost_yocto=7)
    (right,) = assess([inner], PRICER)
    return wrong._replace(priced=mistaken, computed=mistaken), right


def test_what_a_new_price_changed_can_be_taken_back_when_the_call_comes_again(exporter: Exporter) -> None:
    outer, inner = twice(1)
    exporter.add([outer])
    assert exporter.reprice().report.total().changed == 1
    exporter.add([inner])
    assert exporter.spend() == (inner.priced.cost_yocto, 1, 0)
    deadline = time.monotonic() + 30
    while exporter.writer.run(lambda book: book.outbox.oldest()) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert exporter.stored() == (usd(inner.priced.cost_yocto or 0), 1, 0)
    assert exporter.store.query("SELECT max(version) FROM {database}.current_calls WHERE NOT billable") == [(3,)]
