"""What pricing again changes: calls and money, by day and model."""

import json
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import NamedTuple

from llmlab_exporter.call import Call

_DAY_NS = 86_400 * 1_000_000_000
_EPOCH = date(1970, 1, 1)


class Group(NamedTuple):
    """What is added up together."""

    day: int
    """Days since 1970, UTC, of the end of the call."""
    provider: str
    model: str

    @property
    def date(self) -> date:
        """The day as a date."""
        return _EPOCH + timedelta(days=self.day)


@dataclass(slots=True)
class Sums:
    """Calls of one group under the old and the new prices."""

    calls: int = 0
    changed: int = 0
    """Calls whose price or its provenance is another one now."""
    newly_priced: int = 0
    no_longer_priced: int = 0
    still_unpriced: int = 0
    old_priced: int = 0
    old_yocto: int = 0
    new_priced: int = 0
    new_yocto: int = 0
    recomputed: int = 0
    """Those of `changed` whose cost is the provider's and stays: what we compute beside it is another now."""

    def add(self, other: "Sums") -> None:
        """Add another group."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    @property
    def old_cost_yocto(self) -> int | None:
        """The old spend; None when there were calls and none of them had a price."""
        return self.old_yocto if self.old_priced or not self.calls else None

    @property
    def new_cost_yocto(self) -> int | None:
        """The new spend, likewise."""
        return self.new_yocto if self.new_priced or not self.calls else None


class Report:
    """Sums of all groups."""

    def __init__(self, groups: dict[Group, Sums] | None = None) -> None:
        self._groups = groups or {}

    def count(self, call: Call, old: int | None, new: int | None, *, is_changed: bool, is_said: bool) -> None:
        """Count one call with its old and its new cost in yocto-USD; `is_said` when that is the provider's word."""
        group = Group(call.end_ns // _DAY_NS, call.provider, call.model)
        sums = self._groups.get(group)
        if sums is None:
            sums = self._groups[group] = Sums()
        sums.calls += 1
        sums.changed += is_changed
        sums.recomputed += is_changed and is_said
        if old is not None:
            sums.old_priced += 1
            sums.old_yocto += old
            sums.no_longer_priced += new is None
        if new is None:
            sums.still_unpriced += old is None
            return
        sums.new_priced += 1
        sums.new_yocto += new
        sums.newly_priced += old is None

    @property
    def calls(self) -> int:
        """All calls that were priced again."""
        return sum(sums.calls for sums in self._groups.copy().values())

    def total(self) -> Sums:
        """Add all groups up."""
        total = Sums()
        for sums in self._groups.copy().values():
            total.add(sums)
        return total

    def by_model(self) -> list[tuple[Group, Sums]]:
        """Add groups up model by model, the largest difference first.

        Models of which nothing is to be said are left out. The day of the groups means nothing.
        """
        models: dict[Group, Sums] = {}
        for group, sums in self._groups.copy().items():
            models.setdefault(group._replace(day=0), Sums()).add(sums)
        return _ranked({group: sums for group, sums in models.items() if sums.changed or sums.still_unpriced})

    def by_day(self) -> list[tuple[Group, Sums]]:
        """Return the groups in which something changes, by day, and the largest difference of a day first."""
        return _ranked({group: sums for group, sums in self._groups.copy().items() if sums.changed})

    def dump(self) -> str:
        """Write everything, to go on later."""
        return json.dumps(
            [[*group, *(getattr(sums, field.name) for field in fields(Sums))] for group, sums in self._groups.items()]
        )


def load_report(text: str) -> Report:
    """Read a report back."""
    width = len(Group._fields)
    return Report({Group(*row[:width]): Sums(*row[width:]) for row in json.loads(text)})


def _ranked(groups: dict[Group, Sums]) -> list[tuple[Group, Sums]]:
    return sorted(groups.items(), key=_rank)


def _rank(item: tuple[Group, Sums]) -> tuple[int, int, int, Group]:
    group, sums = item
    return group.day, -abs(sums.new_yocto - sums.old_yocto), -sums.calls, group
