import json
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from calls import START_NS, line
from llmlab_exporter.assess import Line
from llmlab_exporter.batch import batch
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.ledger.parcels import FORMAT, pack, unpack
from llmlab_exporter.ledger.writer import Writer
from llmlab_exporter.store.dead_letter_file import DeadLetterFile
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
        self.stored = store.stored
        self.query = store.query

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


def one(store: Store, question: str) -> tuple[Any, ...]:
    [row] = store.query(question)
    return row


def flush(writer: Writer, connect: Callable[[], object], letters: DeadLetterFile | None = None) -> Flusher:
    flusher = Flusher(writer, connect, 0.02, letters)  # pyright: ignore[reportArgumentType] - Flaky acts as a Store
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


def forbid(store: Store, model: str) -> None:
    """Let the engine refuse a model for good, as a constraint of an administrator would."""
    store.migrate()
    store.command(f"ALTER TABLE {{database}}.llm_calls ADD CONSTRAINT no_{model} CHECK model != '{model}'")


def allow(store: Store, model: str) -> None:
    store.command(f"ALTER TABLE {{database}}.llm_calls DROP CONSTRAINT no_{model}")


def mixed(poisonous: set[int], total: int = 40) -> list[Line]:
    """Make calls of three months, some of a model that is refused."""
    return [
        line(number, start_ns=START_NS + number % 3 * MONTH_NS, model="poison" if number in poisonous else "good")
        for number in range(total)
    ]


@pytest.mark.parametrize("poisonous", [{0}, {39}, {7, 8, 30}, set(range(0, 40, 2)), set(range(40))], ids=len)
def test_rows_that_are_refused_for_good_are_put_aside_and_the_others_are_stored(
    tmp_path: Path, store: Store, poisonous: set[int]
) -> None:
    forbid(store, "poison")
    writer = ledger(tmp_path)
    for at in range(0, 40, 10):
        writer.commit(batch(mixed(poisonous)[at : at + 10])).result(5)
    file = tmp_path / "dead-letters.jsonl"
    flusher = flush(writer, lambda: store, DeadLetterFile(file))
    assert one(store, "SELECT count(), uniqExact(trace_id), countIf(model = 'poison') FROM {calls}") == (
        40 - len(poisonous),
        40 - len(poisonous),
        0,
    )
    flusher.stop(10)  # the file follows the ledger, so it is complete when the thread has ended
    letters = [json.loads(text) for text in file.read_text().splitlines()]
    assert {int(letter["call"]["trace_id"], 16) for letter in letters} == poisonous
    assert all("VIOLATED_CONSTRAINT" in letter["reason"] for letter in letters)
    assert writer.run(lambda book: book.dead_letters.count) == flusher.buried_rows == len(poisonous)
    assert flusher.stored_rows == 40 - len(poisonous)
    assert flusher.error == ""
    writer.stop()


def test_dead_letters_that_are_sent_again_are_stored_once(tmp_path: Path, store: Store) -> None:
    forbid(store, "poison")
    writer = ledger(tmp_path)
    rows = mixed({3, 4, 5})
    writer.commit(batch(rows)).result(5)
    file = DeadLetterFile(tmp_path / "dead-letters.jsonl")
    flusher = flush(writer, lambda: store, file)
    allow(store, "poison")
    [newest, *_] = writer.run(lambda book: book.dead_letters.latest(10))
    assert flusher.send_again([newest.letter_id, 999]) == 1
    assert flusher.send_again(None) == 2
    assert flusher.send_again(None) == 0
    until(lambda: writer.run(lambda book: book.outbox.rows) == 0)
    assert not file.path.exists()
    assert one(store, "SELECT count(), uniqExact(trace_id), sum(cost_usd) FROM {calls}") == (
        40,
        40,
        sum(row.priced.cost_yocto or 0 for row in rows) / Decimal(10**24),
    )
    flusher.stop(10)
    writer.stop()


def test_a_table_that_is_gone_makes_rows_wait_and_none_is_put_aside(tmp_path: Path, store: Store) -> None:
    store.migrate()
    store.command("RENAME TABLE {database}.llm_calls TO {database}.elsewhere")
    writer = ledger(tmp_path)
    writer.commit(batch([line(1), line(2)])).result(5)
    flusher = Flusher(writer, lambda: store, interval_s=0.02)
    flusher.start()
    until(lambda: "UNKNOWN_TABLE" in flusher.error)
    assert writer.run(lambda book: (book.outbox.rows, book.dead_letters.count)) == (2, 0)
    store.command("RENAME TABLE {database}.elsewhere TO {database}.llm_calls")
    until(lambda: writer.run(lambda book: book.outbox.rows) == 0)
    assert count(store) == 2
    flusher.stop(10)
    writer.stop()


def test_a_column_that_is_gone_makes_rows_wait_and_none_is_put_aside(tmp_path: Path, store: Store) -> None:
    store.migrate()
    store.command("ALTER TABLE {database}.llm_calls DROP COLUMN flaws")
    writer = ledger(tmp_path)
    writer.commit(batch([line(1)])).result(5)
    flusher = Flusher(writer, lambda: store, interval_s=0.02)
    flusher.start()
    until(lambda: "NO_SUCH_COLUMN" in flusher.error)
    assert writer.run(lambda book: (book.outbox.rows, book.dead_letters.count)) == (1, 0)
    store.command("ALTER TABLE {database}.llm_calls ADD COLUMN flaws String")
    until(lambda: writer.run(lambda book: book.outbox.rows) == 0)
    flusher.stop(10)
    writer.stop()


