from hypothesis import given
from hypothesis import strategies as st

from llmlab.pricing.schedule import DAY_NS, Schedule, combine, constant, during

HOUR_NS = DAY_NS // 24


def test_a_boundary_belongs_to_what_begins_there():
    dated = Schedule((1000,), (), (("old",), ("new",)))
    assert [dated.at(at) for at in (999, 1000, 1001)] == ["old", "new", "new"]


def test_a_time_of_day_holds_every_day_also_before_1970():
    daily = Schedule((), (8 * HOUR_NS, 18 * HOUR_NS), (("night", "day", "night"),))
    for day in (-400, -1, 0, 20_000):
        midnight = day * DAY_NS
        hours = (0, 7, 8, 17, 18, 23)
        assert [daily.at(midnight + hour * HOUR_NS) for hour in hours] == [
            "night",
            "night",
            "day",
            "day",
            "night",
            "night",
        ]
        assert [daily.at(midnight + 8 * HOUR_NS - 1), daily.at(midnight + 18 * HOUR_NS - 1)] == ["night", "day"]


@given(st.integers(), st.lists(st.integers(), unique=True), st.lists(st.integers(1, DAY_NS - 1), unique=True))
def test_every_moment_has_exactly_the_value_of_its_row_and_column(at: int, epochs: list[int], slots: list[int]):
    rows = tuple(tuple((row, column) for column in range(len(slots) + 1)) for row in range(len(epochs) + 1))
    found = Schedule(tuple(sorted(epochs)), tuple(sorted(slots)), rows).at(at)
    assert found == (sum(epoch <= at for epoch in epochs), sum(slot <= at % DAY_NS for slot in slots))


def schedule(epochs: set[int], slots: set[int]) -> Schedule[tuple[int, int]]:
    rows = tuple(tuple((row, column) for column in range(len(slots) + 1)) for row in range(len(epochs) + 1))
    return Schedule(tuple(sorted(epochs)), tuple(sorted(slots)), rows)


schedules = st.builds(schedule, st.sets(st.integers(-50, 50), max_size=4), st.sets(st.integers(1, 50), max_size=3))


@given(schedules, schedules, st.integers(-60, 60))
def test_two_schedules_combined_have_at_any_moment_what_both_have_then(
    first: Schedule[tuple[int, int]], second: Schedule[tuple[int, int]], at: int
):
    assert combine(first, second, lambda a, b: (a, b)).at(at) == (first.at(at), second.at(at))


def test_what_holds_for_a_time_holds_from_its_start_until_before_its_end():
    held = during("on", "off", 10, 20)
    assert [held.at(at) for at in (9, 10, 19, 20)] == ["off", "on", "on", "off"]
    assert [during("on", "off", None, 20).at(at) for at in (-(10**30), 19, 20)] == ["on", "on", "off"]
    assert [during("on", "off", 10, None).at(at) for at in (9, 10, 10**30)] == ["off", "on", "on"]
    assert constant("on").at(-1) == during("on", "off", None, None).at(0) == "on"
