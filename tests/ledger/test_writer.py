import sqlite3
import threading
from concurrent.futures import wait
from pathlib import Path

import pytest

from ledger.entries import SERIES, entry, key
from llmlab_exporter.ledger.book import Book, Entry
from llmlab_exporter.ledger.writer import Committed, Writer


class Spans:
    """A batch of spans by number."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers
        self.entry = entry(*(key(number) for number in numbers))

    def without(self, rows: set[int]) -> Entry:
        return entry(*(key(number) for row, number in enumerate(self.numbers) if row not in rows))


def open_writer(tmp_path: Path) -> tuple[Book, Writer]:
    book = Book(tmp_path / "ledger.sqlite")
    return book, Writer(book)


def test_requests_that_arrive_together_share_a_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book, writer = open_writer(tmp_path)
    sizes: list[int] = []
    commit = book.commit

    def counting(entries: list[Entry], redelivered: int = 0) -> bool:
        sizes.append(len(entries))
        return commit(entries, redelivered)

    monkeypatch.setattr(book, "commit", counting)
    futures = [writer.commit(Spans(number)) for number in range(50)]
    writer.start()
    wait(futures)
    assert sizes == [50]
    writer.stop()


def test_spans_sent_again_are_told_from_new_ones(tmp_path: Path) -> None:
    book, writer = open_writer(tmp_path)
    first = writer.commit(Spans(1, 2, 3))
    again = writer.commit(Spans(3, 4, 4))
    writer.start()
    assert first.result(5) == Committed(3, 0)
    assert again.result(5) == Committed(1, 2)
    assert writer.commit(Spans(1, 2)).result(5) == Committed(0, 2)
    assert book.totals.by_series[SERIES].requests == 4
    assert book.redelivered == 4
    writer.stop()


def test_many_senders_that_repeat_everything_are_counted_once(tmp_path: Path) -> None:
    book, writer = open_writer(tmp_path)
    writer.start()

    def send(sender: int) -> None:
        for number in range(60):
            writer.commit(Spans(sender * 50 + number, sender * 50 + number + 1)).result(20)

    senders = [threading.Thread(target=send, args=(number,)) for number in range(6)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert book.totals.by_series[SERIES].requests == 5 * 50 + 61
    writer.stop()


def test_a_disk_that_refuses_fails_the_senders_and_nothing_else(tmp_path: Path) -> None:
    book, writer = open_writer(tmp_path)
    writer.start()
    other = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    other.execute("CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(sqlite3.Error, match="disk full"):
        writer.commit(Spans(1)).result(5)
    other.execute("DROP TRIGGER full")
    other.close()
    assert writer.commit(Spans(1)).result(5) == Committed(1, 0)
    assert book.outbox.rows == 1
    writer.stop()


def test_a_sender_that_went_away_before_its_turn_is_skipped(tmp_path: Path) -> None:
    book, writer = open_writer(tmp_path)
    gone = writer.commit(Spans(1))
    stays = writer.commit(Spans(2))
    assert gone.cancel()
    writer.start()
    assert stays.result(5) == Committed(1, 0)
    assert book.outbox.rows == 1
    writer.stop()


def test_what_is_queued_when_the_writer_stops_is_committed(tmp_path: Path) -> None:
    _, writer = open_writer(tmp_path)
    futures = [writer.commit(Spans(number)) for number in range(10)]
    writer.start()
    writer.stop()
    assert all(future.result(0) == Committed(1, 0) for future in futures)


def test_a_job_runs_between_transactions_and_its_error_reaches_who_asked(tmp_path: Path) -> None:
    _, writer = open_writer(tmp_path)
    writer.start()
    assert writer.run(lambda book: book.outbox.rows) == 0
    with pytest.raises(ZeroDivisionError):
        writer.run(lambda _: 1 // 0)
    assert writer.commit(Spans(1)).result(5) == Committed(1, 0)
    writer.stop()
