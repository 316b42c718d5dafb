"""The exporter's metrics as promtool and a real Prometheus see them."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from e2e.traces import post, request, span
from exporter_process import ExporterProcess, running
from stack.programs import PROMETHEUS, Release, ask, prometheus, wait_for

pytestmark = pytest.mark.e2e

COST_USD = 0.00045
"""1,000 tokens in and 100 out of gpt-5-mini: $0.25 and $2 per million."""


def spend(exporter: ExporterProcess, number: int) -> None:
    assert post(exporter.url, request([span(number)])).status == 200


def value(prometheus_url: str, query: str) -> float | None:
    """Return the value of an instant query with one result, None as long as it has none."""
    found: Any = ask(f"{prometheus_url}/api/v1/query", query=query)["data"]["result"]
    return float(found[0]["value"][1]) if found else None


@pytest.mark.parametrize("release", PROMETHEUS, ids=repr)
def test_promtool_has_nothing_to_complain_of(release: Release, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("prices: {}\n")
    budgets = tmp_path / "budgets.yaml"
    budgets.write_text("budgets:\n  company: {limit: 1000}\n")
    with running(tmp_path / "data", "--prices", str(prices), "--budgets", str(budgets)) as exporter:
        spend(exporter, 1)
        metrics = exporter.get("/metrics")
    promtool = release.program("promtool")
    ended = subprocess.run(
        [promtool, "check", "metrics"], input=metrics, capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert "llm_budget_spent_usd{" in metrics


@pytest.mark.parametrize("release", PROMETHEUS, ids=repr)
def test_prometheus_does_not_miss_the_first_call(release: Release, tmp_path: Path) -> None:
    with (
        running(tmp_path / "data", "--hold-new-series", "3") as exporter,
        prometheus(release, tmp_path, exporter.url.removeprefix("http://")) as url,
    ):
        wait_for(lambda: value(url, "llmlab_exporter_pending_rows") is not None, "the first scrape")
        spend(exporter, 1)
        wait_for(lambda: value(url, "llm_cost_usd_total == 0") is not None, "the series at 0")
        wait_for(lambda: value(url, "llm_cost_usd_total > 0"), "the series as it is")
        grown = wait_for(lambda: value(url, "increase(llm_cost_usd_total[1m])"), "its growth")
    # Prometheus extrapolates to the whole window, so it says a little more than what was spent.
    assert COST_USD <= grown <= 3 * COST_USD


def test_a_peak_leads_to_its_trace(tmp_path: Path) -> None:
    with (
        running(tmp_path / "data") as exporter,
        prometheus(
            PROMETHEUS[1],
            tmp_path,
            exporter.url.removeprefix("http://"),
            options=("--enable-feature=exemplar-storage",),
        ) as url,
    ):
        spend(exporter, 7)

        def exemplars() -> list[Any]:
            times = {"start": "0", "end": "4102444800"}
            return ask(f"{url}/api/v1/query_exemplars", query="llm_cost_usd_total", **times)["data"]

        (series,) = wait_for(exemplars, "an exemplar")
    (exemplar,) = series["exemplars"]
    assert exemplar["labels"]["trace_id"] == f"{7:032x}"
    assert float(exemplar["value"]) == pytest.approx(COST_USD)
