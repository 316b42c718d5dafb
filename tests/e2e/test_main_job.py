"""The whole way: an application under the launcher, a real exporter, the embedded engine, the command line."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import clickhouse_connect
import genai_prices
import pytest

from e2e.launched import UNKNOWN, book_total, run_app
from e2e.traces import metric
from exporter_process import LLMLAB, running
from fake_provider.testing import FakeProvider

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Outcome:
    """What everybody says after the application ran."""

    bills: list[dict[str, Any]]
    """The provider's own book."""
    summary: dict[str, Any]
    metrics: str
    status_json: dict[str, Any]
    status_text: str
    rows: list[dict[str, Any]]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    data = tmp_path_factory.mktemp("main-job") / "data"
    with FakeProvider() as provider:
        with running(data) as exporter:
            run_app(provider.openai_url, exporter.url)
            exporter.wait_until_stored(30)
            summary = json.loads(exporter.get("/api/costs/summary"), parse_float=Decimal)
            metrics = exporter.get("/metrics")
            status_json = json.loads(status(exporter.url, "--json"), parse_float=Decimal)
            status_text = status(exporter.url)
        yield Outcome(provider.book.bills(), summary, metrics, status_json, status_text, stored(data))


def status(url: str, *options: str) -> str:
    command = [LLMLAB, "status", "--url", url, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


def stored(data: Path) -> list[dict[str, Any]]:
    client = clickhouse_connect.get_client(interface="chdb", path=str(data / "clickhouse"))
    rows = list(client.query("SELECT * FROM llmlab.llm_calls ORDER BY started_at").named_results())
    client.close()
    return rows


def test_every_billed_call_is_stored_with_the_usage_the_provider_billed(outcome: Outcome) -> None:
    billed = sorted((bill["model"], bill["usage"]["prompt_tokens"], cached(bill)) for bill in outcome.bills)
    rows = [row for row in outcome.rows if row["billable"]]
    assert sorted((row["model"], row["input_tokens"], row["cache_read"] or 0) for row in rows) == billed
    assert {row["usage_source"] for row in rows} == {"reported"}
    assert any(cached(bill) for bill in outcome.bills)


def cached(bill: dict[str, Any]) -> int:
    return (bill["usage"].get("prompt_tokens_details") or {}).get("cached_tokens") or 0


def test_the_total_equals_the_list_price_to_the_last_digit(outcome: Outcome) -> None:
    truth = book_total(outcome.bills)
    assert truth > 0
    assert sum(row["cost_usd"] for row in outcome.rows if row["cost_usd"] is not None) == truth
    assert outcome.summary["total_spend"] == truth
    assert outcome.summary["today_spend"] == outcome.summary["this_month_spend"] == truth
    assert outcome.status_json["total_spend"] == truth
    assert metric(outcome.metrics, "llm_cost_usd_total") == pytest.approx(float(truth), rel=1e-12)


def test_an_unknown_model_is_unpriced_everywhere_and_never_free(outcome: Outcome) -> None:
    (row,) = [row for row in outcome.rows if row["model"] == UNKNOWN]
    assert (row["cost_usd"], row["cost_source"], row["cost_reason"]) == (None, "none", "unknown_model")
    assert outcome.summary["by_model"][f"openai/{UNKNOWN}"] is None
    assert outcome.summary["unpriced"]["requests"] == 1
    assert metric(outcome.metrics, "llm_unpriced_requests_total", model=UNKNOWN) == 1
    (line,) = [line for line in outcome.status_text.splitlines() if UNKNOWN in line and "$" not in line][:1]
    assert "unpriced" in line


def test_a_failed_call_is_counted_and_costs_nothing(outcome: Outcome) -> None:
    (row,) = [row for row in outcome.rows if row["outcome"] == "error"]
    assert (row["request_model"], row["error_type"], row["cost_usd"]) == ("error-429", "RateLimitError", None)
    assert not row["billable"]
    assert metric(outcome.metrics, "llm_requests_total", outcome="error") == 1
    assert metric(outcome.metrics, "llm_unpriced_requests_total", model="error-429") == 0


def test_the_rows_say_where_they_and_their_prices_come_from(outcome: Outcome) -> None:
    priced = [row for row in outcome.rows if row["cost_usd"] is not None]
    assert {row["cost_source"] for row in priced} == {"computed"}
    assert {row["catalogue"] for row in priced} == {f"genai-prices {genai_prices.__version__}"}
    assert {row["service_name"] for row in outcome.rows} == {"shop"}
    assert {row["dialect"] for row in outcome.rows} == {"llmlab"}
    assert {row["operation"] for row in outcome.rows} == {"chat", "embeddings"}
    assert "flex" in {row["tier"] for row in outcome.rows}


def test_status_shows_providers_models_and_totals(outcome: Outcome) -> None:
    for word in ("openai", "gpt-5-mini-2025-08-07", "text-embedding-3-small", "today", "month", "unpriced"):
        assert word in outcome.status_text.lower()
