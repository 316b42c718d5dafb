"""Rows that were stored lately, kept for a while: spans that come may tell of the same calls.

The window of calls (`window.py`) lives in memory and is rebuilt from these rows, and from those still in the outbox,
when the exporter starts.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

MAX_CALLS = 50_000
MAX_AGE_S = 900


class Limits(NamedTuple):
    """For how long calls are remembered."""

    calls: int = MAX_CALLS
    """The latest so many."""
    age_s: int = MAX_AGE_S
    """And none that is older."""


DEFAULT_LIMITS = Limits()


class Recent:
    """Reads and writes remembered rows inside the open transaction, or as a transaction of each statement."""

    def __init__(self, db: sqlite3.Connection, limits: Limits, now: Callable[[], float] = time.time) -> None:
        self._db = db
        self._limits = limits
        self._now = now
        self._rows = 0
        self.load()

    def load(self) -> None:
        """Read the number of rows from the disk."""
        (self._rows,) = self._db.execute("SELECT coalesce(sum(rows), 0) FROM recent").fetchone()

    def remember(self, batch_id: str) -> None:
        """Take over the rows of a parcel that the store has."""
        self._db.execute(
            "INSERT OR REPLACE INTO recent SELECT id, ?, rows, payload FROM outbox WHERE batch_id = ?",
            (int(self._now()), batch_id),
        )
        self._forget()

    def remember_part(self, batch_id: str, rows: int, payload: bytes) -> None:
        """Remember those rows of a parcel that the store has, in the parcel's place."""
        if rows:
            insert = "INSERT OR REPLACE INTO recent SELECT min(id), ?, ?, ? FROM outbox WHERE batch_id = ?"
            self._db.execute(insert, (int(self._now()), rows, payload, batch_id))
            self._forget()

    def add(self, rows: int, payload: bytes) -> None:
        """Remember rows that the store gets in another way than through the outbox."""
        if rows:
            insert = (
                "INSERT INTO recent SELECT min(coalesce(min(id), 0), 0) - 1, ?, ?, ? FROM recent"  # below all others
            )
            self._db.execute(insert, (int(self._now()), rows, payload))
            self.load()

    def payloads(self) -> Iterator[bytes]:
        """Yield what is remembered, and what waits for the store, the oldest first: enough to recall the latest calls.

        After a long outage of the store much more is waiting than can be remembered. Then only its end is read, and
        what was repriced, of which there may be earlier versions in it.
        """
        query = (
            "SELECT payload FROM (SELECT id, payload FROM recent UNION ALL SELECT id, payload FROM outbox) ORDER BY id"
        )
        first_id = self._first_that_matters()
        if first_id is not None:
            query = (
                "SELECT payload FROM (SELECT id, payload FROM recent WHERE id < 0 "
                "UNION ALL SELECT id, payload FROM outbox WHERE batch_id IS NULL AND id >= ?) ORDER BY id"
            )
        for (payload,) in self._db.execute(query, () if first_id is None else (first_id,)):
            yield payload

    def _first_that_matters(self) -> int | None:
        """Return the first entry from which on as many rows wait as are remembered, None when fewer do.

        Only entries that no parcel has are in the order in which they were committed: a parcel may be divided.
        """
        rows = 0
        for row_id, count in self._db.execute("SELECT id, rows FROM outbox WHERE batch_id IS NULL ORDER BY id DESC"):
            rows += count
            if rows >= self._limits.calls:
                return row_id
        return None

    def _forget(self) -> None:
        """Forget what is too old or too much."""
        self._db.execute("DELETE FROM recent WHERE stored_at < ?", (int(self._now()) - self._limits.age_s,))
        self.load()
        if self._rows <= self._limits.calls:
            return
        for row_id, rows in self._db.execute("SELECT id, rows FROM recent ORDER BY id").fetchall():
            if self._rows - rows < self._limits.calls:
                return
            self._db.execute("DELETE FROM recent WHERE id = ?", (row_id,))
            self._rows -= rows
