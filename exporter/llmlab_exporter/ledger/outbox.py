"""Rows that were acknowledged and are still to be stored.

Rows leave in parcels. A parcel gets its id, durably, before it is sent, and is forgotten when the store has it; what
became of a parcel whose answer was lost, the store is asked by that id. So no row is stored twice and none is lost.
"""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from llmlab_exporter.ledger.recent import Recent


class Parcel(NamedTuple):
    """Rows on their way to the store."""

    batch_id: str
    rows: int
    payloads: list[bytes]
    """Arrow IPC streams."""


class Outbox:
    """The queue of rows in front of the store."""

    def __init__(self, db: sqlite3.Connection, ledger_id: str, recent: Recent) -> None:
        self._db = db
        self._ledger_id = ledger_id
        self._recent = recent
        self.rows = 0
        """Rows acknowledged and not yet stored, as of the last commit."""
        self.load()

    def load(self) -> None:
        """Read the number of rows from the disk."""
        (self.rows,) = self._db.execute("SELECT coalesce(sum(rows), 0) FROM outbox").fetchone()

    def add(self, rows: int, payload: bytes) -> None:
        """Queue rows inside the open transaction."""
        self._db.execute("INSERT INTO outbox (rows, payload) VALUES (?, ?)", (rows, payload))

    def newest(self) -> int:
        """Return the number of the newest entry, 0 when nothing waits. Later entries have higher ones."""
        (row_id,) = self._db.execute("SELECT coalesce(max(id), 0) FROM outbox").fetchone()
        return row_id

    def oldest(self) -> int | None:
        """Return the number of the oldest entry, None when nothing waits."""
        (row_id,) = self._db.execute("SELECT min(id) FROM outbox").fetchone()
        return row_id

    def cut(self, max_rows: int) -> Parcel | None:
        """Make a parcel of the oldest rows, at least one entry; None when nothing waits."""
        ids: list[int] = []
        rows = 0
        for row_id, count in self._db.execute("SELECT id, rows FROM outbox WHERE batch_id IS NULL ORDER BY id"):
            if ids and rows + count > max_rows:
                break
            ids.append(row_id)
            rows += count
        if not ids:
            return None
        batch_id = f"{self._ledger_id}-{ids[0]}"
        self._db.execute("UPDATE outbox SET batch_id = ? WHERE id BETWEEN ? AND ?", (batch_id, ids[0], ids[-1]))
        return self.parcel(batch_id)

    def parcel(self, batch_id: str) -> Parcel:
        """Return a parcel that was cut."""
        query = "SELECT rows, payload FROM outbox WHERE batch_id = ? ORDER BY id"
        parts = self._db.execute(query, (batch_id,)).fetchall()
        return Parcel(batch_id, sum(rows for rows, _ in parts), [payload for _, payload in parts])

    def unfinished(self) -> list[str]:
        """Name the parcels that were cut and not finished, oldest first: a crash came between."""
        query = "SELECT batch_id FROM outbox WHERE batch_id IS NOT NULL GROUP BY batch_id ORDER BY min(id)"
        return [batch_id for (batch_id,) in self._db.execute(query)]

    def divide(self, batch_id: str, parts: Sequence[tuple[int, bytes]], stored: tuple[int, bytes]) -> None:
        """Replace a parcel by several, each of one entry, inside the open transaction.

        `stored` are those of its rows that the store has: their number, and they as a payload.
        """
        self._recent.remember_part(batch_id, *stored)
        for rows, payload in parts:
            insert = "INSERT INTO outbox (rows, payload) VALUES (?, ?) RETURNING id"
            (row_id,) = self._db.execute(insert, (rows, payload)).fetchone()
            self._db.execute("UPDATE outbox SET batch_id = ? WHERE id = ?", (f"{self._ledger_id}-{row_id}", row_id))
        self._db.execute("DELETE FROM outbox WHERE batch_id = ?", (batch_id,))

    def take_entry(self, batch_id: str, place: int) -> tuple[int, bytes]:
        """Take one entry of a parcel out of the queue, inside the open transaction: its number of rows, its payload."""
        taken = (
            "DELETE FROM outbox WHERE id = (SELECT id FROM outbox WHERE batch_id = ? ORDER BY id LIMIT 1 OFFSET ?) "
            "RETURNING rows, payload"
        )
        [(rows, payload)] = self._db.execute(taken, (batch_id, place)).fetchall()
        return rows, payload

    def finish(self, batch_id: str) -> None:
        """Forget a parcel that the store has."""
        (rows,) = self._db.execute("SELECT sum(rows) FROM outbox WHERE batch_id = ?", (batch_id,)).fetchone()
        self._recent.remember(batch_id)
        self._db.execute("DELETE FROM outbox WHERE batch_id = ?", (batch_id,))
        self.rows -= rows or 0
