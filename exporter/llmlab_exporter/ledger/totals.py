"""What was spent, exactly: a running total per series, and the same per quarter of an hour."""

import json
import sqlite3
from collections.abc import Iterable

from llmlab_exporter.ledger.schema import SUMS
from llmlab_exporter.tally import Series, Tallies, Tally

MAX_SERIES = 20_000
"""Beyond so many label sets, new models are summed up under `other`; the stored rows keep their names."""


class Totals:
    """Reads and writes totals. `by_series` is what the disk holds as of the last commit."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._ids: dict[Series, int] = {}
        self.by_series: dict[Series, Tally] = {}
        """Its tallies are replaced, never edited, so that another thread may read a copy of the dict."""
        self.load()

    def load(self) -> None:
        """Read everything from the disk."""
        self._ids.clear()
        columns = ", ".join(("id", *Series._fields, *SUMS, "cost_yocto", "latency"))
        totals: dict[Series, Tally] = {}
        labels = len(Series._fields)
        for row_id, *row in self._db.execute(f"SELECT {columns} FROM series"):  # noqa: S608 - our own names
            series = Series(*row[:labels])
            self._ids[series] = row_id
            sums = dict(zip(SUMS, row[labels:-2], strict=True))
            totals[series] = Tally(**sums, cost_yocto=int(row[-2]), latency=json.loads(row[-1]))
        self.by_series = totals

    def write(self, entries: Iterable[Tallies]) -> dict[Series, Tally]:
        """Add tallies to the disk inside the open transaction; returns the new totals, for `keep` after it."""
        changed: dict[Series, Tally] = {}
        spend: Tallies = {}
        for tallies in entries:
            for (bucket, series), tally in tallies.items():
                kept = self._bounded(series)
                changed.setdefault(kept, Tally()).add(tally)
                spend.setdefault((bucket, kept), Tally()).add(tally)
        for series, tally in changed.items():
            if series in self.by_series:
                tally.add(self.by_series[series])
            self._write_total(series, tally)
        for (bucket, series), tally in spend.items():
            self._add_spend(bucket, self._ids[series], tally)
        return changed

    def adjust(self, differences: Tallies) -> dict[Series, Tally]:
        """Add differences to the spend of their time, inside the open transaction, and leave the totals alone.

        Totals become counters, which must not fall: they keep what each call cost when it was made. Returns the totals
        of series that were new, for `keep`.
        """
        new: dict[Series, Tally] = {}
        for (bucket, series), difference in differences.items():
            kept = self._bounded(series)
            if kept not in self._ids:
                new[kept] = Tally()
                self._write_total(kept, new[kept])
            self._add_spend(bucket, self._ids[kept], difference)
        return new

    def keep(self, changed: dict[Series, Tally]) -> None:
        """Make written totals visible, after the commit."""
        self.by_series.update(changed)

    def _bounded(self, series: Series) -> Series:
        if series in self._ids or len(self._ids) < MAX_SERIES:
            return series
        return series._replace(model="other")

    def _write_total(self, series: Series, tally: Tally) -> None:
        values = (*(getattr(tally, name) for name in SUMS), str(tally.cost_yocto), json.dumps(tally.latency))
        names = (*SUMS, "cost_yocto", "latency")
        if series in self._ids:
            changes = ", ".join(f"{name} = ?" for name in names)
            update = f"UPDATE series SET {changes} WHERE id = ?"  # noqa: S608 - our own names
            self._db.execute(update, (*values, self._ids[series]))
            return
        columns = (*Series._fields, *names)
        marks = ", ".join("?" * len(columns))
        insert = f"INSERT INTO series ({', '.join(columns)}) VALUES ({marks}) RETURNING id"  # noqa: S608 - our own names
        (self._ids[series],) = self._db.execute(insert, (*series, *values)).fetchone()

    def _add_spend(self, bucket: int, series_id: int, tally: Tally) -> None:
        place = (bucket, series_id)
        sums = tuple(getattr(tally, name) for name in SUMS)
        found = self._db.execute("SELECT cost_yocto FROM spend WHERE bucket = ? AND series = ?", place).fetchone()
        if found is None:
            columns = ", ".join(("bucket", "series", *SUMS, "cost_yocto"))
            marks = ", ".join("?" * (len(SUMS) + 3))
            insert = f"INSERT INTO spend ({columns}) VALUES ({marks})"  # noqa: S608 - our own names
            self._db.execute(insert, (*place, *sums, str(tally.cost_yocto)))
            return
        changes = ", ".join(f"{name} = {name} + ?" for name in SUMS)
        update = f"UPDATE spend SET {changes}, cost_yocto = ? WHERE bucket = ? AND series = ?"  # noqa: S608 - our own names
        self._db.execute(update, (*sums, str(int(found[0]) + tally.cost_yocto), *place))
