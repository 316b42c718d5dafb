"""What is valid when: prices change on dates, and some of them with the time of day."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

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
