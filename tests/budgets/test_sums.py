"""What is spent of a budget, by a real ledger."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budgets.lab import DAY, HOUR, NOON, USD, Effect, expected, found, lab
from llmlab.budgets import Budget, read_budget
from llmlab_exporter.ledger.budget_records import BudgetRecord
from llmlab_exporter.ledger.schema import MIGRATIONS
from llmlab_exporter.tally import BUCKET_S

BUDGETS = [
    read_budget(each)
    for each in (
        {"limit": 10},
        {"limit": 10, "period": "day", "time_zone": "Australia/Lord_Howe"},
        {"limit": 10, "period": "week", "time_zone": "Asia/Kolkata", "scope": {"project": "web"}},
        {"limit": 10, "period": "day", "time_zone": "America/Sao_Paulo", "scope": {"feature": "search"}},
        {"limit": 10, "scope": {"model": "gpt-5*", "feature": "s*"}, "time_zone": "Europe/Berlin"},
        {"limit": 10, "scope": {"model": "gpt-5"}},
        {"limit": 10, "scope": {"project": "nobody"}},
    )
]

effects = st.builds(
    Effect,
    at_s=st.integers(NOON - 40 * DAY, NOON + DAY),
    cost_yocto=st.one_of(st.integers(0, 10**30), st.sampled_from([1, 2**64, 10**24 + 1, 10**36])),
    project=st.sampled_from(["web", "api"]),
    model=st.sampled_from(["gpt-5", "gpt-5-2025-08-07", "gpt-5-mini", "o3"]),
    feature=st.sampled_from(["", "search", "summary", "chat"]),
    requests=st.integers(1, 3),
    unpriced=st.integers(0, 1),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.lists(effects, min_size=1, max_size=5)),
        st.tuples(st.just("take back"), st.integers(0, 10**6)),
        st.tuples(st.just("reprice"), st.integers(0, 10**6)),
        st.tuples(st.just("wait"), st.integers(1, 3 * DAY)),
        st.tuples(st.just("set"), st.integers(0, len(BUDGETS) - 1)),
        st.tuples(st.just("remove"), st.integers(0, len(BUDGETS) - 1)),
        st.tuples(st.just("restart"), st.none()),
        st.tuples(st.just("ask"), st.none()),
    ),
    max_size=25,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(steps)
def test_sums_equal_the_calls_whenever_budgets_are_set_and_whatever_happens_to_calls(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, object]]
) -> None:
    done: list[Effect] = []
    calls: list[Effect] = []
    set_now: dict[str, Budget] = {}
    with lab(tmp_path_factory.mktemp("ledger") / "ledger.sqlite") as now:
        for step, detail in [*steps, ("ask", None)]:
            if step == "commit" and isinstance(detail, list):
                now.commit(*detail)
                done += detail
                calls += detail
            elif step == "take back" and isinstance(detail, int) and calls:
                gone = calls.pop(detail % len(calls))
                taken = gone._replace(requests=-gone.requests, unpriced=-gone.unpriced, cost_yocto=-gone.cost_yocto)
                now.correct(taken)
                done.append(taken)
            elif step == "reprice" and isinstance(detail, int) and calls:
                changed = calls[detail % len(calls)]._replace(requests=0, unpriced=0, cost_yocto=detail - 500_000)
                now.reprice(changed)
                done.append(changed)
            elif step == "wait" and isinstance(detail, int):
                now.now += detail
            elif step in {"set", "remove"} and isinstance(detail, int):
                budget = BUDGETS[detail]
                if step == "set":
                    now.budgets.put(budget)
                    set_now[budget.name] = budget
                else:
                    assert now.budgets.remove(budget.name) == (set_now.pop(budget.name, None) is not None)
            elif step == "restart":
                now.tracker = now.new_tracker()
            else:
                statuses = now.statuses()
                assert statuses.keys() == set_now.keys()
                for name, status in statuses.items():
                    assert found(status) == expected(set_now[name], done, now.now), name


def test_a_budget_set_in_the_middle_of_a_period_knows_what_was_spent_before(tmp_path: Path) -> None:
    with lab(tmp_path / "ledger.sqlite") as now:
        now.commit(Effect(NOON - 10 * DAY, 5 * USD), Effect(NOON - 40 * DAY, 7 * USD))
        now.set()
        assert now.spent("monthly") == 5 * USD
        assert now.statuses()["monthly"].since_s is None


def test_a_changed_limit_keeps_the_sums_and_the_counter(tmp_path: Path) -> None:
    with lab(tmp_path / "ledger.sqlite") as now:
        now.set(100)
        now.statuses()
        now.commit(Effect(NOON, 60 * USD))
        assert now.statuses()["monthly"].reached == [50]
        now.set(50)
        status = now.statuses()["monthly"]
        assert (status.spent_yocto, status.counter_yocto, status.is_spent) == (60 * USD, 60 * USD, True)


def test_a_new_period_begins_at_zero_with_what_came_ahead_of_time(tmp_path: Path) -> None:
    with lab(tmp_path / "ledger.sqlite") as now:
        now.set(period="day", name="daily")
        assert now.spent("daily") == 0
        now.commit(Effect(NOON, 3 * USD), Effect(NOON + 13 * HOUR, 4 * USD))
        assert now.spent("daily") == 3 * USD
        now.now = NOON + 12 * HOUR
        assert now.spent("daily") == 4 * USD
        now.commit(Effect(NOON + 11 * HOUR, USD), Effect(NOON + 12 * HOUR, USD))
        assert now.spent("daily") == 5 * USD
        assert now.statuses()["daily"].window.start_s == NOON + 12 * HOUR


def test_the_counter_goes_on_over_periods_and_never_falls(tmp_path: Path) -> None:
    with lab(tmp_path / "ledger.sqlite") as now:
        now.commit(Effect(NOON, 9 * USD))
        now.set(period="day", name="daily")
        assert now.statuses()["daily"].counter_yocto == 0
        now.commit(Effect(NOON, 3 * USD))
        now.now += DAY
        assert now.statuses()["daily"].counter_yocto == 3 * USD
        now.correct(Effect(NOON, -2 * USD, requests=-1))
        assert now.statuses()["daily"].counter_yocto == 3 * USD
        now.commit(Effect(NOON + DAY, USD))
        assert now.statuses()["daily"].counter_yocto == 3 * USD
        now.commit(Effect(NOON + DAY, 2 * USD))
        assert now.statuses()["daily"].counter_yocto == 4 * USD
        now.reprice(Effect(NOON + DAY, 50 * USD, requests=0))
        status = now.statuses()["daily"]
        assert (status.counter_yocto, status.spent_yocto) == (4 * USD, 53 * USD)


def test_unpriced_calls_make_the_spend_a_lower_bound(tmp_path: Path) -> None:
    with lab(tmp_path / "ledger.sqlite") as now:
        now.set()
        now.commit(Effect(NOON, USD), Effect(NOON, 0, model="mystery", unpriced=1))
        status = now.statuses()["monthly"]
        assert (status.unpriced, status.spent_yocto, status.is_lower_bound) == (1, USD, True)
        now.reprice(Effect(NOON, 2 * USD, model="mystery", requests=0, unpriced=-1))
        status = now.statuses()["monthly"]
        assert (status.unpriced, status.spent_yocto, status.is_lower_bound) == (0, 3 * USD, False)


def test_pruned_sums_are_said_to_be_missing(tmp_path: Path) -> None:
    midnight = NOON - 12 * HOUR
    with lab(tmp_path / "ledger.sqlite") as now:
        now.set()
        now.set(name="today", period="day")
        now.commit(Effect(NOON - 3 * DAY, 5 * USD, feature="search"), Effect(NOON, USD, feature="search"))
        assert now.spent("monthly") == 6 * USD
        now.writer.run(lambda book: book.totals.forget(midnight))
        for _ in range(2):
            statuses = now.statuses()
            assert (statuses["monthly"].since_s, statuses["monthly"].spent_yocto) == (midnight, USD)
            assert statuses["monthly"].is_lower_bound
            assert statuses["today"].since_s is None
            now.tracker = now.new_tracker()
        now.writer.run(lambda book: book.totals.forget(midnight - DAY))
        assert now.statuses()["monthly"].since_s == midnight


def test_too_many_series_leave_calls_that_may_belong_to_a_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmlab_exporter.ledger.totals.MAX_SERIES", 1)
    with lab(tmp_path / "ledger.sqlite") as now:
        now.set(scope={"model": "o3"}, name="o3")
        now.set(scope={"project": "web"}, name="web")
        now.set(scope={"project": "api"}, name="api")
        now.commit(Effect(NOON, USD, model="gpt-5"))
        now.commit(Effect(NOON, USD, model="o3", requests=4))
        for _ in range(2):
            statuses = now.statuses()
            assert (statuses["o3"].spent_yocto, statuses["o3"].unattributed, statuses["o3"].is_lower_bound) == (
                0,
                4,
                True,
            )
            assert (statuses["web"].spent_yocto, statuses["web"].unattributed) == (2 * USD, 0)
            assert (statuses["api"].spent_yocto, statuses["api"].unattributed) == (0, 0)
            now.tracker = now.new_tracker()


def test_what_was_not_taken_in_time_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmlab_exporter.ledger.feed.MAX_WAITING", 3)
    with lab(tmp_path / "ledger.sqlite") as now:
        now.set()
        now.statuses()
        for number in range(10):
            now.commit(Effect(NOON, USD + number))
        assert now.book.totals.feed.take() is None
        assert now.spent("monthly") == 10 * USD + 45
        now.commit(Effect(NOON, USD))
        assert now.book.totals.feed.is_open
        assert now.spent("monthly") == 11 * USD + 45


@pytest.mark.parametrize(
    "costs", [[-5], [-(10**30) - 1, 7], [10**40 + 7, 1], [2**64, -1], [10**12 - 1, 1], [10**36, -(10**36), -1]]
)
def test_sums_read_from_the_ledger_have_every_digit_and_their_sign(tmp_path: Path, costs: list[int]) -> None:
    with lab(tmp_path / "ledger.sqlite") as now:
        now.set(scope={"feature": "search"}, name="search")
        now.set()
        for number, cost in enumerate(costs):
            now.commit(Effect(NOON - number * HOUR, 0, feature="search"))
            now.reprice(Effect(NOON - number * HOUR, cost, feature="search", requests=0))
        assert now.spent("search") == now.spent("monthly") == sum(costs)


def test_without_budgets_nothing_is_handed_over(tmp_path: Path) -> None:
    with lab(tmp_path / "ledger.sqlite") as now:
        now.tracker.look()
        assert not now.book.totals.feed.is_open
        now.set()
        now.tracker.look()
        assert now.book.totals.feed.is_open
        now.budgets.remove("monthly")
        now.tracker.look()
        assert not now.book.totals.feed.is_open


def test_a_commit_that_failed_counts_towards_no_budget(tmp_path: Path) -> None:
    with lab(tmp_path / "ledger.sqlite") as now:
        now.set(scope={"feature": "search"}, name="search")
        now.statuses()
        other = sqlite3.connect(now.ledger, isolation_level=None)
        other.execute("CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        with pytest.raises(sqlite3.IntegrityError, match="disk full"):
            now.commit(Effect(NOON, USD, feature="search"))
        other.execute("DROP TRIGGER full")
        other.close()
        assert now.spent("search") == 0
        now.commit(Effect(NOON, USD, feature="search"))
        assert now.spent("search") == USD


def test_many_may_ask_while_calls_arrive_and_budgets_change(tmp_path: Path) -> None:
    with lab(tmp_path / "ledger.sqlite") as now:
        now.set(1000, scope={"feature": "search"}, name="search")
        stop = threading.Event()
        seen: list[int] = []

        def ask() -> None:
            while not stop.is_set():
                seen.append(now.spent("search"))

        def change() -> None:
            for number in range(30):
                now.set(1000 + number, scope={"feature": "search"}, name="search")
                now.set(name=f"other-{number % 3}", period="day")
                now.budgets.remove(f"other-{number % 3}")

        with ThreadPoolExecutor(6) as threads:
            asking = [threads.submit(ask) for _ in range(3)]
            changing = threads.submit(change)
            sending = [
                threads.submit(lambda: [now.commit(Effect(NOON, USD, feature="search")) for _ in range(50)])
                for _ in range(2)
            ]
            for sent in (*sending, changing):
                sent.result()
            stop.set()
            for asked in asking:
                asked.result()
        assert now.spent("search") == 100 * USD
        assert max(seen) <= 100 * USD


def test_budgets_survive_a_restart_and_are_exact_then(tmp_path: Path) -> None:
    with lab(tmp_path / "ledger.sqlite") as before:
        before.set(12.5, scope={"feature": "search"}, name="search", thresholds=[90], time_zone="Asia/Kolkata")
        before.commit(Effect(NOON, 3 * USD, feature="search"), Effect(NOON, 5 * USD))
        kept = before.statuses()["search"]
    with lab(tmp_path / "ledger.sqlite") as after:
        status = after.statuses()["search"]
        assert (status.budget, status.spent_yocto) == (kept.budget, 3 * USD)


def test_a_stored_budget_of_a_later_version_is_named_and_left_alone(tmp_path: Path) -> None:
    with lab(tmp_path / "ledger.sqlite") as now:
        now.set()
        later = BudgetRecord("later", '{"name": "later", "limit": "5", "novelty": 1}')
        now.writer.run(lambda book: book.budgets.put(later))
    with lab(tmp_path / "ledger.sqlite") as now:
        assert now.statuses().keys() == {"monthly"}
        assert now.budgets.details()["unreadable"] == ["later"]
        assert "later" in now.book.budgets.all()
        now.budgets.remove("later")
        assert now.budgets.details()["unreadable"] == []


def test_a_ledger_from_before_features_says_since_when_it_tells_them_apart(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    before = next(number for number, script in enumerate(MIGRATIONS) if "CREATE TABLE features" in script)
    db = sqlite3.connect(path)
    for script in MIGRATIONS[:before]:
        db.executescript(script)
    db.executescript(
        f"""
        PRAGMA user_version = {before};
        INSERT INTO series (id, org, project, service_name, environment, provider, model, operation, outcome, requests,
            priced, unpriced, input, output, cache_read, cache_write, reasoning, duration_ns, cost_yocto, latency)
        VALUES (1, 'default', 'web', 'app', 'prod', 'openai', 'o3', 'chat', 'ok', 1, 1, 0, 0, 0, 0, 0, 0, 0, '7', '[]');
        """
    )
    now_s = int(datetime.now(UTC).timestamp())
    bucket = now_s // BUCKET_S * BUCKET_S
    db.execute(
        "INSERT INTO spend (bucket, series, requests, priced, unpriced, input, output, cache_read, cache_write,"
        " reasoning, duration_ns, cost_yocto) VALUES (?, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, '7')",
        (bucket,),
    )
    db.commit()
    db.close()
    with lab(path, now_s) as now:
        now.set(scope={"feature": "search"}, name="search")
        now.set(name="all")
        statuses = now.statuses()
        assert (statuses["all"].spent_yocto, statuses["all"].since_s) == (7, None)
        assert statuses["search"].since_s in {bucket + BUCKET_S, bucket + 2 * BUCKET_S}
        now.commit(Effect(bucket, 100, feature="search"), Effect(bucket + 2 * BUCKET_S, 11, feature="search"))
        for _ in range(2):
            assert now.spent("search") == 11  # what is known in part is not said
            assert now.spent("all") == 118
            now.tracker = now.new_tracker()
