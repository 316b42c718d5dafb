"""Changes of stored calls that are under way or done, and what they do to the sums.

A change goes through the calls in chunks. A chunk is staged in the store, then recorded here together with its effect
on the sums, then applied in the store, then confirmed here. After a crash, a chunk that is recorded and not confirmed
is applied again, which does nothing to what was applied already, and the change goes on behind it.
"""

import sqlite3
import time
from typing import NamedTuple

_COLUMNS = "id, kind, request, state, chunk, confirmed, cursor, report, started_at, ended_at, error"

RUNNING = "running"


class Change(NamedTuple):
    """One change. Texts in JSON belong to whoever makes the change."""

    change_id: str
    kind: str
    """Such as `reprice`."""
    request: str
    """What was asked for, in JSON."""
    state: str
    """`running`, `done`, `cancelled` or `failed`."""
    chunk: int
    """The last chunk that was recorded; 0 before the first."""
    confirmed: int
    """The last chunk of which the store has everything."""
    cursor: str
    """Where the next chunk begins, in JSON."""
    report: str
    """What the recorded chunks amount to, in JSON."""
    started_at: int
    """Unix seconds."""
    ended_at: int | None
    error: str


class Changes:
    """Reads and writes changes inside the open transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def begin(self, change_id: str, kind: str, request: str, cursor: str, report: str) -> None:
        """Record that a change begins; nothing happens when it is known already."""
        self._db.execute(
            f"INSERT OR IGNORE INTO changes ({_COLUMNS}) VALUES (?, ?, ?, '{RUNNING}', 0, 0, ?, ?, ?, NULL, '')",  # noqa: S608 - our own names
            (change_id, kind, request, cursor, report, int(time.time())),
        )

    def advance(self, change_id: str, chunk: int, cursor: str, report: str) -> bool:
        """Record a chunk, or nothing and False if it is not the one after the last."""
        update = "UPDATE changes SET chunk = ?, cursor = ?, report = ? WHERE id = ? AND chunk = ?"
        return self._db.execute(update, (chunk, cursor, report, change_id, chunk - 1)).rowcount == 1

    def confirm(self, change_id: str, chunk: int) -> None:
        """Record that the store has a chunk."""
        self._db.execute("UPDATE changes SET confirmed = ? WHERE id = ?", (chunk, change_id))

    def end(self, change_id: str, state: str, error: str = "") -> None:
        """Record how a change ended."""
        update = "UPDATE changes SET state = ?, ended_at = ?, error = ? WHERE id = ?"
        self._db.execute(update, (state, int(time.time()), error, change_id))

    def find(self, change_id: str) -> Change | None:
        """Return a change; None when there is none of that id."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM changes WHERE id = ?", (change_id,)).fetchone()  # noqa: S608 - our own names
        return None if row is None else Change(*row)

    def running(self, kind: str) -> Change | None:
        """Return the change of a kind that has not ended."""
        query = f"SELECT {_COLUMNS} FROM changes WHERE kind = ? AND state = '{RUNNING}' ORDER BY started_at LIMIT 1"  # noqa: S608 - our own names
        row = self._db.execute(query, (kind,)).fetchone()
        return None if row is None else Change(*row)

    def latest(self, kind: str, limit: int) -> list[Change]:
        """Return the latest changes of a kind, the newest first."""
        query = f"SELECT {_COLUMNS} FROM changes WHERE kind = ? ORDER BY started_at DESC, rowid DESC LIMIT ?"  # noqa: S608 - our own names
        return [Change(*row) for row in self._db.execute(query, (kind, limit))]
