"""What was spent, exactly: a running total per series, and the same per quarter of an hour."""

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from llmlab_exporter.ledger.features import Features
from llmlab_exporter.ledger.feed import Feed, SpendChange
from llmlab_exporter.ledger.schema import SUMS
from llmlab_exporter.tally import Sampled, Series, Tallies, Tally, add_sampled

MAX_SERIES = 20_000
"""Beyond so many label sets, new models are summed up under `other`; the stored rows keep their names."""

MAX_OTHER_SERIES = 1_000
"""And beyond so many more, of other services or projects, so is everything."""

OTHER = "other"


class Totals:
    """Reads and writes totals. `by_series` is what the disk holds as of the last commit."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._ids: dict[Series, int] = {}
        self.by_series: dict[Series, Tally] = {}
        """Its tallies are replaced, never edited, so that another thread may read a copy of the dict."""
        self.created_at: dict[Series, int] = {}
        """When each series came into being, Unix seconds."""
        self.held_back: dict[Series, Tally] = {}
        """What `by_series` is ahead of the truth since calls turned out to be repetitions; nothing is below 0 in it."""
        self.overflowed = 0
        """Calls that were summed up under `other`, ever."""
        self.features = Features(db)
        self.feed = Feed()
        """What commits did to the spend."""
        self._overflowing = 0
        self._written: list[SpendChange] = []
        self.load()

    def load(self) -> None:
        """Read everything from the disk."""
        self._ids.clear()
        self._written = []
        self.features.load()
        columns = ", ".join(("id", "held_back", "created_at", *Series._fields, *SUMS, "cost_yocto", "latency"))
        held_back: dict[Series, Tally] = {}
        created_at: dict[Series, int] = {}
        totals: dict[Series, Tally] = {}
        labels = len(Series._fields)
        for row_id, held, created, *row in self._db.execute(f"SELECT {columns} FROM series"):  # noqa: S608 - our own names
            series = Series(*row[:labels])
            self._ids[series] = row_id
            created_at[series] = created
            if held is not None:
                held_back[series] = Tally(**json.loads(held))
            sums = dict(zip(SUMS, row[labels:-2], strict=True))
            totals[series] = Tally(**sums, cost_yocto=int(row[-2]), latency=json.loads(row[-1]))
        self.by_series = totals
        self.held_back = held_back
        self.created_at = created_at
        (self.overflowed,) = self._db.execute("SELECT value FROM counters WHERE name = 'overflowed'").fetchone()

    def write(self, entries: Iterable[Tallies], corrected: Mapping[Series, Tally]) -> dict[Series, Tally]:
        """Add tallies to the disk inside the open transaction; returns the new totals, for `keep` after it.

        `corrected` is what `correct` returned before.
        """
        changed: dict[Series, Tally] = {}
        spend: Tallies = {}
        self._overflowing = 0
        for tallies in entries:
            for (bucket, series), tally in tallies.items():
                kept = self._bounded(series, tally.requests)
                changed.setdefault(kept, Tally()).add(tally)
                spend.setdefault((bucket, kept), Tally()).add(tally)
        if self._overflowing:
            count = "UPDATE counters SET value = value + ? WHERE name = 'overflowed'"
            self._db.execute(count, (self._overflowing,))
        for series, tally in changed.items():
            if series in self.held_back:
                self._net(series, tally)
            if (before := corrected.get(series) or self.by_series.get(series)) is not None:
                tally.add(before)
            self._write_total(series, tally)
        for (bucket, series), tally in spend.items():
            self._add_spend(bucket, series, tally)
        return changed

    def correct(self, entries: Iterable[Tallies]) -> dict[Series, Tally]:
        """Add differences, which may be negative, to the spend and to the totals, inside the open transaction.

        Totals never fall: what would lower one is held back until calls that come have made up for it, beginning with
        those of this transaction (`write`). Returns the new totals.
        """
        by_series: dict[Series, Tally] = {}
        for (bucket, series), difference in (each for differences in entries for each in differences.items()):
            kept = self._bounded(series, 0)
            by_series.setdefault(kept, Tally()).add(difference)
            if kept not in self._ids:
                self._write_total(kept, Tally())
            self._add_spend(bucket, kept, difference)
            self._drop_empty(bucket, self._ids[kept])
        for series, difference in by_series.items():
            self._net(series, difference)
            difference.add(self.by_series.get(series) or Tally())
            self._write_total(series, difference)
        return by_series

    def _net(self, series: Series, tally: Tally) -> None:
        """Take from a tally what is held back, and hold back what is below 0 then."""
        held = tally.take_debt(self.held_back.pop(series, Tally()))
        if held != Tally():
            self.held_back[series] = held
        text = json.dumps(asdict(held)) if series in self.held_back else None
        update = "UPDATE series SET held_back = ? WHERE id = ?"
        self._db.execute(update, (text, self._ids[series]))

    def _drop_empty(self, bucket: int, series_id: int) -> None:
        """Drop a sum of which everything was taken back."""
        nothing = " AND ".join(f"{name} = 0" for name in SUMS)
        delete = f"DELETE FROM spend WHERE bucket = ? AND series = ? AND cost_yocto = '0' AND {nothing}"  # noqa: S608 - our own names
        self._db.execute(delete, (bucket, series_id))

    def adjust(self, differences: Tallies) -> dict[Series, Tally]:
        """Add differences to the spend of their time, inside the open transaction, and leave the totals alone.

        Totals become counters, which must not fall: they keep what each call cost when it was made. Returns the totals
        of series that were new, for `keep`.
        """
        new: dict[Series, Tally] = {}
        for (bucket, series), difference in differences.items():
            kept = self._bounded(series, 0)
            if kept not in self._ids:
                new[kept] = Tally()
                self._write_total(kept, new[kept])
            self._add_spend(bucket, kept, difference, is_new=False)
        return new

    def forget(self, before_s: int) -> None:
        """Drop the spend of before a moment (Unix seconds). The totals stay: counters do not fall."""
        known = self._db.execute("SELECT value FROM meta WHERE name = 'spend_since'").fetchone()
        since = max(before_s, int(known[0]) if known else 0)
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('spend_since', ?)", (str(since),))
        self._db.execute("DELETE FROM spend WHERE bucket < ?", (before_s,))
        self.features.forget(before_s)
        self.feed.lose()

    def keep(self, changed: dict[Series, Tally]) -> None:
        """Make written totals visible, after the commit."""
        for tally in changed.values():
            tally.features = None  # kept per quarter of an hour only
        self.by_series.update(changed)
        self.feed.give(self._written)
        self._written = []
        self.overflowed += self._overflowing
        self._overflowing = 0

    def _bounded(self, series: Series, requests: int) -> Series:
        """Return the series under which calls are kept: its model, or all but the outcome, may become `other`."""
        if series in self._ids or len(self._ids) < MAX_SERIES:
            return series
        self._overflowing += requests
        without_model = series._replace(model=OTHER)
        if without_model in self._ids or len(self._ids) < MAX_SERIES + MAX_OTHER_SERIES:
            return without_model
        return summary_series(series)

    def _write_total(self, series: Series, tally: Tally) -> None:
        values = (*(getattr(tally, name) for name in SUMS), str(tally.cost_yocto), json.dumps(tally.latency))
        names = (*SUMS, "cost_yocto", "latency")
        if series in self._ids:
            changes = ", ".join(f"{name} = ?" for name in names)
            update = f"UPDATE series SET {changes} WHERE id = ?"  # noqa: S608 - our own names
            self._db.execute(update, (*values, self._ids[series]))
            return
        columns = ("created_at", *Series._fields, *names)
        marks = ", ".join("?" * len(columns))
        insert = f"INSERT INTO series ({', '.join(columns)}) VALUES ({marks}) RETURNING id"  # noqa: S608 - our own names
        self.created_at[series] = int(time.time())
        row = (self.created_at[series], *series, *values)
        (self._ids[series],) = self._db.execute(insert, row).fetchone()

    def _add_spend(self, bucket: int, series: Series, tally: Tally, *, is_new: bool = True) -> None:
        place = (bucket, self._ids[series])
        features = self.features.add(*place, tally.features) if tally.features else {}
        if self.feed.is_open:
            change = SpendChange(bucket, series, tally.requests, tally.unpriced, tally.cost_yocto, features, is_new)
            self._written.append(change)
        sums = tuple(getattr(tally, name) for name in SUMS)
        question = "SELECT cost_yocto, sampled FROM spend WHERE bucket = ? AND series = ?"
        found = self._db.execute(question, place).fetchone()
        if found is None:
            columns = ", ".join(("bucket", "series", *SUMS, "cost_yocto", "sampled"))
            marks = ", ".join("?" * (len(SUMS) + 4))
            insert = f"INSERT INTO spend ({columns}) VALUES ({marks})"  # noqa: S608 - our own names
            self._db.execute(insert, (*place, *sums, str(tally.cost_yocto), dump_sampled(tally.sampled)))
            return
        cost, sampled = found
        if tally.sampled:
            sampled = dump_sampled(add_sampled(load_sampled(sampled), tally.sampled))
        changes = ", ".join(f"{name} = {name} + ?" for name in SUMS)
        update = f"UPDATE spend SET {changes}, cost_yocto = ?, sampled = ? WHERE bucket = ? AND series = ?"  # noqa: S608 - our own names
        self._db.execute(update, (*sums, str(int(cost) + tally.cost_yocto), sampled, *place))


def summary_series(series: Series) -> Series:
    """Return the series for calls of all labels but the outcome."""
    return Series(*[OTHER] * (len(Series._fields) - 1), outcome=series.outcome)


def load_sampled(text: str | None) -> dict[int, Sampled]:
    """Read the column `sampled` of a spend."""
    return {int(threshold): Sampled(*calls) for threshold, calls in json.loads(text or "{}").items()}


def dump_sampled(sampled: dict[int, Sampled] | None) -> str | None:
    """Write the column `sampled` of a spend; NULL when there are no such calls, as almost always."""
    return json.dumps(sampled) if sampled else None
