"""The small trial; `make soak` runs the large one."""

from decimal import Decimal

import pytest

from reliability.trial import BUDGETS, Plan, Report, Totals, Trial, to_nano_usd

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return Trial(Plan(spans=40_000, batch=100, kills=2, outages=1, doubled=0.1), tmp_path_factory.mktemp("trial")).run()


def test_every_call_is_stored_once_at_its_true_cost(report: Report) -> None:
    assert report.events == report.true
    assert report.stored_twice == 0


def test_the_sums_of_the_api_are_the_truth(report: Report) -> None:
    assert report.rollup == report.true


def test_the_metrics_are_the_truth_to_the_nano_dollar(report: Report) -> None:
    assert report.metrics == {model: rounded(totals) for model, totals in report.true.items()}


def test_the_budgets_have_what_the_calls_of_their_periods_cost(report: Report) -> None:
    assert report.budgets == report.true_budgets
    assert report.budgets.keys() == BUDGETS.keys()


def test_the_trial_was_one(report: Report) -> None:
    assert report.sent_again > 0
    assert report.unanswered > 0
    assert sum(totals.calls for totals in report.true.values()) == 40_000
    assert sum(totals.cost_usd for totals in report.true.values()) > 0
    assert sum(totals.unpriced for totals in report.true.values()) > 0


def rounded(totals: Totals) -> Totals:
    return Totals(totals.calls, totals.unpriced, totals.input, totals.output, to_nano_usd(Decimal(totals.cost_usd)))
