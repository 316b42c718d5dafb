"""Rows that the store refuses for good, kept aside so that those behind them are stored.

Taking a row out of the outbox and keeping it here is one transaction, and so is the way back.
"""

import sqlite3
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from llmlab_exporter.ledger.outbox import Outbox

MAX_DEAD_LETTERS = 10_000
"""Of a store that refuses more than so many rows, it is the store that needs repair: then rows wait in the outbox."""


class DeadLettersFull(Exception):
    """There are as many dead letters as may be; the message says what to do."""


class DeadLetter(NamedTuple):
    """One row that was refused."""

    letter_id: int
    refused_at: int
    """Unix seconds."""
    reason: str
    """In the words of the store."""
    payload: bytes
    """The row as an Arrow IPC stream."""


class DeadLetters:
    """Reads and writes dead letters. `count` is what the disk holds as of the last change."""

    def __init__(self, db: sqlite3.Connection, outbox: Outbox, now: Callable[[], float] = time.time) -> None:
        self._db = db
        self._outbox = outbox
        self._now = now
        self.count = 0
        self._load()

    def divide(self, batch_id: str, parts: Sequence[tuple[int, bytes]]) -> None:
        """Replace a parcel by smaller ones, each given as its number of rows and their Arrow IPC stream."""
        with self._transaction():
            self._outbox.divide(batch_id, parts)

    def bury(self, batch_id: str, reason: str) -> DeadLetter:
        """Take a parcel of one row out of the outbox and keep it. Raises `DeadLettersFull`."""
        if self.count >= MAX_DEAD_LETTERS:
            raise DeadLettersFull(
                f"the store refuses calls for good ({reason}), and {self.count} of them are kept as dead letters, "
                "which is the limit: repair the store, then 'llmlab dead-letters retry'"
            )
        [payload] = self._outbox.parcel(batch_id).payloads
        refused_at = int(self._now())
        with self._transaction():
            insert = "INSERT INTO dead_letters (refused_at, reason, payload) VALUES (?, ?, ?) RETURNING id"
            (letter_id,) = self._db.execute(insert, (refused_at, reason, payload)).fetchone()
            self._outbox.finish(batch_id)
        return DeadLetter(letter_id, refused_at, reason, payload)

    def latest(self, limit: int) -> list[DeadLetter]:
        """Return dead letters, the newest first."""
        query = "SELECT id, refused_at, reason, payload FROM dead_letters ORDER BY id DESC LIMIT ?"
        return [DeadLetter(*row) for row in self._db.execute(query, (limit,))]

    def send_again(self, letter_ids: Sequence[int] | None) -> int:
        """Put dead letters, or all of them, back into the outbox, and return how many there were."""
        wanted = [letter.letter_id for letter in self.latest(MAX_DEAD_LETTERS)] if letter_ids is None else letter_ids
        found = 0
        with self._transaction():
            for letter_id in wanted:
                taken = "DELETE FROM dead_letters WHERE id = ? RETURNING payload"
                for (payload,) in self._db.execute(taken, (letter_id,)).fetchall():
                    self._outbox.add(1, payload)
                    found += 1
        return found

    @contextmanager
    def _transaction(self) -> Generator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        finally:
            self._outbox.load()
            self._load()

    def _load(self) -> None:
        (self.count,) = self._db.execute("SELECT count(*) FROM dead_letters").fetchone()
