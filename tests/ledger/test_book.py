import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.entries import BUCKET, SERIES, entry, key
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.ledger.schema import SUMS, LedgerTooNew
from llmlab_exporter.ledger.seen import NUMBERS, Seen
from llmlab_exporter.tally import Sampled, Series, Tally


def open_book(tmp_path: Path) -> Book:
    return Book(tmp_path / "ledger.sqlite")


def test_a_commit_counts_each_span_once(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    assert book.commit([entry(key(1), key(2), cost_yocto=7)])
    assert not book.commit([entry(key(3), key(2), cost_yocto=7)])
    assert book.totals.by_series[SERIES].requests == 2
    assert book.totals.by_series[SERIES].cost_yocto == 14
    assert book.outbox.rows == 2
    book.close()


def test_a_repeated_key_inside_one_commit_is_noticed(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    assert not book.commit([entry(key(1)), entry(key(1))])
    assert book.totals.by_series == {}
    book.close()


def test_more_keys_than_one_statement_takes_apart_are_all_remembered(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    many = [key(number) for number in range(NUMBERS + 10)]
    assert book.commit([entry(*many)])
    assert not book.commit([entry(key(NUMBERS + 5))])
    assert book.seen.known([key(0), key(NUMBERS + 9), key(NUMBERS + 10)]) == {key(0), key(NUMBERS + 9)}
    book.close()


def test_a_known_key_in_the_last_slice_leaves_nothing_behind(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    book.commit([entry(key(NUMBERS))])
    assert not book.commit([entry(*(key(number) for number in range(NUMBERS + 1)))])
    assert book.seen.known([key(0)]) == set()
    book.close()


def test_what_was_committed_is_there_after_reopening(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    book.commit([entry(key(1), cost_yocto=10**30)], redelivered=3)
    ledger_id = book.outbox.cut(10)
    book.close()
    again = open_book(tmp_path)
    assert again.totals.by_series[SERIES].cost_yocto == 10**30
    assert again.redelivered == 3
    assert again.outbox.rows == 1
    assert ledger_id is not None
    assert again.outbox.unfinished() == [ledger_id.batch_id]
    assert not again.commit([entry(key(1))])
    again.close()


def test_sums_beyond_64_bits_stay_exact(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    for number in range(5):
        book.commit([entry(key(number), cost_yocto=2**90 + 1)])
    assert book.totals.by_series[SERIES].cost_yocto == 5 * (2**90 + 1)
    book.close()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=8, unique=True), max_size=12))
def test_totals_always_equal_the_distinct_spans(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[int]]
) -> None:
    book = open_book(tmp_path_factory.mktemp("book"))
    committed: set[int] = set()
    for group in groups:
        fresh = book.commit([entry(*(key(number) for number in group), cost_yocto=5)])
        assert fresh == committed.isdisjoint(group)
        committed.update(group if fresh else [])
    requests = sum(tally.requests for tally in book.totals.by_series.values())
    assert requests == len(committed) == book.outbox.rows
    book.close()


def test_keys_of_earlier_days_count_and_outdated_ones_are_dropped(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    db = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    day = 20_000
    seen = Seen(db, today=lambda: day)
    assert seen.add(key(1))
    day += 3
    assert not seen.add(key(1))
    assert seen.known([key(1), key(2)]) == {key(1)}
    day += 1
    assert seen.add(key(1))
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name GLOB 'seen_2*'")}
    assert "seen_20004" in tables
    assert "seen_20000" not in tables
    db.close()
    book.close()


def test_keys_written_before_the_clock_was_set_back_still_count(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    db = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    day = 20_000
    seen = Seen(db, today=lambda: day)
    assert seen.add(key(1))
    day -= 2
    assert not seen.add(key(1))
    db.close()
    book.close()


def test_a_failed_commit_leaves_memory_as_the_disk(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    book.commit([entry(key(1), cost_yocto=1)])
    other = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    other.execute("CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(sqlite3.IntegrityError, match="disk full"):
        book.commit([entry(key(2), cost_yocto=1)])
    other.execute("DROP TRIGGER full")
    other.close()
    assert book.totals.by_series[SERIES].cost_yocto == 1
    assert book.commit([entry(key(2), cost_yocto=1)])
    assert book.totals.by_series[SERIES].cost_yocto == 2
    book.close()


def test_too_many_series_are_summed_up_under_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmlab_exporter.ledger.totals.MAX_SERIES", 2)
    book = open_book(tmp_path)
    for number in range(5):
        series = SERIES._replace(model=f"model-{number}")
        book.commit([entry(key(number), cost_yocto=1, series=series)])
    assert {series.model: tally.cost_yocto for series, tally in book.totals.by_series.items()} == {
        "model-0": 1,
        "model-1": 1,
        "other": 3,
    }
    assert book.totals.overflowed == 3
    book.close()
    again = open_book(tmp_path)
    assert again.totals.overflowed == 3
    again.close()


def test_a_flood_of_services_is_bounded_too_and_no_cost_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmlab_exporter.ledger.totals.MAX_SERIES", 2)
    monkeypatch.setattr("llmlab_exporter.ledger.totals.MAX_OTHER_SERIES", 3)
    book = open_book(tmp_path)
    for number in range(20):
        series = SERIES._replace(service_name=f"service-{number}", model=f"model-{number}")
        book.commit([entry(key(number), cost_yocto=1, series=series)])
    assert len(book.totals.by_series) == 2 + 3 + 1
    rest = SERIES._replace(**dict.fromkeys(set(Series._fields) - {"outcome"}, "other"))
    assert book.totals.by_series[rest].cost_yocto == 15
    assert book.totals.overflowed == 18
    book.close()


def test_a_commit_that_failed_overflows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmlab_exporter.ledger.totals.MAX_SERIES", 0)
    book = open_book(tmp_path)
    book.commit([entry(key(1))])
    assert not book.commit([entry(key(2)), entry(key(1))])
    assert book.totals.overflowed == 1
    book.close()


def test_a_ledger_of_a_later_version_is_refused(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "ledger.sqlite")
    db.execute("PRAGMA user_version = 999")
    db.close()
    with pytest.raises(LedgerTooNew, match="999"):
        open_book(tmp_path)


def test_the_tables_have_a_column_for_every_sum(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    db = sqlite3.connect(tmp_path / "ledger.sqlite")
    for table, others in (
        ("series", {"id", *Series._fields, "latency", "held_back", "created_at"}),
        ("spend", {"bucket", "series", "sampled"}),
    ):
        columns = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
        assert columns == others | set(SUMS) | {"cost_yocto"}
    db.close()
    book.close()


def test_an_outbox_parcel_survives_until_it_is_finished(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    for number in range(5):
        book.commit([entry(key(number))])
    first = book.outbox.cut(max_rows=2)
    second = book.outbox.cut(max_rows=100)
    assert first is not None
    assert second is not None
    assert (first.rows, second.rows) == (2, 3)
    assert book.outbox.cut(max_rows=100) is None
    assert book.outbox.unfinished() == [first.batch_id, second.batch_id]
    book.outbox.finish(first.batch_id)
    assert book.outbox.rows == 3
    assert book.outbox.unfinished() == [second.batch_id]
    book.close()


KILLED = """
import os, sys
from pathlib import Path
from ledger.entries import entry, key
from llmlab_exporter.ledger.book import Book

book = Book(Path(sys.argv[1]))
for number in range(100_000):
    book.commit([entry(key(number), cost_yocto=3)])
    os.write(1, b"%d\\n" % number)
"""


@pytest.mark.e2e
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    tests = str(Path(__file__).parent.parent)
    environment = os.environ | {"PYTHONPATH": tests}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(200)]
        process.kill()
        lines += process.stdout.readlines()
    acknowledged = len([line for line in lines if line.endswith("\n")])
    book = Book(path)
    tally = book.totals.by_series[SERIES]
    assert acknowledged <= tally.requests <= acknowledged + 1
    assert tally.cost_yocto == 3 * tally.requests
    assert book.outbox.rows == tally.requests
    book.close()
    db = sqlite3.connect(path)
    assert db.execute("SELECT sum(requests), bucket FROM spend").fetchone() == (tally.requests, BUCKET)
    db.close()


def test_a_tally_adds_like_its_calls() -> None:
    left, right = Tally(requests=1, cost_yocto=2, latency=[1] * 11), Tally(requests=3, cost_yocto=4, latency=[2] * 11)
    left.add(right)
    assert (left.requests, left.cost_yocto, left.latency) == (4, 6, [3] * 11)


def test_sampled_calls_that_are_taken_back_leave_nothing() -> None:
    left, right = Tally(), Tally()
    left.count_sampled(7, Sampled(2, 5))
    right.count_sampled(7, Sampled(-2, -5))
    left.add(right)
    assert left == Tally()
