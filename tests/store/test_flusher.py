import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from calls import START_NS, line
from llmlab_exporter.batch import batch
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.ledger.writer import Writer
from llmlab_exporter.store.flusher import Flusher
from llmlab_exporter.store.store import Store, open_embedded

MONTH_NS = 31 * 86_400_000_000_000


class Flaky:
    """A store whose inserts fail a few times, before or after the rows arrived."""

    def __init__(self, store: Store, failures: int, *, after: bool) -> None:
        self._store = store
        self._failures = failures
        self._after = after
        self.migrate = store.migrate
        self.close = store.close
        self.complete = store.complete

    def insert(self, rows: pa.Table, batch_id: str) -> None:
        if self._after:
            self._store.insert(rows, batch_id)
        if self._failures:
            self._failures -= 1
            raise ConnectionError("the answer was lost")
        if not self._after:
            self._store.insert(rows, batch_id)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_embedded(tmp_path / "engine")
    yield opened
    opened.close()


def ledger(tmp_path: Path) -> Writer:
    writer = Writer(Book(tmp_path / "ledger.sqlite"))
    writer.start()
    return writer


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited 20 s in vain"
        time.sleep(0.02)


def count(store: Store) -> int:
    ((rows,),) = store.query("SELECT count() FROM {calls}")
    return rows


def flush(writer: Writer, connect: Callable[[], object]) -> Flusher:
    flusher = Flusher(writer, connect, interval_s=0.02)  # pyright: ignore[reportArgumentType] - Flaky acts as a Store
    flusher.start()
    until(lambda: writer.run(lambda book: book.outbox.rows) == 0)
    return flusher


@pytest.mark.parametrize("after", [False, True], ids=["before the rows arrived", "after the rows arrived"])
def test_an_insert_that_fails_neither_loses_nor_doubles_rows(tmp_path: Path, store: Store, after: bool) -> None:
    writer = ledger(tmp_path)
    rows = [line(number, start_ns=START_NS + number % 3 * MONTH_NS) for number in range(30)]
    writer.commit(batch(rows)).result(5)
    flusher = flush(writer, lambda: Flaky(store, failures=2, after=after))
    assert count(store) == 30
    assert flusher.failures >= 1
    assert flusher.error == ""
    flusher.stop(10)
    writer.stop()


def test_rows_wait_in_the_ledger_while_the_store_cannot_be_opened(tmp_path: Path, store: Store) -> None:
    writer = ledger(tmp_path)
    writer.commit(batch([line(1)])).result(5)
    attempts = 0

    def connect() -> Store:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise ConnectionError("not there yet")
        return store

    flusher = Flusher(writer, connect, interval_s=0.02)
    flusher.start()
    until(lambda: "not there" in flusher.error)
    until(lambda: writer.run(lambda book: book.outbox.rows) == 0)
    assert count(store) == 1
    flusher.stop(10)
    writer.stop()


def test_a_parcel_cut_before_a_crash_is_finished_after_it(tmp_path: Path, store: Store) -> None:
    store.migrate()
    book = Book(tmp_path / "ledger.sqlite")
    for number in (1, 2):
        book.commit([batch([line(number)]).entry])
    parcel = book.outbox.cut(max_rows=1)
    assert parcel is not None
    book.close()
    writer = ledger(tmp_path)
    flusher = flush(writer, lambda: store)
    assert store.query("SELECT batch_id FROM {calls} ORDER BY trace_id LIMIT 1") == [(parcel.batch_id,)]
    assert count(store) == 2
    flusher.stop(10)
    writer.stop()


def test_stopping_stores_what_is_pending(tmp_path: Path, store: Store) -> None:
    writer = ledger(tmp_path)
    for number in range(5):
        writer.commit(batch([line(number)])).result(5)
    flusher = Flusher(writer, lambda: store, interval_s=60)
    flusher.start()
    writer.commit(batch([line(9)])).result(5)
    flusher.stop(20)
    assert writer.run(lambda book: book.outbox.rows) == 0
    writer.stop()
