"""Where the spend will end: the formulas of docs/budgets.md."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from budgets.lab import DAY, HOUR, NOON, USD, Effect, lab
from llmlab.budgets import Window
from llmlab_exporter.budgets.forecast import MIN_CALLS, PROFILE_WEEKS, Course, burn_rate, forecast

WEEK = 7 * DAY
MONTH = Window(int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()), int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()))


def course(
    rate: Callable[[int], float], weeks: float, now: float = NOON, window: Window = MONTH, limit_usd: float = 1e9
) -> Course:
    """Make a course of which every hour of the last weeks cost what `rate` says of its number."""
    first = int((now - weeks * WEEK) // HOUR)
    hours = {hour: rate(hour) for hour in range(first, int(now // HOUR))}
    spent = sum(usd for hour, usd in hours.items() if window.start_s <= hour * HOUR)
    since = max(first * HOUR, window.start_s)
    return Course(
        window=window, zone="UTC", now=now, limit_usd=limit_usd, spent_usd=spent, calls=1000, since_s=since, hours=hours
    )


def business_hours(hour: int) -> float:
    when = datetime.fromtimestamp(hour * HOUR, UTC)
    return 8.0 if when.weekday() < 5 and 9 <= when.hour < 18 else 0.25


@pytest.mark.parametrize("weeks", [2, 3, 4, 6])
def test_what_repeats_every_week_is_foretold_to_the_cent(weeks: int) -> None:
    known = course(business_hours, weeks)
    made = forecast(known)
    assert made is not None
    rest = sum(business_hours(hour) for hour in range(int(NOON // HOUR), MONTH.end_s // HOUR))
    assert made.method == "profile"
    assert made.usd == pytest.approx(known.spent_usd + rest)


def test_a_straight_line_would_be_far_off_on_monday_morning() -> None:
    monday = int(datetime(2026, 11, 16, 8, tzinfo=UTC).timestamp())
    week = Window(monday - 8 * HOUR, monday - 8 * HOUR + WEEK)
    made = forecast(course(business_hours, 4, monday, week))
    assert made is not None
    actual = sum(business_hours(hour) for hour in range(week.start_s // HOUR, week.end_s // HOUR))
    assert made.usd == pytest.approx(actual)
    straight = forecast(course(business_hours, 1.9, monday + HOUR, week))
    assert straight is not None
    assert straight.method == "pace"
    assert straight.usd < actual / 3


def test_the_level_is_that_of_the_last_seven_days() -> None:
    last_week = int((NOON - WEEK) // HOUR)
    grown = forecast(course(lambda hour: 2.0 if hour >= last_week else 1.0, 4))
    assert grown is not None
    hours_left = (MONTH.end_s - NOON) / HOUR
    assert grown.usd - course(lambda hour: 2.0 if hour >= last_week else 1.0, 4).spent_usd == pytest.approx(
        2 * hours_left
    )


def test_when_nothing_was_spent_lately_nothing_more_is_expected() -> None:
    last_week = int((NOON - WEEK) // HOUR)
    known = course(lambda hour: 0.0 if hour >= last_week else 1.0, 4)
    made = forecast(known)
    assert made is not None
    assert made.usd == known.spent_usd


def test_no_more_than_four_weeks_make_the_profile() -> None:
    old = int((NOON - PROFILE_WEEKS * WEEK) // HOUR)
    assert forecast(course(lambda hour: 1.0 if hour >= old else 50.0 * (hour % 2), 8)) == pytest.approx(
        forecast(course(lambda _: 1.0, 4))
    )


@pytest.mark.parametrize(
    ("elapsed", "calls", "usd"),
    [(0.0499, 1000, None), (0.0501, 1000, 100.0), (0.5, MIN_CALLS - 1, None), (0.5, MIN_CALLS, 100.0)],
)
def test_a_pace_needs_a_twentieth_of_the_period_and_some_calls(elapsed: float, calls: int, usd: float | None) -> None:
    known = Course(
        window=MONTH,
        zone="UTC",
        now=MONTH.start_s + elapsed * MONTH.length_s,
        limit_usd=50,
        spent_usd=100 * elapsed,
        calls=calls,
        since_s=MONTH.start_s,
        hours={},
    )
    made = forecast(known)
    assert (made.usd if made else None) == (None if usd is None else pytest.approx(usd))


def test_a_pace_begins_with_the_first_call_and_not_with_a_period_before_it() -> None:
    begin = MONTH.start_s + 0.5 * MONTH.length_s
    known = Course(
        window=MONTH,
        zone="UTC",
        now=begin + 0.1 * MONTH.length_s,
        limit_usd=50,
        spent_usd=10,
        calls=1000,
        since_s=begin,
        hours={},
    )
    made = forecast(known)
    assert made is not None
    assert made.usd == pytest.approx(10 + 100 * 0.4)


def test_the_moment_at_which_the_limit_is_reached() -> None:
    known = replace(course(lambda _: 1.0, 4), limit_usd=0.0)
    spent = known.spent_usd
    for limit, moment in ((spent + 36.5, NOON + 36.5 * HOUR), (spent + 1e6, None), (spent - 1, None), (spent, None)):
        made = forecast(replace(known, limit_usd=limit))
        assert made is not None
        assert made.exhausted_at == (None if moment is None else pytest.approx(moment))


@given(
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo"]),
    st.dictionaries(st.integers(-700, 0), st.floats(0, 1e6), max_size=60),
    st.floats(0, 0.999),
    st.floats(1e-6, 1e9),
)
def test_a_forecast_is_never_below_what_is_spent_and_the_limit_falls_inside_the_rest(
    zone: str, history: dict[int, float], elapsed: float, limit: float
) -> None:
    now = MONTH.start_s + elapsed * MONTH.length_s
    spent = sum(usd for ago, usd in history.items() if now + ago * HOUR >= MONTH.start_s)
    assume(history)
    known = Course(
        window=MONTH,
        zone=zone,
        now=now,
        limit_usd=limit,
        spent_usd=spent,
        calls=100,
        since_s=min(max(MONTH.start_s, now + min(history) * HOUR), now),
        hours={int(now // HOUR) + ago: usd for ago, usd in history.items()},
    )
    made = forecast(known)
    if made is not None:
        assert made.usd >= spent
        if made.exhausted_at is not None:
            assert now <= made.exhausted_at <= MONTH.end_s
            assert spent < limit <= made.usd * (1 + 1e-9)


def test_an_even_pace_burns_at_one() -> None:
    assert burn_rate(1000 / 30 / 24, HOUR, 1000, MONTH) == pytest.approx(1)
    assert burn_rate(1000 / 30 / 24 * 14.4, HOUR, 1000, MONTH) == pytest.approx(14.4)


def test_the_ledger_gives_the_same_forecast_live_and_after_a_restart(tmp_path: Path) -> None:
    begin = NOON - 3 * WEEK
    with lab(tmp_path / "ledger.sqlite", begin) as now:
        now.set(2000, scope={"feature": "search"}, name="search")
        now.set(name="weekly", period="week", time_zone="Asia/Kolkata")
        for hour in range(begin // HOUR, NOON // HOUR, 3):
            now.now = hour * HOUR
            cost = round(business_hours(hour) * USD)
            now.commit(*(Effect(hour * HOUR, cost // 2, feature="search") for _ in range(2)))
            if hour % 24 == 0:
                now.statuses()
        now.now = NOON
        live = now.statuses()
        now.tracker = now.new_tracker()
        read = now.statuses()
    for name in ("search", "weekly"):
        assert live[name].forecast is not None
        assert read[name].forecast == pytest.approx(live[name].forecast)
        assert read[name].burn_rate == pytest.approx(live[name].burn_rate)
    assert live["search"].forecast is not None
    assert live["search"].forecast.method == "profile"


def test_the_burn_rate_is_that_of_the_last_hour(tmp_path: Path) -> None:
    with lab(tmp_path / "ledger.sqlite", NOON + 600) as now:
        now.set(24, period="day", name="daily")
        now.commit(Effect(NOON - 2 * HOUR, 100 * USD), Effect(NOON - HOUR + 900, 2 * USD), Effect(NOON, USD))
        for _ in range(2):
            # From 11:00 on, the first whole quarter of an hour that begins within the last hour and 15 minutes.
            assert now.statuses()["daily"].burn_rate == pytest.approx(3 / (70 / 60))
            now.tracker = now.new_tracker()
        now.now += 2 * HOUR
        assert now.statuses()["daily"].burn_rate == 0
