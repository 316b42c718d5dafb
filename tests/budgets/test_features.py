"""The sums by feature: a bounded part of the spend."""

import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budgets.lab import NOON, USD, Effect, lab
from llmlab_exporter.tally import FeatureSum, Tally, add_features


def by_feature(ledger: Path) -> dict[str, int]:
    with sqlite3.connect(ledger) as db:
        rows = db.execute("SELECT name, cost_yocto FROM feature_spend JOIN features ON features.id = feature")
        found: dict[str, int] = {}
        for name, cost in rows:
            found[name] = found.get(name, 0) + int(cost)
    db.close()
    return found


def test_too_many_features_are_summed_up_under_other_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmlab_exporter.ledger.features.MAX_FEATURES", 2)
    with lab(tmp_path / "ledger.sqlite") as now:
        now.set(scope={"feature": "f1"}, name="f1")
        now.set(scope={"feature": "f5"}, name="f5")
        now.statuses()  # budgets tell their features apart, however many there are
        for number in range(8):
            now.commit(Effect(NOON, USD, feature=f"f{number}"))
        assert by_feature(now.ledger) == {"f1": USD, "f5": USD, "other": 6 * USD}
        assert now.book.totals.features.overflowed == 6
        statuses = now.statuses()
        assert (statuses["f1"].spent_yocto, statuses["f1"].unattributed) == (USD, 6)
        assert statuses["f1"].is_lower_bound
    with lab(tmp_path / "ledger.sqlite") as again:
        assert again.book.totals.features.overflowed == 6
        again.correct(Effect(NOON, -USD, feature="f7", requests=-1))
        assert by_feature(again.ledger) == {"f1": USD, "f5": USD, "other": 5 * USD}


def test_a_budget_on_a_feature_that_was_not_told_apart_says_since_when_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmlab_exporter.ledger.features.MAX_FEATURES", 1)
    with lab(tmp_path / "ledger.sqlite") as now:
        now.commit(Effect(NOON, USD, feature="first"))
        now.commit(Effect(NOON, USD, feature="late"))
        monkeypatch.setattr("llmlab_exporter.ledger.features.time.time", lambda: NOON + 100)
        now.set(scope={"feature": "late"}, name="late")
        now.set(scope={"feature": "first"}, name="first")
        statuses = now.statuses()
        assert (statuses["late"].since_s, statuses["late"].spent_yocto) == (NOON + 900, 0)
        assert (statuses["first"].since_s, statuses["first"].spent_yocto) == (None, USD)
        now.commit(Effect(NOON, USD, feature="late"), Effect(NOON + 900, USD, feature="late"))
        assert now.spent("late") == USD


def test_what_is_taken_back_leaves_no_row(tmp_path: Path) -> None:
    with lab(tmp_path / "ledger.sqlite") as now:
        now.commit(Effect(NOON, USD, feature="search"))
        now.correct(Effect(NOON, -USD, feature="search", requests=-1), Effect(NOON, USD, feature="chat"))
        assert by_feature(now.ledger) == {"chat": USD}


def test_the_sums_in_memory_carry_no_features(tmp_path: Path) -> None:
    with lab(tmp_path / "ledger.sqlite") as now:
        now.commit(Effect(NOON, USD, feature="search"))
        now.correct(Effect(NOON, USD, feature="search"))
        assert [tally.features for tally in now.book.totals.by_series.values()] == [None]


sums = st.dictionaries(st.sampled_from("abc"), st.builds(FeatureSum, *[st.integers(-3, 3)] * 3).filter(any), max_size=3)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(sums, sums)
def test_tallies_add_and_subtract_feature_by_feature(one: dict[str, FeatureSum], other: dict[str, FeatureSum]) -> None:
    left, right = Tally(features=dict(one) or None), Tally(features=dict(other) or None)
    left.add(right)
    assert (left.features or {}) == add_features(one, other) == add_features(other, one)
    left.subtract(right)
    assert (left.features or {}) == one
    left.subtract(left)
    assert left == Tally()


def test_a_flood_of_features_in_one_request_is_counted_in_linear_time() -> None:
    tally = Tally()
    kept = 20_000
    for number in range(kept):
        tally.count_feature(str(number), FeatureSum(1, 0, 1))
    first = tally.features
    tally.count_feature("0", FeatureSum(1, 0, 1))
    assert tally.features is first, "every call would copy the sums of all features"
    assert len(json.dumps(first)) > kept
