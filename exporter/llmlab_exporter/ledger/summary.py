"""Questions to the ledger: what was spent when, on which model. Exact, and true as of the last commit."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import NamedTuple

from llmlab_exporter.ledger.totals import dump_sampled, load_sampled
from llmlab_exporter.tally import Sampled, add_sampled


class Model(NamedTuple):
    """What spend is grouped by."""

    provider: str
    model: str


@dataclass(slots=True)
class Spend:
    """Calls of one group and what they cost."""

    requests: int = 0
    priced: int = 0
    unpriced: int = 0
    estimated: int = 0
    provider_priced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0
    sampled: dict[int, Sampled] = field(default_factory=dict[int, Sampled])
    """Those of the calls that stand for others, by their threshold."""

    @property
    def cost_yocto(self) -> int | None:
        """The known cost in yocto-USD; None when there were calls and nobody knows the cost of any of them."""
        return None if self.unpriced and not self.priced else self.cost

    def add(self, other: "Spend") -> None:
        """Add another group."""
        self.requests += other.requests
        self.priced += other.priced
        self.unpriced += other.unpriced
        self.estimated += other.estimated
        self.provider_priced += other.provider_priced
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cost += other.cost
        self.sampled = add_sampled(self.sampled, other.sampled)


ByModel = dict[Model, Spend]


class _ExactSum:
    """SQL aggregate over integers written as text: SQLite's own sum ends at 64 bits."""

    def __init__(self) -> None:
        self.total = 0

    def step(self, value: str) -> None:
        self.total += int(value)

    def finalize(self) -> str:
        return str(self.total)


class _SampledSum:
    """SQL aggregate over the column `sampled`."""

    def __init__(self) -> None:
        self.total: dict[int, Sampled] = {}

    def step(self, value: str | None) -> None:
        if value:
            self.total = add_sampled(self.total, load_sampled(value))

    def finalize(self) -> str | None:
        return dump_sampled(self.total)


_QUESTION = """
    SELECT provider, model, sum(s.requests), sum(s.priced), sum(s.unpriced),
           sum(s.estimated), sum(s.provider_priced), sum(s.input), sum(s.output), exact_sum(s.cost_yocto),
           sampled_sum(s.sampled)
    FROM spend AS s JOIN series ON series.id = s.series
    WHERE bucket >= ? AND bucket < ?
    GROUP BY provider, model
"""


class Summary:
    """Reads a ledger that somebody else writes. Opens the file anew for each question, so it suits any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def days(self, first: date, last: date, zone: tzinfo) -> dict[date, ByModel]:
        """Return spend by model for each local day from `first` to `last`, both included, empty days too."""
        count = (last - first).days + 1
        wanted = [first + timedelta(days=offset) for offset in range(count)]
        with closing(self._open()) as db:
            return {day: _ask(db, _midnight(day, zone), _midnight(day + timedelta(days=1), zone)) for day in wanted}

    def all_time(self) -> ByModel:
        """Return spend by model since the ledger began."""
        with closing(self._open()) as db:
            return _ask(db, -(2**62), 2**62)

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)
        db.create_aggregate("exact_sum", 1, _ExactSum)  # pyright: ignore[reportArgumentType] - stubs want a float sum
        db.create_aggregate("sampled_sum", 1, _SampledSum)  # pyright: ignore[reportArgumentType] - as above
        return db


def total(groups: ByModel) -> Spend:
    """Add all groups up."""
    result = Spend()
    for spend in groups.values():
        result.add(spend)
    return result


def merge(parts: "list[ByModel]") -> ByModel:
    """Add groups up model by model."""
    merged: ByModel = {}
    for part in parts:
        for model, spend in part.items():
            merged.setdefault(model, Spend()).add(spend)
    return merged


def _ask(db: sqlite3.Connection, since: int, until: int) -> ByModel:
    return {
        Model(provider, model): Spend(*counts, cost=int(cost), sampled=load_sampled(sampled))
        for provider, model, *counts, cost, sampled in db.execute(_QUESTION, (since, until))
    }


def _midnight(day: date, zone: tzinfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())
