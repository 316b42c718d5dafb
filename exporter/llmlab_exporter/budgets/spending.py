"""What the ledger says was spent, as of one moment between two commits. Reading it holds nobody up.

SQLite's own sums end at 64 bits, and a function of ours for each row would take the interpreter from those who write.
So costs are summed up in parts of twelve digits, in C, and put together here.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from llmlab.budgets import Window
from llmlab_exporter.ledger.feed import NO_FEATURES
from llmlab_exporter.tally import BUCKET_S, FeatureSum, Series

_DIGITS = 12
_PARTS = 4
"""48 digits of yocto-USD are 10^24 USD."""

_COST = ", ".join(
    f"sum(iif(t.cost_yocto LIKE '-%', -1, 1) * CAST(substr('{'0' * _DIGITS * _PARTS}' || ltrim(t.cost_yocto, '-'),"
    f" {-_DIGITS * (_PARTS - part)}, {_DIGITS}) AS INTEGER))"
    for part in range(_PARTS)
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Since when sums are complete, Unix seconds; 0 when ever since."""

    spend_s: int
    """Earlier sums were pruned."""
    features_s: int
    """Before, the ledger did not tell features apart."""
    by_feature: dict[str, int]
    """The same for features that came when there were too many."""


class Part(NamedTuple):
    """Spend of the series of one group in a stretch of time."""

    group: int
    bucket: int
    """Start of the first quarter of an hour with any spend, Unix seconds."""
    requests: int
    unpriced: int
    cost_yocto: int
    features: Mapping[str, FeatureSum] = NO_FEATURES
    """Those of the calls that say a feature."""


class Snapshot:
    """The ledger as of the moment at which this is made. Series are summed up by groups, which `assign` makes."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
        self._db.execute("PRAGMA temp_store = MEMORY")
        self._db.execute("BEGIN")
        self.limits = self._limits()  # the first read is what fixes the moment
        self._features: dict[int, str] = {}

    def close(self) -> None:
        """Let go of the moment."""
        self._db.close()

    def assign(self, group_of: Callable[[Series], int], is_wanted: Callable[[str], bool]) -> None:
        """Put every series into a group, and say which features are told apart in it."""
        labels = ", ".join(Series._fields)
        self._db.execute("CREATE TEMP TABLE groups (series INTEGER PRIMARY KEY, number INTEGER NOT NULL)")
        series = self._db.execute(f"SELECT id, {labels} FROM series").fetchall()  # noqa: S608 - our own names
        rows = ((row_id, group_of(Series(*values))) for row_id, *values in series)
        self._db.executemany("INSERT INTO groups VALUES (?, ?)", rows)
        names = self._db.execute("SELECT id, name FROM features")
        self._features = {number: name for number, name in names if is_wanted(name)}

    def sums(self, window: Window, step_s: int = 0) -> Iterator[Part]:
        """Yield the spend of every group in a window.

        With `step_s`, a multiple of a quarter of an hour, one part for each such step of time that has any spend;
        without, one for the whole window.
        """
        features: dict[tuple[int, int], dict[str, FeatureSum]] = {}
        if self._features:
            for feature, group, bucket, *calls in self._ask("feature_spend", "t.feature", window, step_s):
                if name := self._features.get(feature):
                    features.setdefault((group, _step(bucket, step_s)), {})[name] = _sum(calls)
        for _, group, bucket, *calls in self._ask("spend", "NULL", window, step_s):
            yield Part(group, bucket, *_sum(calls), features.pop((group, _step(bucket, step_s)), NO_FEATURES))
        for (group, step), part in features.items():  # of calls whose whole spend was taken back
            yield Part(group, step * step_s or window.start_s, 0, 0, 0, part)

    def _ask(self, table: str, feature: str, window: Window, step_s: int) -> sqlite3.Cursor:
        step = f", t.bucket / {step_s}" if step_s else ""
        question = f"""
            SELECT {feature}, groups.number, min(t.bucket), sum(t.requests), sum(t.unpriced), {_COST}
            FROM {table} AS t JOIN groups ON groups.series = t.series
            WHERE t.bucket >= ? AND t.bucket < ? GROUP BY groups.number, {feature}{step}
        """  # noqa: S608 - our own names
        return self._db.execute(question, window)

    def _limits(self) -> Limits:
        known = dict(self._db.execute("SELECT name, value FROM meta WHERE name IN ('spend_since', 'features_since')"))
        by_feature = {
            name: _next_bucket(since)
            for name, since in self._db.execute("SELECT name, since FROM features WHERE since")
        }
        features = _next_bucket(int(known.get("features_since", 0)))
        return Limits(int(known.get("spend_since", 0)), features, by_feature)


def _next_bucket(at_s: int) -> int:
    """Return the start of the first quarter of an hour that lies wholly after a moment."""
    return -(-at_s // BUCKET_S) * BUCKET_S


def _step(bucket: int, step_s: int) -> int:
    return bucket // step_s if step_s else 0


def _sum(calls: Sequence[int]) -> FeatureSum:
    """Put a cost together that was summed up in parts of twelve digits, the highest first."""
    requests, unpriced, *parts = calls
    cost = 0
    for part in parts:
        cost = cost * 10**_DIGITS + part
    return FeatureSum(requests, unpriced, cost)
