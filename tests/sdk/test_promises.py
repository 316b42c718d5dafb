"""The promised lines, in an application of their own, against the fake provider and a real exporter."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import Request, urlopen

import clickhouse_connect
import pytest

from exporter_process import ExporterProcess, running
from fake_provider.testing import FakeProvider
from sdk.test_delivery import TRACK, WITHOUT_SDK
from sdk.test_delivery import run as run_code

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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExporterProcess]:
    with running(tmp_path_factory.mktemp("rest") / "data") as server:
        yield server


class TestRestApi:
    """What is promised of the API, asked of a real exporter."""

    def track(self, server: ExporterProcess, **more: Any) -> Any:
        promised = {
            "provider": "openai",
            "model": "gpt-4",
            "input_tokens": 1000,
            "output_tokens": 500,
            "metadata": {"feature": "summarization"},
        }
        request = Request(f"{server.url}/api/events/track", json.dumps({**promised, **more}).encode())
        with urlopen(request, timeout=10) as answer:
            return json.loads(answer.read(), parse_float=Decimal)

    def total(self, server: ExporterProcess) -> Decimal:
        return json.loads(server.get("/api/costs/summary"), parse_float=Decimal)["total_spend"]

    def test_a_tracked_call_costs_what_was_promised_and_is_counted_at_once(self, server: ExporterProcess) -> None:
        before = self.total(server)
        assert self.track(server) == {"success": True, "cost": GPT4_CALL_USD}
        assert self.total(server) - before == GPT4_CALL_USD

    def test_a_repeated_call_counts_once(self, server: ExporterProcess) -> None:
        self.track(server, idempotency_key="one")
        before = self.total(server)
        assert self.track(server, idempotency_key="one")["repeated"]
        assert self.total(server) == before

    def test_tracking_answers_within_a_tenth_of_a_second(self, server: ExporterProcess) -> None:
        self.track(server)
        times_s: list[float] = []
        for _ in range(20):
            began_s = time.perf_counter()
            self.track(server)
            times_s.append(time.perf_counter() - began_s)
        assert median(times_s) < 0.1

    def test_recommendations_are_a_list(self, server: ExporterProcess) -> None:
        assert isinstance(json.loads(server.get("/api/recommendations")), list)

    def test_an_application_without_opentelemetrys_sdk_is_counted(self, server: ExporterProcess) -> None:
        before = self.total(server)
        code = f"{WITHOUT_SDK}from llmlab import sdk; sdk.init('llmlab_xxx', '{server.url}')\n" + TRACK * 3
        run_code(code)
        assert self.total(server) - before == 3 * GPT4_CALL_USD


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
