"""Where the spend of a period will end if things go on as they do. docs/budgets.md explains the formulas.

Amounts are USD as floats: an estimate has no 24 digits.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from llmlab.budgets import Window

HOUR_S = 3600
WEEK_S = 7 * 24 * HOUR_S
PROFILE_WEEKS = 4
"""At most so many whole weeks make a profile, and at least two."""
MIN_WEEKS = 2
MIN_ELAPSED = 0.05
"""The part of a period that must be over before its pace means anything."""
MIN_CALLS = 10
"""So few calls say nothing about the rest of the period."""

Method = Literal["profile", "pace"]
Rate = Callable[[float], float]
"""USD per second at a moment, Unix seconds."""


class Forecast(NamedTuple):
    """An estimate of what a period will have cost at its end."""

    usd: float
    method: Method
    exhausted_at: float | None
    """When the limit will be reached, Unix seconds; None when not in this period, or when it was reached before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is known of a budget at a moment."""

    window: Window
    zone: str
    now: float
    limit_usd: float
    spent_usd: float
    calls: int
    """Calls of the period whose cost is known."""
    since_s: float
    """When the first call of the budget that is remembered was made; the beginning of the period, if that is later."""
    hours: Mapping[int, float]
    """Spend by the hour, for the last weeks, by its number since 1970 (UTC)."""


def forecast(course: Course) -> Forecast | None:
    """Estimate where the period will end; None when too little is known to say."""
    rate = profile(course)
    if rate is not None:
        return _project(course, rate, "profile")
    observed_s = course.now - course.since_s
    if observed_s < MIN_ELAPSED * course.window.length_s or course.calls < MIN_CALLS:
        return None
    pace = course.spent_usd / observed_s
    return _project(course, lambda _: pace, "pace")


def profile(course: Course) -> Rate | None:
    """Return the rate at each hour of the week, at the level of the last seven days; None before two weeks are full.

    Each of the 168 hours of a week has the share in the spend of a week that it had in the last two to four weeks.
    """
    end = int(course.now // HOUR_S)
    spent = [hour for hour, usd in course.hours.items() if hour < end and usd]
    weeks = min((end - min(spent, default=end)) * HOUR_S // WEEK_S, PROFILE_WEEKS)
    if weeks < MIN_WEEKS:
        return None
    begin = end - weeks * WEEK_S // HOUR_S
    sums: dict[int, float] = {}
    for hour, usd in course.hours.items():
        if begin <= hour < end:
            place = _hour_of_week(course.zone, hour)
            sums[place] = sums.get(place, 0.0) + usd
    total = sum(sums.values())
    if total <= 0:
        return lambda _: 0.0
    level = sum(usd for hour, usd in course.hours.items() if end - WEEK_S // HOUR_S <= hour < end)
    return lambda at_s: level * sums.get(_hour_of_week(course.zone, int(at_s // HOUR_S)), 0.0) / total / HOUR_S


def burn_rate(spent_usd: float, over_s: float, limit_usd: float, window: Window) -> float:
    """Return how many times faster money was spent than a pace that would use up the limit at the period's end."""
    return spent_usd / over_s / (limit_usd / window.length_s)


def _project(course: Course, rate: Rate, method: Method) -> Forecast:
    """Add up what the rate gives for the rest of the period, and find the moment when the limit is reached."""
    total = course.spent_usd
    exhausted_at: float | None = None
    for start_s, end_s in _hours(course.now, course.window.end_s):
        step = rate(start_s) * (end_s - start_s)
        if total < course.limit_usd <= total + step:
            exhausted_at = start_s + (course.limit_usd - total) / step * (end_s - start_s)
        total += step
    return Forecast(total, method, exhausted_at)


def _hours(since_s: float, until_s: float) -> Iterator[tuple[float, float]]:
    """Cut a stretch of time at every full hour."""
    while since_s < until_s:
        end_s = min((since_s // HOUR_S + 1) * HOUR_S, until_s)
        yield since_s, end_s
        since_s = end_s


@lru_cache(maxsize=65_536)
def _hour_of_week(zone: str, hour: int) -> int:
    """Return at which hour of a week, by the clocks of a zone, an hour began."""
    local = datetime.fromtimestamp(hour * HOUR_S, ZoneInfo(zone))
    return local.weekday() * 24 + local.hour
