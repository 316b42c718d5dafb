"""Budgets as people write them."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.budgets import DEFAULT_THRESHOLDS, BadBudget, Budget, Scope, read_budget
from llmlab.budgets.amounts import nano_usd
from llmlab.budgets.budget import default_name


def faults(written: object, name: str = "") -> list[tuple[str, str, str]]:
    with pytest.raises(BadBudget) as bad:
        read_budget(written, name)
    return [(".".join(map(str, fault.path)), fault.what, fault.hint) for fault in bad.value.faults]


def test_a_limit_is_enough() -> None:
    assert read_budget({"limit": 1000}) == Budget(
        name="monthly",
        limit_nano=1000 * 10**9,
        period="month",
        zone="UTC",
        scope=Scope(),
        thresholds=DEFAULT_THRESHOLDS,
        hard=False,
    )


def test_everything_can_be_said() -> None:
    written = {
        "name": "web",
        "limit": "$1,250.50",
        "period": "weekly",
        "time_zone": "Europe/Berlin",
        "scope": {"project": "web", "model": "gpt-4o*"},
        "thresholds": ["90%", 75, 100.5, 75],
    }
    assert read_budget(written) == Budget(
        name="web",
        limit_nano=1_250_500_000_000,
        period="week",
        zone="Europe/Berlin",
        scope=Scope(project="web", model="gpt-4o*"),
        thresholds=(Decimal(75), Decimal(90), Decimal("100.5")),
    )


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("1000", 1000 * 10**9),
        ("1,000", 1000 * 10**9),
        ("1_000", 1000 * 10**9),
        ("$0.25", 250_000_000),
        ("0.000000001", 1),
        ("1000000000000", 10**21),
    ],
)
def test_amounts_are_exact(text: str, nano: int) -> None:
    assert nano_usd(text) == nano


@pytest.mark.parametrize(
    "text",
    ["", "0", "-1", "1e3", "abc", "1,00", "10,0000", "nan", "inf", "0.0000000001", "1000000000001", "1 000", "٣"],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write an amount"):
        nano_usd(text)


@given(st.integers(1, 10**21))
def test_every_amount_reads_back(nano: int) -> None:
    assert nano_usd(f"{Decimal(nano).scaleb(-9):f}") == nano


@pytest.mark.parametrize("limit", [True, None, [1], {}, float("nan"), float("inf"), 1e30, 1e-12, ""])
def test_what_is_no_limit_is_named(limit: object) -> None:
    [(path, what, hint)] = faults({"limit": limit})
    assert path == "limit"
    assert what.startswith("the limit is ")
    assert hint.startswith("write an amount")


def test_everything_that_is_wrong_is_said_at_once_and_where() -> None:
    written: dict[str, Any] = {
        "limit": 0,
        "perod": "day",
        "period": "run",
        "time_zone": "Berlin",
        "scope": {"user": "u1", "modl": "x", "project": 7},
        "thresholds": [50, "high"],
    }
    assert faults(written) == [
        ("perod", "unknown key 'perod'", "did you mean period?"),
        ("limit", "the limit is '0'", "write an amount above 0 and up to 1,000,000,000,000"),
        (
            "period",
            "a budget by run is for stopping calls, which this version does not do yet",
            "choose day, week, month",
        ),
        ("time_zone", "'Berlin' is not an IANA time zone", "did you mean Europe/Berlin?"),
        (
            "scope.user",
            "a budget by user is for stopping calls, which this version does not do yet",
            "limit it by org, project, service, environment, provider, model, feature",
        ),
        ("scope.modl", "unknown key 'modl'", "did you mean model?"),
        ("scope.project", "'7' stands where a text of up to 256 characters is expected", "write project: and a name"),
        ("thresholds.1", "'high' is no percentage", "write percentages such as [50, 80, 100]"),
    ]


@pytest.mark.parametrize("period", ["run", "hour", "total"])
@pytest.mark.parametrize("dimension", ["team", "user", "run", "api_key"])
def test_what_is_for_hard_budgets_is_refused_in_words(period: str, dimension: str) -> None:
    found = faults({"limit": 1, "period": period, "scope": {dimension: "x"}})
    assert [path for path, _, _ in found] == ["period", f"scope.{dimension}"]
    assert all("is for stopping calls, which this version does not do yet" in what for _, what, _ in found)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "/etc/passwd", "a" * 300, "\0"])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    [(path, _, _)] = faults({"limit": 1, "time_zone": zone})
    assert path == "time_zone"


@pytest.mark.parametrize("thresholds", [[], 80, "80", [0], [-1], [1001], [1] * 11, [True], ["nan"], [0.00001]])
def test_what_are_no_thresholds_is_refused(thresholds: object) -> None:
    [(path, _, _)] = faults({"limit": 1, "thresholds": thresholds})
    assert path.startswith("thresholds")


@pytest.mark.parametrize("name", ["two words", "-x", "a/b", "x" * 81, "list", "rm", "ü"])
def test_what_is_no_name_is_refused(name: str) -> None:
    [(path, _, _)] = faults({"limit": 1, "name": name})
    assert path == "name"


@pytest.mark.parametrize("written", [None, 5, "budget", [1]])
def test_what_is_no_mapping_is_no_budget(written: object) -> None:
    assert len(faults(written)) == 1


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ({"limit": 1}, "monthly"),
        ({"limit": 1, "period": "day", "scope": {"project": "web"}}, "daily-project-web"),
        ({"limit": 1, "scope": {"model": "gpt-4o", "feature": "search"}}, "monthly-model-gpt-4o-feature-search"),
    ],
)
def test_a_budget_is_named_by_what_it_limits(written: object, name: str) -> None:
    assert read_budget(written).name == name


def test_names_that_lose_characters_stay_apart() -> None:
    wanted = ("gpt-4o", "gpt-4o*", "gpt 4o", "gpt/4o", "ü" * 200, "ü" * 201)
    names = {default_name("month", Scope(model=each)) for each in wanted}
    assert len(names) == len(wanted)


words = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=100)


@given(st.dictionaries(st.sampled_from(["org", "project", "model", "feature"]), words))
def test_every_default_name_is_a_name(scope: dict[str, str]) -> None:
    named = read_budget({"limit": 1, "scope": scope})
    assert read_budget({"limit": 1, "name": named.name}).name == named.name


@pytest.mark.parametrize(
    ("thresholds", "warning"), [([50, 80, 100], 80), ([100], 100), ([10, 20], 20), ([95, 100], 95), ([110, 120], 110)]
)
def test_the_limit_is_near_from_the_last_threshold_before_it(thresholds: list[int], warning: int) -> None:
    assert read_budget({"limit": 1, "thresholds": thresholds}).warning == warning
