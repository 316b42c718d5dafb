"""Rows that the store refuses for good, or that nobody can read, kept aside so that those behind them are stored.

Taking a row out of the outbox and keeping it here is one transaction, and so is the way back.
"""

import sqlite3
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from llmlab_exporter.ledger.outbox import Outbox

_COLUMNS = "id, refused_at, reason, payload, rows"

MAX_DEAD_LETTERS = 10_000
"""Of a store that refuses more than so many rows, it is the store that needs repair: then rows wait in the outbox."""


class DeadLettersFull(Exception):
    """There are as many dead letters as may be; the message says what to do."""


class DeadLetter(NamedTuple):
    """One row that was refused, or several together that cannot be read."""

    letter_id: int
    refused_at: int
    """Unix seconds."""
    reason: str
    """In the words of the store, or why they cannot be read."""
    payload: bytes
    """As in the outbox (`parcels.py`)."""
    rows: int = 1


class DeadLetters:
    """Reads and writes dead letters. `count` is what the disk holds as of the last change."""

    def __init__(self, db: sqlite3.Connection, outbox: Outbox, now: Callable[[], float] = time.time) -> None:
        self._db = db
        self._outbox = outbox
        self._now = now
        self.count = 0
        self.rows = 0
        """Calls in them."""
        self._load()

    def divide(self, batch_id: str, parts: Sequence[tuple[int, bytes]], stored: tuple[int, bytes]) -> None:
        """Replace a parcel by smaller ones; each, like what the store has of it, is given as its rows and payload."""
        with self._transaction():
            self._outbox.divide(batch_id, parts, stored)

    def bury(self, batch_id: str, reason: str) -> DeadLetter:
        """Take a parcel of one row out of the outbox and keep it. Raises `DeadLettersFull`."""
        self._check_room(reason)
        [payload] = self._outbox.parcel(batch_id).payloads
        with self._transaction():
            letter = self._keep(reason, 1, payload)
            self._outbox.finish(batch_id)
        return letter

    def bury_entry(self, batch_id: str, place: int, reason: str) -> DeadLetter:
        """Take one entry of a parcel, whatever it holds, out of the outbox and keep it. Raises `DeadLettersFull`."""
        self._check_room(reason)
        with self._transaction():
            return self._keep(reason, *self._outbox.take_entry(batch_id, place))

    def find(self, letter_id: int) -> DeadLetter | None:
        """Return a dead letter; None when there is none of that number."""
        query = f"SELECT {_COLUMNS} FROM dead_letters WHERE id = ?"  # noqa: S608 - our own names
        row = self._db.execute(query, (letter_id,)).fetchone()
        return None if row is None else DeadLetter(*row)

    def latest(self, limit: int) -> list[DeadLetter]:
        """Return dead letters, the newest first."""
        query = f"SELECT {_COLUMNS} FROM dead_letters ORDER BY id DESC LIMIT ?"  # noqa: S608 - our own names
        return [DeadLetter(*row) for row in self._db.execute(query, (limit,))]

    def send_again(self, letter_ids: Sequence[int] | None) -> int:
        """Put dead letters, or all of them, back into the outbox, and return how many calls that are."""
        wanted = [letter.letter_id for letter in self.latest(MAX_DEAD_LETTERS)] if letter_ids is None else letter_ids
        found = 0
        with self._transaction():
            for letter_id in wanted:
                taken = "DELETE FROM dead_letters WHERE id = ? RETURNING rows, payload"
                for rows, payload in self._db.execute(taken, (letter_id,)).fetchall():
                    self._outbox.add(rows, payload)
                    found += rows
        return found

    def discard(self, letter_ids: Sequence[int]) -> int:
        """Forget dead letters for good, and return how many calls that are."""
        found = 0
        with self._transaction():
            for letter_id in letter_ids:
                taken = "DELETE FROM dead_letters WHERE id = ? RETURNING rows"
                found += sum(rows for (rows,) in self._db.execute(taken, (letter_id,)).fetchall())
        return found

    def _check_room(self, reason: str) -> None:
        if self.count >= MAX_DEAD_LETTERS:
            raise DeadLettersFull(
                f"calls are refused for good ({reason}), and {self.count} of them are kept as dead letters, "
                "which is the limit: repair the store, then 'llmlab dead-letters retry'"
            )

    def _keep(self, reason: str, rows: int, payload: bytes) -> DeadLetter:
        refused_at = int(self._now())
        insert = "INSERT INTO dead_letters (refused_at, reason, payload, rows) VALUES (?, ?, ?, ?) RETURNING id"
        (letter_id,) = self._db.execute(insert, (refused_at, reason, payload, rows)).fetchone()
        return DeadLetter(letter_id, refused_at, reason, payload, rows)

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
        question = "SELECT count(*), coalesce(sum(rows), 0) FROM dead_letters"
        self.count, self.rows = self._db.execute(question).fetchone()
