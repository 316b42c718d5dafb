"""History priced again in a running exporter, with the command, beside the ingest, and across kills."""

import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest

from e2e.traces import metric, post, post_spans, request, span
from exporter_process import LLMLAB, ExporterProcess, running

pytestmark = pytest.mark.e2e

MODEL = "in-house-7b"
PRICES = f"""
prices:
  openai/{MODEL}: {{input_mtok: 2, output_mtok: 10}}
"""
COST = Decimal("0.003")
"""1000 input tokens at 2, 100 output tokens at 10 USD per million."""
TODAY = datetime.now(tz=UTC).date()
DAYS = {"from": f"{TODAY - timedelta(days=1)}", "to": f"{TODAY + timedelta(days=1)}"}


def llmlab_reprice(url: str, *options: str) -> str:
    command = [LLMLAB, "reprice", "--from", DAYS["from"], "--to", DAYS["to"], "--url", url, *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def send_unpriced(url: str, numbers: range) -> None:
    assert post(url, request([span(number, MODEL) for number in numbers])).status == 200


def summary(exporter: ExporterProcess) -> dict[str, Any]:
    return json.loads(exporter.get("/api/costs/summary"), parse_float=Decimal)


def ask(url: str, path: str, body: dict[str, Any] | None = None, method: str = "GET") -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    sent = urllib.request.Request(f"{url}{path}", data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(sent, timeout=30) as answer:
        return json.loads(answer.read(), parse_float=Decimal)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited 60 s in vain"
        time.sleep(0.02)


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "prices.yaml"
    path.write_text(PRICES)
    return path


def test_calls_without_a_price_get_one_when_there_is_one(data: Path, prices: Path) -> None:
    with running(data) as exporter:
        send_unpriced(exporter.url, range(1, 31))
        post_spans(exporter.url, range(101, 111))
        exporter.wait_until_stored(30)
        assert "still without a known price: 30 calls" in llmlab_reprice(exporter.url, "--dry-run")
    with running(data, "--prices", str(prices)) as exporter:
        before = summary(exporter)
        counted = metric(exporter.get("/metrics"), "llm_cost_usd_total")
        dry = json.loads(llmlab_reprice(exporter.url, "--dry-run", "--json"), parse_float=Decimal)
        assert summary(exporter)["total_spend"] == before["total_spend"]
        printed = llmlab_reprice(exporter.url, "--model", MODEL)
        after = summary(exporter)
        assert dry["total"]["newly_priced"] == 30
        assert dry["total"]["difference"] == after["total_spend"] - before["total_spend"] == 30 * COST
        assert after["unpriced"]["requests"] == 0
        assert f"openai/{MODEL}" in printed
        assert "unpriced" in printed
        assert "30 of 30 calls changed" in printed
        assert "0 of 40 calls changed" in llmlab_reprice(exporter.url)
        # A counter that fell would look like a restart, and one that rose now like money that is being spent now.
        assert metric(exporter.get("/metrics"), "llm_cost_usd_total") == counted
        (call,) = ask(exporter.url, f"/api/calls?model={MODEL}&limit=1")["calls"]
        shown = ask(exporter.url, f"/api/calls/{call['trace_id']}/{call['span_id']}")
        assert (shown["cost"], shown["version"]) == (COST, 2)
        (earlier,) = shown["earlier_versions"]
        assert (earlier["cost"], earlier["cost_reason"], earlier["replaced_because"]) == (
            None,
            "unknown_model",
            "reprice",
        )


def test_kills_while_pricing_again_leave_every_call_priced_once(data: Path, prices: Path) -> None:
    calls = 12_000
    with running(data) as exporter:
        for first in range(1, calls, 1000):
            send_unpriced(exporter.url, range(first, first + 1000))
        exporter.wait_until_stored(60)
    states: list[str] = []
    for delay_s in (0.05, 0.2, 0.4, 0.6, 0.8):
        exporter = ExporterProcess(data, ["--prices", str(prices)])
        if not states:
            ask(exporter.url, "/api/reprice", DAYS | {"dry_run": False}, "POST")
        time.sleep(delay_s)
        states.append(latest(exporter)[0]["state"])
        exporter.kill()
    assert states[0] != "done"
    with running(data, "--prices", str(prices)) as exporter:
        (job,) = latest(exporter)
        until(lambda: ask(exporter.url, f"/api/reprice/{job['id']}")["state"] == "done")
        assert ask(exporter.url, f"/api/reprice/{job['id']}")["total"]["changed"] == calls
        assert summary(exporter)["total_spend"] == calls * COST
        assert "0 of 12,000 calls changed" in llmlab_reprice(exporter.url)
    assert stored(data) == (calls, calls * COST, 2, calls)


def latest(exporter: ExporterProcess) -> list[dict[str, Any]]:
    return json.loads(exporter.get("/api/reprice"), parse_float=Decimal)


def stored(data: Path) -> tuple[int, Decimal, int, int]:
    """Return calls, their cost, their highest version, and the old versions that were kept."""
    client = clickhouse_connect.get_client(interface="chdb", path=str(data / "clickhouse"))
    calls = client.query("SELECT count(), sum(cost_usd), max(version) FROM llmlab.current_calls").result_rows[0]
    ((kept,),) = client.query("SELECT count() FROM llmlab.llm_call_versions FINAL").result_rows
    client.close()
    return int(calls[0]), Decimal(calls[1]), int(calls[2]), int(kept)


def test_spans_are_taken_and_stored_while_history_is_priced_again(data: Path, prices: Path) -> None:
    with running(data) as exporter:
        for first in range(1, 20_000, 1000):
            send_unpriced(exporter.url, range(first, first + 1000))
        exporter.wait_until_stored(60)
    with running(data, "--prices", str(prices)) as exporter:
        stop = threading.Event()
        sent: list[int] = []

        def send() -> None:
            while not stop.is_set():
                numbers = range(1_000_000 + 10 * len(sent), 1_000_010 + 10 * len(sent))
                post_spans(exporter.url, numbers)
                sent.append(numbers.start)

        sender = threading.Thread(target=send)
        sender.start()
        job = ask(exporter.url, "/api/reprice", DAYS | {"model": MODEL}, "POST")
        until(lambda: ask(exporter.url, f"/api/reprice/{job['id']}")["state"] == "done")
        stop.set()
        sender.join()
        assert len(sent) > 1
        assert summary(exporter)["by_model"][f"openai/{MODEL}"] == 20_000 * COST
        assert metric(exporter.get("/metrics"), "llm_requests_total") == 20_000 + 10 * len(sent)
    assert stored(data)[0] == 20_000 + 10 * len(sent)


def test_a_job_is_cancelled_and_a_second_one_is_refused_while_it_runs(data: Path) -> None:
    with running(data) as exporter:
        job = ask(exporter.url, "/api/reprice", DAYS, "POST")
        ask(exporter.url, f"/api/reprice/{job['id']}", method="DELETE")
        until(lambda: ask(exporter.url, f"/api/reprice/{job['id']}")["state"] in {"cancelled", "done"})


@pytest.mark.parametrize(
    ("body", "named"),
    [({"from": "x", "to": "2026-01-01"}, "from='x'"), (DAYS | {"dry_run": "yes"}, "dry_run"), (DAYS | {"a": 1}, "'a'")],
)
def test_a_wrong_request_is_answered_with_what_is_wrong(
    exporter: ExporterProcess, body: dict[str, Any], named: str
) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(exporter.url, "/api/reprice", body, "POST")
    with refused.value as answer:
        assert answer.code == 400
        assert named in json.loads(answer.read())["error"]


def test_a_web_page_cannot_start_a_job(exporter: ExporterProcess) -> None:
    assert post(exporter.url, json.dumps(DAYS).encode(), "text/plain", path="/api/reprice").status == 400