def test_more_rows_than_may_be_put_aside_wait_in_the_ledger(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmlab_exporter.ledger.dead_letters.MAX_DEAD_LETTERS", 3)
    forbid(store, "poison")
    writer = ledger(tmp_path)
    writer.commit(batch(mixed(set(range(8)), total=8))).result(5)
    flusher = Flusher(writer, lambda: store, interval_s=0.02)
    flusher.start()
    until(lambda: "3 of them are kept as dead letters" in flusher.error)
    assert writer.run(lambda book: (book.outbox.rows, book.dead_letters.count)) == (5, 3)
    allow(store, "poison")
    until(lambda: writer.run(lambda book: book.outbox.rows) == 0)
    assert count(store) == 5
    flusher.stop(10)
    writer.stop()


def test_rows_of_an_earlier_version_without_a_column_are_stored_beside_those_of_this_one(
    tmp_path: Path, store: Store
) -> None:
    writer = ledger(tmp_path)
    before = batch([line(1)]).entry
    older = replace(before, payload=pack(unpack([before.payload]).drop_columns(["sampling_threshold"])))
    writer.run(lambda book: book.commit([older, batch([line(2)]).entry]))
    flusher = flush(writer, lambda: store)
    assert one(store, "SELECT count(), sum(sampling_threshold) FROM {calls}") == (2, 0)
    flusher.stop(10)
    writer.stop()


def damage(tmp_path: Path, entry: int, change: Callable[[bytearray], None]) -> None:
    """Change what waits in an entry of the outbox behind the back of the exporter."""
    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        [payload] = db.execute("SELECT payload FROM outbox WHERE id = ?", (entry,)).fetchone()
        changed = bytearray(payload)
        change(changed)
        db.execute("UPDATE outbox SET payload = ? WHERE id = ?", (bytes(changed), entry))
    db.close()


def flip(payload: bytearray) -> None:
    payload[len(payload) // 2] ^= 0x40


def cut(payload: bytearray) -> None:
    del payload[11:]


def postdate(payload: bytearray) -> None:
    struct.pack_into("<I", payload, 8, FORMAT + 1)


def unseal_and_cut(payload: bytearray) -> None:
    del payload[:16], payload[200:]


@pytest.mark.parametrize(
    ("change", "reason"),
    [(flip, "checksum"), (cut, "11 bytes are left"), (postdate, "later LLMLab"), (unseal_and_cut, "damaged")],
)
@pytest.mark.parametrize("entry", [1, 2, 3])
def test_what_cannot_be_read_is_put_aside_and_the_rest_is_stored(
    tmp_path: Path, store: Store, entry: int, change: Callable[[bytearray], None], reason: str
) -> None:
    writer = ledger(tmp_path)
    for first in (0, 10, 20):
        writer.commit(batch([line(number) for number in range(first, first + 10)])).result(5)
    damage(tmp_path, entry, change)
    file = DeadLetterFile(tmp_path / "dead-letters.jsonl")
    flusher = flush(writer, lambda: store, file)
    assert one(store, "SELECT count(), uniqExact(trace_id) FROM {calls}") == (20, 20)
    assert writer.run(lambda book: (book.dead_letters.count, book.dead_letters.rows)) == (1, 10)
    assert (flusher.buried_rows, flusher.stored_rows, flusher.error) == (10, 20, "")
    [letter] = [json.loads(text) for text in file.path.read_text().splitlines()]
    assert (letter["calls"], letter["call"]) == (10, None)
    assert reason in letter["reason"]
    assert flusher.send_again(None) == 10
    until(lambda: flusher.buried_rows == 20)
    [again] = writer.run(lambda book: book.dead_letters.latest(10))
    assert flusher.discard([again.letter_id, 999]) == 10
    assert writer.run(lambda book: (book.dead_letters.count, book.dead_letters.rows)) == (0, 0)
    flusher.stop(10)
    assert not file.path.exists()
    writer.stop()


def test_what_became_unreadable_after_it_was_stored_is_not_stored_again(tmp_path: Path, store: Store) -> None:
    store.migrate()
    book = Book(tmp_path / "ledger.sqlite")
    for number in (1, 2):
        book.commit([batch([line(number)]).entry])
    parcel = book.outbox.cut(max_rows=10)
    assert parcel is not None
    store.insert(unpack(parcel.payloads), parcel.batch_id)  # and the exporter is killed
    book.close()
    damage(tmp_path, 1, flip)
    writer = ledger(tmp_path)
    flusher = flush(writer, lambda: store)
    assert count(store) == 2
    assert writer.run(lambda book: book.dead_letters.rows) == 1
    flusher.stop(10)
    writer.stop()


def test_rows_that_were_written_before_there_was_a_seal_are_stored(tmp_path: Path, store: Store) -> None:
    writer = ledger(tmp_path)
    writer.commit(batch([line(1)])).result(5)

    def unseal(payload: bytearray) -> None:
        del payload[:16]

    damage(tmp_path, 1, unseal)
    flusher = flush(writer, lambda: store)
    assert count(store) == 1
    flusher.stop(10)
    writer.stop()
