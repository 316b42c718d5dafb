"""The promised lines, in an application of their own, against the fake provider and a real exporter."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest

from exporter_process import ExporterProcess, running
from fake_provider.testing import FakeProvider

pytestmark = pytest.mark.e2e

APP = Path(__file__).with_name("promised_app.py")
LAUNCHER = str(Path(sys.executable).with_name("opentelemetry-instrument"))
GPT4_CALL_USD = Decimal("0.06")


@dataclass(frozen=True)
class Outcome:
    """What everybody says after the application ran."""

    bills: list[dict[str, Any]]
    """The provider's own book."""
    summary: dict[str, Any]
    rows: list[dict[str, Any]]


def run_plainly(provider: FakeProvider, exporter: ExporterProcess) -> None:
    run([sys.executable, str(APP)], provider, LLMLAB_URL=exporter.url, LLMLAB_TAGS="team=core,user=u1")


def run_under_the_launcher(provider: FakeProvider, exporter: ExporterProcess) -> None:
    run(
        [LAUNCHER, sys.executable, str(APP)],
        provider,
        LLMLAB_TAGS="user=u1",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_ENDPOINT=exporter.url,
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
        LLMLAB_URL=exporter.url,
    )


def run(command: list[str], provider: FakeProvider, **environment: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LLMLAB_"))}
    keys = {"OPENAI_API_KEY": "fake", "ANTHROPIC_API_KEY": "fake"}
    addresses = {"OPENAI_BASE_URL": provider.openai_url, "ANTHROPIC_BASE_URL": provider.anthropic_url}
    resource = {"OTEL_SERVICE_NAME": "shop", "OTEL_RESOURCE_ATTRIBUTES": "llmlab.project=web,llmlab.session=s9"}
    ended = subprocess.run(
        command,
        env=inherited | keys | addresses | resource | environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.fixture(scope="module", params=[run_plainly, run_under_the_launcher], ids=lambda how: how.__name__)
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    data = tmp_path_factory.mktemp("promises") / "data"
    with FakeProvider() as provider:
        with running(data) as exporter:
            request.param(provider, exporter)
            exporter.wait_until_stored(30)
            summary = json.loads(exporter.get("/api/costs/summary"), parse_float=Decimal)
        yield Outcome(provider.book.bills(), summary, stored(data))


def stored(data: Path) -> list[dict[str, Any]]:
    client = clickhouse_connect.get_client(interface="chdb", path=str(data / "clickhouse"))
    rows = list(client.query("SELECT * FROM llmlab.llm_calls ORDER BY started_at").named_results())
    client.close()
    return rows


def test_every_call_counts_once(outcome: Outcome) -> None:
    billed = sorted((bill["model"], bill["usage"].get("prompt_tokens")) for bill in outcome.bills)
    assert len(billed) == 2
    openai, anthropic, *by_hand = outcome.rows
    assert openai["model"] == "gpt-4o-mini-2024-07-18"
    assert anthropic["model"].startswith("claude-haiku-4-5")
    assert [row["model"] for row in by_hand] == ["gpt-4", "gpt-4"]
    assert all(row["billable"] for row in outcome.rows)
    assert outcome.summary["periods"]["all_time"]["requests"] == 4


def test_the_usage_is_what_the_provider_billed(outcome: Outcome) -> None:
    openai, anthropic = (bill["usage"] for bill in outcome.bills)
    rows = {row["provider"]: row for row in outcome.rows[:2]}
    assert rows["openai"]["input_tokens"] == openai["prompt_tokens"]
    assert rows["openai"]["output_tokens"] == openai["completion_tokens"]
    assert rows["anthropic"]["output_tokens"] == anthropic["output_tokens"]
    assert {row["usage_source"] for row in outcome.rows} == {"reported"}


def test_the_total_is_the_sum_of_exact_costs(outcome: Outcome) -> None:
    assert [row["cost_usd"] for row in outcome.rows[2:]] == [GPT4_CALL_USD, GPT4_CALL_USD]
    assert all(row["cost_usd"] > 0 for row in outcome.rows)
    assert outcome.summary["total_spend"] == sum(row["cost_usd"] for row in outcome.rows)


def test_attribution_arrives_from_every_source(outcome: Outcome) -> None:
    assert [row["feature"] for row in outcome.rows] == ["", "", "summarization", ""]
    assert {row["user_id"] for row in outcome.rows} == {"u1"}
    assert {(row["project"], row["session_id"], row["service_name"]) for row in outcome.rows} == {("web", "s9", "shop")}


PROMISED = """
@track_cost(provider="openai")
def generate_summary(text):

with track_cost(provider="anthropic"):
    response = client.messages.create(

sdk.init("llmlab_xxx")
sdk.track_call(provider="openai", model="gpt-4", input_tokens=1000, output_tokens=500,
               metadata={"feature": "summarization"})
sdk.track_call("openai", "gpt-4", 1000, 500)          # positional too
for rec in sdk.get_recommendations():
    print(rec["title"], rec["savings_percentage"], rec["confidence"])
"""


@pytest.mark.parametrize("lines", PROMISED.strip().split("\n\n"))
def test_the_application_has_the_promised_lines_word_for_word(lines: str) -> None:
    assert lines in APP.read_text()
