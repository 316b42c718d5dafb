"""Budgets over several exporters, with real ledgers and a real Redis."""

import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budgets.lab import DAY, HOUR, NOON, USD, Effect, expected, found
from budgets.sharing_lab import Cluster, cluster
from llmlab_exporter.budgets.shared.presence import KEEP_S
from llmlab_exporter.budgets.shared.sharing import StillRuns
from servers import needs

pytestmark = [pytest.mark.e2e, needs("redis-server")]

NAMES = ("one", "two", "three")


def spent(shared: Cluster, name: str = "monthly") -> set[int]:
    """Return what the exporters say is spent of a budget: one number, when they agree."""
    return {member.status(name).spent_yocto for member in shared.members.values()}


def test_every_exporter_tells_the_whole_to_the_last_digit(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set(1000)
        shared.settle()
        one.lab.commit(Effect(NOON, 10**36 + 1), Effect(NOON, 0, unpriced=1))
        two.lab.commit(Effect(NOON - HOUR, 10**30 + 7), Effect(NOON, 2 * USD))
        shared.settle()
        assert found(one.status()) == found(two.status()) == (4, 1, 10**36 + 10**30 + 8 + 2 * USD)
        assert one.status().burn_rate == pytest.approx(two.status().burn_rate)
        assert not one.doubts()


effects = st.builds(
    Effect,
    at_s=st.integers(NOON - 20 * DAY, NOON),
    cost_yocto=st.one_of(st.integers(0, 10**30), st.sampled_from([1, 2**64, 10**36])),
    project=st.sampled_from(["web", "api"]),
    model=st.sampled_from(["gpt-5", "o3"]),
    requests=st.integers(1, 3),
    feature=st.sampled_from(["", "search"]),
    unpriced=st.integers(0, 1),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.sampled_from(NAMES), effects),
        st.tuples(st.just("restart"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("stop"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("share"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("forget"), st.just(""), st.none()),
        st.tuples(st.just("wait"), st.just(""), st.integers(1, DAY)),
    ),
    max_size=20,
)
WRITTEN: tuple[dict[str, Any], ...] = (
    {"name": "all"},
    {"name": "day", "period": "day", "time_zone": "Asia/Kolkata"},
    {"name": "web", "period": "week", "scope": {"project": "web"}},
    {"name": "search", "scope": {"feature": "search"}},
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_the_sum_is_that_of_all_calls_whoever_dies_and_whatever_redis_forgets(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, Any]]
) -> None:
    done: list[Effect] = []
    with cluster(tmp_path_factory.mktemp("cluster")) as shared:
        for name in NAMES:
            shared.join(name)
        budgets = [shared.members["one"].set(10, **written) for written in WRITTEN]
        shared.settle()
        for step, name, detail in steps:
            happen(shared, step, name, detail)
            if step == "commit":
                done.append(detail)
        shared.wait(5)  # who was killed is known to be dead then
        shared.settle()
        for member in shared.members.values():
            for budget in budgets:
                assert found(member.status(budget.name)) == expected(budget, done, shared.now)
                assert not member.doubts(budget.name)


def happen(shared: Cluster, step: str, name: str, detail: Any) -> None:
    if step == "commit":
        shared.members[name].lab.commit(detail)
    elif step == "restart":
        shared.members[name].kill()
        shared.join(name)
    elif step == "stop":
        shared.members[name].stop()
        shared.join(name)
    elif step == "share":
        shared.members[name].share()
    elif step == "forget":
        shared.redis.forget()
    else:
        shared.wait(detail)


def test_a_threshold_that_is_reached_by_the_sum_alone_is_reached_everywhere(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set(10, thresholds=[50, 100])
        shared.settle()
        one.lab.commit(Effect(NOON, 3 * USD))
        two.lab.commit(Effect(NOON, 3 * USD))
        assert not one.status().reached
        shared.settle()
        assert one.status().reached == two.status().reached == [50]


def test_the_forecast_is_made_of_what_all_have_spent(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set(1000)
        shared.settle()
        for hour in range(1, 24 * 20):
            member = one if hour % 3 else two
            member.lab.commit(Effect(NOON - hour * HOUR, USD))
        shared.wait(61)  # hours are published once a minute
        shared.settle()
        here, there = one.status().forecast, two.status().forecast
        assert here is not None
        assert there is not None
        assert here.method == there.method == "profile"
        assert here.usd == pytest.approx(there.usd)
        assert here.usd == pytest.approx(24 * 30, rel=0.02)


def test_what_an_exporter_spent_in_another_period_does_not_count_in_this_one(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set(10, period="day")
        shared.settle()
        two.lab.commit(Effect(NOON, 4 * USD))
        shared.settle()
        assert spent(shared, "daily") == {4 * USD}
        two.stop()
        shared.wait(DAY)
        shared.settle()
        assert spent(shared, "daily") == {0}
        assert not one.doubts("daily")


def test_while_redis_is_away_the_last_known_sums_stay_and_say_so(tmp_path: Path, caplog: Any) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set(100)
        two.lab.commit(Effect(NOON, 4 * USD))
        shared.settle()
        shared.redis.stop()
        one.lab.commit(Effect(NOON, USD))
        with caplog.at_level(logging.INFO):
            for _ in range(3):
                shared.wait(5)
                one.share()
        assert one.status().spent_yocto == 5 * USD
        assert one.status().is_lower_bound
        assert "Redis has not answered since 12:00:00 UTC" in one.doubts()
        assert [record.message for record in caplog.records if "not shared" in record.message] != []
        assert len([record for record in caplog.records if "not shared" in record.message]) == 1
        shared.redis.start()
        shared.settle()
        assert spent(shared) == {5 * USD}
        assert not one.doubts()
        assert not one.status().is_lower_bound


def test_a_short_pause_of_redis_is_no_reason_to_doubt(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, _ = shared.two()
        one.set()
        shared.settle()
        shared.redis.stop()
        shared.wait(5)
        one.share()
        assert not one.doubts()


def test_an_exporter_that_starts_while_redis_is_away_knows_what_it_knew(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set()
        two.lab.commit(Effect(NOON, 4 * USD))
        shared.settle()
        shared.wait(60)
        shared.settle()  # the file is written now and then
        one.kill()
        shared.redis.stop()
        one = shared.join("one")
        one.share()
        assert one.status().spent_yocto == 4 * USD
        assert "Redis has not answered" in one.doubts()


def test_a_file_of_others_that_is_damaged_is_no_reason_not_to_start(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set()
        two.lab.commit(Effect(NOON, 4 * USD))
        shared.settle()
        one.kill()
        (one.directory / "other-exporters.json").write_bytes(b'[{"presence": 7}]')
        one = shared.join("one")
        shared.wait(5)
        shared.settle()
        assert one.status().spent_yocto == 4 * USD


def test_before_redis_was_heard_a_sum_is_a_lower_bound(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one = shared.join("one")
        one.set()
        assert one.status().is_lower_bound
        one.share()
        assert not one.status().is_lower_bound


def test_a_redis_that_has_lost_its_memory_learns_everything_again_also_of_the_dead(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set()
        two.lab.commit(Effect(NOON, 4 * USD))
        shared.settle()
        two.kill()
        shared.redis.forget()
        shared.settle()
        three = shared.join("three")
        shared.settle()
        assert three.status().spent_yocto == 4 * USD
        assert "two has not been heard of" not in three.doubts()
        shared.wait(11)
        shared.settle()
        assert "two has not been heard of since 12:00:00 UTC" in three.doubts()


def test_an_exporter_that_died_is_missed_and_one_that_stopped_is_not(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set()
        shared.settle()
        two.lab.commit(Effect(NOON, 4 * USD))
        two.stop()
        shared.wait(3600)
        shared.settle()
        assert (one.status().spent_yocto, one.doubts()) == (4 * USD, "")
        two = shared.join("two")
        shared.settle()
        two.kill()
        shared.wait(11)
        shared.settle()
        assert one.status().spent_yocto == 4 * USD
        assert "two has not been heard of" in one.doubts()
        shared.join("two")
        shared.settle()
        assert (one.status().spent_yocto, one.doubts()) == (4 * USD, "")


def test_a_dead_exporter_can_be_given_up_with_or_without_what_it_spent(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        three = shared.join("three")
        one.set()
        two.lab.commit(Effect(NOON, 4 * USD))
        shared.settle()
        with pytest.raises(StillRuns):
            one.sharing.give_up(two.exporter_id, counts=True)
        two.kill()
        shared.wait(11)
        shared.settle()
        assert one.sharing.give_up(two.exporter_id, counts=True)
        shared.settle()
        assert {member.doubts() for member in (one, three)} == {""}
        assert spent(shared) == {4 * USD}
        assert one.sharing.give_up(two.exporter_id, counts=False)
        shared.settle()
        assert spent(shared) == {0}
        assert not one.sharing.give_up(two.exporter_id, counts=False)
        assert not one.sharing.give_up("nobody", counts=True)


def test_an_exporter_that_comes_back_after_it_was_given_up_counts_again(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set()
        two.lab.commit(Effect(NOON, 4 * USD))
        shared.settle()
        two.kill()
        shared.wait(11)
        one.sharing.give_up(two.exporter_id, counts=False)
        shared.join("two")
        shared.settle()
        assert spent(shared) == {4 * USD}


def test_who_was_not_heard_of_for_ten_weeks_is_forgotten(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set()
        shared.settle()
        two.kill()
        shared.wait(KEEP_S + 1)
        shared.redis.forget()  # by then its keys have expired
        shared.settle()
        assert not one.others.known
        assert not one.doubts()


def test_a_budget_that_others_do_not_know_yet_is_a_lower_bound(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, _ = shared.two()
        shared.settle()
        one.set()
        one.share()
        assert "two says nothing of this budget" in one.doubts()
        shared.settle()
        assert not one.doubts()


def test_an_exporter_that_stopped_before_a_budget_was_set_may_have_spent_some_of_it(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        shared.settle()
        two.lab.commit(Effect(NOON, 4 * USD))
        two.stop()
        shared.wait(HOUR)
        one.set()
        one.set(period="day", name="day")
        one.share()
        assert "two ended before it said anything" in one.doubts()
        shared.wait(DAY)
        one.share()
        assert not one.doubts("day")


def test_budgets_that_are_set_on_one_hold_on_all_and_go_on_all(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set(10, scope={"project": "web"}, name="web")
        shared.settle()
        assert two.status("web").budget.limit_yocto == 10 * USD
        two.set(20, scope={"project": "web"}, name="web")
        shared.settle()
        assert one.status("web").budget.limit_yocto == 20 * USD
        assert one.lab.budgets.remove("web")
        shared.settle()
        assert not two.lab.statuses()
        one.set(30, scope={"project": "web"}, name="web")
        shared.settle()
        assert two.status("web").budget.limit_yocto == 30 * USD


def test_a_removed_budget_is_not_brought_back_by_an_exporter_that_was_away(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set()
        shared.settle()
        two.kill()
        one.lab.budgets.remove("monthly")
        shared.settle()
        shared.redis.forget()
        two = shared.join("two")
        two.share()
        assert two.lab.statuses()  # it knows no better
        shared.settle()
        assert not two.lab.statuses()
        assert not one.lab.statuses()


def test_of_two_decisions_at_once_the_same_holds_everywhere_and_after_a_restart(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set(10)
        two.set(20)
        shared.settle()
        limits = {member.status().budget.limit_yocto for member in shared.members.values()}
        assert len(limits) == 1
        one.kill()
        one = shared.join("one")
        assert {one.status().budget.limit_yocto} == limits


def test_budgets_from_before_they_were_shared_come_together(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        for name, limit in (("one", 10), ("two", 20)):
            member = shared.join(name)
            member.set(limit)
            member.kill()
            with sqlite3.connect(member.directory / "ledger.sqlite") as db:
                db.execute("UPDATE budgets SET author = ''")
            db.close()
        shared.two()
        shared.settle()
        assert len({member.status().budget.limit_yocto for member in shared.members.values()}) == 1


def test_a_copy_of_a_ledger_publishes_nothing_while_the_original_runs(tmp_path: Path, caplog: Any) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set()
        two.lab.commit(Effect(NOON, 4 * USD))
        shared.settle()
        two.kill()
        two.copy_to("copy")
        two = shared.join("two")
        shared.wait(4)
        shared.settle()
        copy = shared.join("copy")
        for _ in range(12):
            copy.lab.commit(Effect(NOON, USD))
            shared.wait(1)
            shared.settle()
        assert "two publishes under the id of this exporter" in copy.doubts()
        assert "was the data directory copied?" in caplog.text
        assert {one.status().spent_yocto, two.status().spent_yocto} == {4 * USD}
        assert not one.doubts()
        two.stop()
        shared.settle()
        assert not copy.others.problem  # the original has gone, so that the copy is no copy any more


def test_a_killed_exporter_publishes_again_within_seconds(tmp_path: Path, caplog: Any) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set()
        shared.settle()
        two.kill()
        two = shared.join("two")
        two.lab.commit(Effect(NOON, 4 * USD))
        two.share()
        assert "publishes under the id of this exporter" in two.doubts()
        shared.wait(3)
        shared.settle()
        assert spent(shared) == {4 * USD}
        assert not two.doubts()
        assert "copied" not in caplog.text


def test_budgets_files_that_differ_are_noticed_when_they_stay_so(tmp_path: Path, caplog: Any) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("budgets: {company: {limit: 10}}")
    second.write_text("budgets: {company: {limit: 11}}")
    with cluster(tmp_path) as shared:
        one, two = shared.join("one", first), shared.join("two", second)
        shared.settle()
        assert not one.sharing.differing_files
        for _ in range(12):
            shared.wait(1)
            shared.settle()
        assert (one.sharing.differing_files, two.sharing.differing_files) == (("two",), ("one",))
        assert "the budgets file is not that of the exporters two" in caplog.text
        second.write_text("# the same\nbudgets:\n  company: {limit: 10.0}\n")
        two.lab.budgets.look()
        shared.settle()
        assert not one.sharing.differing_files


def test_a_clock_that_is_far_off_is_said_and_its_period_is_not_mixed_up(tmp_path: Path, caplog: Any) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.join("one"), shared.join("two", ahead_s=DAY)
        one.set(period="day")
        shared.settle()
        two.lab.commit(Effect(NOON + DAY, 4 * USD))
        one.lab.commit(Effect(NOON, USD))
        shared.settle()
        assert one.status("daily").spent_yocto == USD
        assert "two speaks of another period" in one.doubts("daily")
        assert "the clock here and that of Redis are 86400 s apart" in caplog.text


def test_what_cannot_be_read_is_missing_and_not_zero(tmp_path: Path, caplog: Any) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set()
        shared.settle()
        two.lab.commit(Effect(NOON, 4 * USD))
        two.share()
        with shared.redis.client as redis:
            (name,) = redis.hkeys(f"llmlab:budgets:sums:{two.exporter_id}")  # type: ignore[misc]
            redis.hset(f"llmlab:budgets:sums:{two.exporter_id}", name, '{"cost_yocto": "much"}')
        one.share()
        assert "two says nothing of this budget" in one.doubts()
        assert "cannot be read" in caplog.text


def test_what_nobody_wrote_into_redis_stops_neither_sharing_nor_the_end(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, two = shared.two()
        one.set()
        shared.settle()
        with shared.redis.client as redis:
            redis.set(f"llmlab:budgets:presence:{two.exporter_id}", "{}")
            redis.hset("llmlab:budgets:records", mapping={"monthly": "[]", "other": '["{}", 9, "x"]'})
            redis.incr("llmlab:budgets:revision")
        shared.settle()
        assert not one.doubts()
        assert one.lab.budgets.unreadable == ["other"]
        with shared.redis.client as redis:
            redis.set("llmlab:budgets:exporters", "no set")
        one.stop()


def test_nothing_but_a_sign_of_life_is_written_when_nothing_was_spent(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one, _ = shared.two()
        for number in range(20):
            one.set(scope={"project": f"p{number}"})
        shared.settle()
        shared.settle()
        before = written(shared)
        for _ in range(10):
            shared.wait(1)
            shared.settle()
        assert written(shared) == before


def written(shared: Cluster) -> int:
    """Return how often fields of hashes were written or read as a whole."""
    with shared.redis.client as redis:
        stats: Any = redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("hset", "hgetall"))


def test_calls_are_committed_while_redis_hangs(tmp_path: Path) -> None:
    with cluster(tmp_path) as shared:
        one = shared.join("one")
        one.set()
        one.share()
        shared.redis.stop()
        one.lab.commit(Effect(NOON, USD))
        one.share()
        assert one.sharing.failures == 1
        assert one.status().spent_yocto == USD
