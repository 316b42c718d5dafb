"""Which spans were committed before: a sender that got no answer sends again, and must not be counted twice."""

import sqlite3
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import blake2b

KEY_BYTES = 16
NUMBERS = 65_536
"""Rows of the table `numbers`: so many keys are taken apart by one statement."""

KEEP_DAYS = 3
"""For so long a repeated delivery is recognised. SDKs retry for seconds, collectors with a queue for hours."""


def span_key(org: str, project: str, trace_id: bytes, span_id: bytes) -> bytes:
    """Return what a span is recognised by. Tenants have keys of their own: none can suppress another's spans."""
    return blake2b(_tenant(org, project) + trace_id + span_id, digest_size=KEY_BYTES).digest()


@lru_cache(maxsize=1024)
def _tenant(org: str, project: str) -> bytes:
    return f"{org}\0{project}\0".encode()


def split_keys(keys: bytes) -> list[bytes]:
    """Take joined keys apart."""
    return [keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)]


class Seen:
    """Keys of committed spans, one table a day, so that forgetting a day is dropping a table."""

    def __init__(self, db: sqlite3.Connection, today: Callable[[], int] = lambda: int(time.time() // 86_400)) -> None:
        self._db = db
        self._today = today

    def known(self, keys: Iterable[bytes]) -> set[bytes]:
        """Return those of the keys that were committed before."""
        tables = self._tables()
        return {key for key in keys if any(self._has(table, key) for table in tables)}

    def add(self, keys: bytes) -> bool:
        """Record joined keys inside the open transaction, or nothing and False if one of them is not new."""
        today, *earlier = self._tables()
        self._db.execute("SAVEPOINT keys")
        size = NUMBERS * KEY_BYTES
        new = all(self._add_slice(keys[at : at + size], today, earlier) for at in range(0, len(keys), size))
        if not new:
            self._db.execute("ROLLBACK TO keys")
        self._db.execute("RELEASE keys")
        return new

    def _add_slice(self, keys: bytes, today: str, earlier: list[str]) -> bool:
        """Record keys unless one of them is known; then some may have been recorded.

        One statement takes the keys apart in C, which takes a tenth of the time of one INSERT per key.
        """
        count = len(keys) // KEY_BYTES
        key = f"substr(?1, n * {KEY_BYTES} + 1, {KEY_BYTES})"
        for table in earlier:
            again = f"SELECT 1 FROM numbers CROSS JOIN {table} ON key = {key} WHERE n < ?2 LIMIT 1"  # noqa: S608 - our own names
            if self._db.execute(again, (keys, count)).fetchone():
                return False
        insert = f"INSERT OR IGNORE INTO {today} SELECT {key} FROM numbers WHERE n < ?2 ORDER BY 1"  # noqa: S608 - our own names
        return self._db.execute(insert, (keys, count)).rowcount == count

    def _has(self, table: str, key: bytes) -> bool:
        return self._db.execute(f"SELECT 1 FROM {table} WHERE key = ?", (key,)).fetchone() is not None  # noqa: S608 - our own names

    def _tables(self) -> list[str]:
        """Name today's table first, then every other that still counts; makes today's and drops the outdated.

        Days ahead of today count too: the clock may have been set back.
        """
        found = self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'seen_[0-9]*'")
        days = {int(name.removeprefix("seen_")) for (name,) in found}
        today = self._today()
        if today not in days:
            self._db.execute(f"CREATE TABLE seen_{today} (key BLOB PRIMARY KEY) WITHOUT ROWID")
            for day in sorted(days):
                if day < today - KEEP_DAYS:
                    self._db.execute(f"DROP TABLE seen_{day}")
        return [f"seen_{today}", *(f"seen_{day}" for day in sorted(days - {today}) if day >= today - KEEP_DAYS)]
