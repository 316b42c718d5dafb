"""Stretches of time that a budget's limit holds for. A new one begins by itself: there is nothing to reset.

Days, weeks and months begin at midnight in the budget's time zone. A day on which clocks are put forward or back has
23, 25 or some other number of hours. Where a midnight does not exist, the day begins at the first moment after it;
where it comes twice, at the first.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

Period = Literal["run", "hour", "day", "week", "month", "total"]
PERIODS: tuple[Period, ...] = get_args(Period)

_HOUR_S = 3600


class Window(NamedTuple):
    """One period: from its first second to the one after its last, in Unix seconds."""

    start_s: int
    end_s: int

    @property
    def length_s(self) -> int:
        """How long it is, in seconds."""
        return self.end_s - self.start_s


def window_at(period: Period, zone: str, at_s: float) -> Window | None:
    """Return the window of a period that a moment (Unix seconds) lies in.

    None for `run` and `total`, which are not cut out of time. Hours are those of UTC, weeks begin on Monday.
    Raises `zoneinfo.ZoneInfoNotFoundError` for an unknown zone.
    """
    if period in {"run", "total"}:
        return None
    if period == "hour":
        start_s = int(at_s // _HOUR_S) * _HOUR_S
        return Window(start_s, start_s + _HOUR_S)
    where = ZoneInfo(zone)
    first = _first_day(period, datetime.fromtimestamp(at_s, where).date())
    return Window(_midnight(first, where), _midnight(_first_day(period, first + _LONGER[period]), where))


_LONGER = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=31)}
"""From the first day of a period, leads into the next."""


def _first_day(period: Period, day: date) -> date:
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day


def _midnight(day: date, where: ZoneInfo) -> int:
    # Of a midnight that comes twice, fold=0 is the first. One that is skipped is read by the offset before it, which
    # makes it the very moment of the change.
    return int(datetime(day.year, day.month, day.day, tzinfo=where).astimezone(UTC).timestamp())
