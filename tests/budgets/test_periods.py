"""Laws of periods, in zones whose clocks do odd things."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.budgets.periods import PERIODS, Period, Window, window_at
from llmlab_exporter.tally import BUCKET_S

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",  # changed its clocks at midnight, until 2019
    "America/Havana",  # still does
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # by half an hour
    "Pacific/Apia",  # left out a day in 2011
    "Pacific/Chatham",
)
moments = st.integers(
    int(datetime(2010, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2040, 1, 1, tzinfo=UTC).timestamp())
)
calendar: tuple[Period, ...] = ("hour", "day", "week", "month")


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def window(period: Period, zone: str, moment: float) -> Window:
    found = window_at(period, zone, moment)
    assert found is not None
    return found


@given(st.sampled_from(calendar), st.sampled_from(ZONES), moments)
def test_every_moment_lies_in_its_period_and_the_next_period_begins_where_it_ends(
    period: Period, zone: str, moment: int
) -> None:
    found = window(period, zone, moment)
    assert found.start_s <= moment < found.end_s
    assert window(period, zone, found.start_s) == window(period, zone, found.end_s - 1) == found
    assert window(period, zone, found.end_s).start_s == found.end_s


@given(st.sampled_from(calendar), st.sampled_from(ZONES), moments)
def test_every_period_is_a_whole_number_of_quarters_of_an_hour(period: Period, zone: str, moment: int) -> None:
    found = window(period, zone, moment)
    assert found.start_s % BUCKET_S == found.end_s % BUCKET_S == 0


@given(st.sampled_from(ZONES), moments)
def test_a_day_is_what_the_calendar_on_the_wall_says(zone: str, moment: int) -> None:
    where = ZoneInfo(zone)
    found = window("day", zone, moment)
    day = datetime.fromtimestamp(moment, where).date()
    assert datetime.fromtimestamp(found.start_s, where).date() == day
    assert datetime.fromtimestamp(found.end_s - 1, where).date() == day
    assert datetime.fromtimestamp(found.end_s, where).date() > day
    assert datetime.fromtimestamp(found.start_s - 1, where).date() < day


@given(st.sampled_from(ZONES), moments)
def test_days_fill_weeks_and_months(zone: str, moment: int) -> None:
    for longer in ("week", "month"):
        whole = window(longer, zone, moment)
        cursor = whole.start_s
        while cursor < whole.end_s:
            cursor = window("day", zone, cursor).end_s
        assert cursor == whole.end_s


@given(st.sampled_from(ZONES), moments)
def test_a_week_begins_on_monday_and_a_month_on_its_first(zone: str, moment: int) -> None:
    where = ZoneInfo(zone)
    assert datetime.fromtimestamp(window("week", zone, moment).start_s, where).weekday() == 0
    month = window("month", zone, moment)
    begin = datetime.fromtimestamp(month.start_s, where)
    assert begin.day == 1 or zone == "Pacific/Apia"
    assert datetime.fromtimestamp(month.end_s, where) - begin < timedelta(days=32)


@pytest.mark.parametrize(
    ("zone", "moment", "start", "hours"),
    [
        ("Europe/Berlin", "2026-03-29T12:00", "2026-03-28T23:00", 23),
        ("Europe/Berlin", "2026-10-25T12:00", "2026-10-24T22:00", 25),
        ("Asia/Kolkata", "2026-03-29T12:00", "2026-03-28T18:30", 24),
        ("Australia/Lord_Howe", "2026-04-05T12:00", "2026-04-04T13:00", 24.5),
        ("Australia/Lord_Howe", "2026-10-04T12:00", "2026-10-03T13:30", 23.5),
        # There was no midnight: the day began at one o'clock, which was 03:00 UTC.
        ("America/Sao_Paulo", "2018-11-04T12:00", "2018-11-04T03:00", 23),
        # The evening before came twice.
        ("America/Sao_Paulo", "2019-02-16T12:00", "2019-02-16T02:00", 25),
        ("America/Sao_Paulo", "2026-11-21T12:00", "2026-11-21T03:00", 24),
        # Midnight itself came twice, and the day begins with the first.
        ("America/Havana", "2026-11-01T12:00", "2026-11-01T04:00", 25),
    ],
)
def test_days_on_which_clocks_change(zone: str, moment: str, start: str, hours: float) -> None:
    found = window("day", zone, at(moment, zone))
    assert found.start_s == at(start)
    assert found.length_s == hours * 3600


def test_the_day_that_samoa_left_out_is_in_no_period() -> None:
    before = window("day", "Pacific/Apia", at("2011-12-29T12:00", "Pacific/Apia"))
    after = window("day", "Pacific/Apia", before.end_s)
    assert datetime.fromtimestamp(after.start_s, ZoneInfo("Pacific/Apia")).date().isoformat() == "2011-12-31"
    assert before.length_s == after.length_s == 24 * 3600


@pytest.mark.parametrize(
    ("moment", "days"), [("2028-02-15", 29), ("2026-02-28T23:59", 28), ("2026-12-31T23:59:59", 31)]
)
def test_months_have_their_days(moment: str, days: int) -> None:
    assert window("month", "UTC", at(moment)).length_s == days * 86_400


def test_a_run_and_the_total_are_not_cut_out_of_time() -> None:
    assert [period for period in PERIODS if window_at(period, "UTC", 0) is None] == ["run", "total"]
