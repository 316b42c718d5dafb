"""What is valid when: prices change on dates, and some of them with the time of day."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")

DAY_NS = 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Schedule(Generic[T]):
    """One value for any moment. All windows are half open: a boundary belongs to what begins there."""

    epochs: tuple[int, ...]
    """Unix nanoseconds at which another row of `values` begins to apply, ascending."""
    slots: tuple[int, ...]
    """Nanoseconds since midnight UTC at which another column begins to apply, ascending."""
    values: tuple[tuple[T, ...], ...]
    """One row more than epochs, one column more than slots: the first of either applies before the first boundary."""

    def at(self, at_ns: int) -> T:
        """Return what is valid at a moment in Unix nanoseconds, which may lie before 1970."""
        row = self.values[bisect_right(self.epochs, at_ns)] if self.epochs else self.values[0]
        return row[bisect_right(self.slots, at_ns % DAY_NS)] if self.slots else row[0]


def constant(value: T) -> Schedule[T]:
    """Return the schedule of what never changes."""
    return Schedule((), (), ((value,),))


def during(value: T, otherwise: T, start_ns: int | None, end_ns: int | None) -> Schedule[T]:
    """Return the schedule of a value that holds from one moment until another, None being for ever."""
    epochs = [moment for moment in (start_ns, end_ns) if moment is not None]
    rows = [value] if start_ns is None else [otherwise, value]
    if end_ns is not None:
        rows.append(otherwise)
    return Schedule(tuple(epochs), (), tuple((row,) for row in rows))


def combine(first: Schedule[A], second: Schedule[B], join: Callable[[A, B], C]) -> Schedule[C]:
    """Return the schedule that at any moment has what `join` makes of the values that both have then."""
    epochs = sorted({*first.epochs, *second.epochs})
    slots = sorted({*first.slots, *second.slots})
    before = min(epochs) - 1 if epochs else 0
    return Schedule(
        tuple(epochs),
        tuple(slots),
        tuple(
            tuple(join(_cell(first, epoch, slot), _cell(second, epoch, slot)) for slot in (0, *slots))
            for epoch in (before, *epochs)
        ),
    )


def _cell(schedule: Schedule[T], epoch: int, slot: int) -> T:
    return schedule.values[bisect_right(schedule.epochs, epoch)][bisect_right(schedule.slots, slot)]
