"""What calls of each feature cost, per series and quarter of an hour: a part of the spend, for budgets.

Features are no dimension of the metrics, so their sums stand beside the spend and are written only for calls that say
one. Their number is bounded: a name is told apart for good or, once there are too many, never.
"""

import sqlite3
import time

from llmlab_exporter.tally import FeatureSum, add_features

MAX_FEATURES = 1_000
"""Beyond so many names, new ones are summed up under `other`; the stored rows keep their names."""

OTHER = "other"


class Features:
    """Reads and writes the sums inside the open transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._ids: dict[str, int] = {}
        self.overflowed = 0
        """Calls whose feature was summed up under `other`, ever."""
        self.load()

    def load(self) -> None:
        """Read the names from the disk."""
        self._ids = dict(self._db.execute("SELECT name, id FROM features"))
        (self.overflowed,) = self._db.execute(
            "SELECT value FROM counters WHERE name = 'overflowed_features'"
        ).fetchone()

    def add(self, bucket: int, series_id: int, sums: dict[str, FeatureSum]) -> dict[str, FeatureSum]:
        """Add sums, which may be negative, to those of a spend; returns them by the names that they are kept under."""
        kept: dict[str, FeatureSum] = {}
        for name, calls in sums.items():
            kept = add_features(kept, {self._bounded(name, calls.requests): calls})
        for name, calls in kept.items():
            self._write((bucket, series_id, self._ids[name]), calls)
        return kept

    def tell_apart(self, name: str) -> None:
        """Tell a feature apart from now on, however many there are."""
        if name not in self._ids:
            self._insert(name, int(time.time()) if self.overflowed else 0)

    def forget(self, before_s: int) -> None:
        """Drop the sums of before a moment, Unix seconds."""
        self._db.execute("DELETE FROM feature_spend WHERE bucket < ?", (before_s,))

    def _bounded(self, name: str, requests: int) -> str:
        if name in self._ids:
            return name
        if len(self._ids) < MAX_FEATURES:
            self._insert(name, 0)
            return name
        self._count_overflow(max(requests, 0))
        if OTHER not in self._ids:
            self._insert(OTHER, 0)
        return OTHER

    def _insert(self, name: str, since_s: int) -> None:
        insert = "INSERT INTO features (name, since) VALUES (?, ?) RETURNING id"
        (self._ids[name],) = self._db.execute(insert, (name, since_s)).fetchone()

    def _count_overflow(self, requests: int) -> None:
        count = "UPDATE counters SET value = value + ? WHERE name = 'overflowed_features' RETURNING value"
        (self.overflowed,) = self._db.execute(count, (requests,)).fetchone()

    def _write(self, place: tuple[int, int, int], calls: FeatureSum) -> None:
        question = (
            "SELECT requests, unpriced, cost_yocto FROM feature_spend WHERE bucket = ? AND series = ? AND feature = ?"
        )
        requests, unpriced, cost = self._db.execute(question, place).fetchone() or (0, 0, "0")
        total = FeatureSum(requests + calls.requests, unpriced + calls.unpriced, int(cost) + calls.cost_yocto)
        if total == (0, 0, 0):
            self._db.execute("DELETE FROM feature_spend WHERE bucket = ? AND series = ? AND feature = ?", place)
            return
        insert = "INSERT OR REPLACE INTO feature_spend VALUES (?, ?, ?, ?, ?, ?)"
        self._db.execute(insert, (*place, total.requests, total.unpriced, str(total.cost_yocto)))
