"""What keeps a store in order: retention, pruning, dead letters, disk use; by the commands that users have."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from e2e.traces import metric, post, request, span
from exporter_process import LLMLAB, ExporterProcess, running

pytestmark = pytest.mark.e2e

DAY_NS = 86_400 * 10**9
OLD, YOUNG = 200, 3
"""Ages of calls in days."""


def llmlab(exporter: ExporterProcess, *arguments: str, fails: bool = False) -> str:
    done = subprocess.run(
        [LLMLAB, *arguments, "--url", exporter.url], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == (1 if fails else 0), done.stderr
    return done.stderr if fails else done.stdout


def send_calls_of(exporter: ExporterProcess, *ages: int) -> None:
    """Send a call of each age in days."""
    spans = [span(number) for number in range(1, len(ages) + 1)]
    for each, age in zip(spans, ages, strict=True):
        each.start_time_unix_nano -= age * DAY_NS
        each.end_time_unix_nano -= age * DAY_NS
    assert post(exporter.url, request(spans)).status == 200
    exporter.wait_until_stored(30)


def summary(exporter: ExporterProcess, query: str = "") -> dict[str, Any]:
    return json.loads(exporter.get(f"/api/costs/summary{query}"), parse_float=Decimal)


def listed(exporter: ExporterProcess) -> int:
    return len(json.loads(exporter.get("/api/calls"))["calls"])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited 30 s in vain"
        time.sleep(0.05)


def test_pruning_takes_old_calls_and_leaves_the_sums_unless_they_are_meant_too(data: Path) -> None:
    with running(data) as exporter:
        send_calls_of(exporter, OLD, OLD, YOUNG)
        before = summary(exporter)
        plan = llmlab(exporter, "prune", "--older-than", "90d", "--dry-run")
        assert plan.startswith("2 calls (")
        assert "would be forgotten; what was spent stays in the sums" in plan
        assert listed(exporter) == 3
        assert "hint: add --yes" in llmlab(exporter, "prune", "--older-than", "90d", fails=True)
        assert listed(exporter) == 3
        assert "2 calls (" in llmlab(exporter, "prune", "--older-than", "90d", "--yes")
        assert listed(exporter) == 1
        assert summary(exporter)["periods"] == before["periods"]
        llmlab(exporter, "prune", "--older-than", "13w", "--sums", "--yes")
        after = summary(exporter)["periods"]
        assert after["all_time"]["requests"] == 1
        assert after["all_time"]["spend"] * 3 == before["periods"]["all_time"]["spend"]
        assert metric(exporter.get("/metrics"), "llm_requests_total") == 3
        send_calls_of(exporter, OLD, OLD, YOUNG)  # sent again: known, and not stored again
        assert listed(exporter) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b'{"before": "soon"}', b'{"before": "2999-01-01"}', b'{"after": 1}'])
def test_a_prune_that_makes_no_sense_is_refused(exporter: ExporterProcess, body: bytes) -> None:
    answer = post(exporter.url, body, "application/json", path="/api/prune")
    assert answer.status == 400
    assert b'"hint"' in answer.body


def test_retention_is_altered_at_each_start(data: Path) -> None:
    for options, expected in ((("--retention-days", "30"), "toIntervalDay(30)"), ((), "")):
        with running(data, *options) as exporter:
            send_calls_of(exporter, YOUNG)
        shown = ask_engine(data, "SELECT create_table_query FROM system.tables WHERE name = 'llm_calls'")
        assert expected in shown
        assert ("TTL" in shown) == bool(expected)


def test_what_the_store_refuses_for_good_is_shown_and_can_be_retried(data: Path) -> None:
    with running(data) as exporter:
        send_calls_of(exporter, 0)
    alter(data, "ADD CONSTRAINT short CHECK length(model) < 40")
    with running(data) as exporter:
        bodies = [span(number, model="m" * 50 if number == 7 else "gpt-5-mini") for number in range(2, 12)]
        assert post(exporter.url, request(bodies)).status == 200
        exporter.wait_until_stored(30)
        assert listed(exporter) == 10
        text = exporter.get("/metrics")
        assert metric(text, "llmlab_exporter_dead_letters") == metric(text, "llmlab_exporter_buried_rows_total") == 1
        assert metric(text, "llm_requests_total") == 11
        assert json.loads(exporter.get("/readyz"))["store"]["dead_letters"] == 1
        shown = llmlab(exporter, "dead-letters", "list")
        assert "openai/" + "m" * 50 in shown
        assert "VIOLATED_CONSTRAINT" in shown
        detail = llmlab(exporter, "dead-letters", "show", "1")
        assert f"{'trace_id':<22}{7:032x}" in detail.splitlines()
        assert "there is no dead letter 9" in llmlab(exporter, "dead-letters", "show", "9", fails=True)
        assert "numbers" in llmlab(exporter, "dead-letters", "retry", "9", fails=True)
        assert "hint: add --yes" in llmlab(exporter, "dead-letters", "discard", "1", fails=True)
        assert "no dead letter 9" in llmlab(exporter, "dead-letters", "discard", "9", "--yes", fails=True)
        assert "1 call was refused by the store" in llmlab(exporter, "status")
        [line] = (data / "dead-letters.jsonl").read_text().splitlines()
        assert json.loads(line)["call"]["model"] == "m" * 50
        assert "1 call goes to the store again" in llmlab(exporter, "dead-letters", "retry")
        until(lambda: metric(exporter.get("/metrics"), "llmlab_exporter_buried_rows_total") == 2)
        exporter.kill()  # a dead letter outlives a crash
    alter(data, "DROP CONSTRAINT short")
    with running(data) as exporter:
        llmlab(exporter, "dead-letters", "retry", "1", "2")
        exporter.wait_until_stored(30)
        assert listed(exporter) == 11
        assert llmlab(exporter, "dead-letters", "list") == "the store has refused no calls\n"
        assert not (data / "dead-letters.jsonl").exists()


def alter(data: Path, change: str) -> None:
    ask_engine(data, f"ALTER TABLE llmlab.llm_calls {change}")


ENGINE = """
import sys, clickhouse_connect
client = clickhouse_connect.get_client(interface="chdb", path=sys.argv[1])
print(client.command(sys.argv[2]))
client.close()
"""


def ask_engine(data: Path, statement: str) -> str:
    """Run a statement in a process of its own, since one process opens one engine directory in its life."""
    command = [sys.executable, "-c", ENGINE, str(data / "clickhouse"), statement]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_disk_use_is_shown(exporter: ExporterProcess) -> None:
    send_calls_of(exporter, 0)
    until(lambda: "llmlab_exporter_store_bytes" in exporter.get("/metrics"))
    shown = llmlab(exporter, "status")
    assert "\ndisk: ledger " in shown
    assert shown.rstrip().endswith(" free")
    state = json.loads(exporter.get("/readyz"))["disk"]
    text = exporter.get("/metrics")
    assert state["ledger_bytes"] > 0
    assert metric(text, "llmlab_exporter_min_free_bytes") == state["min_free_bytes"]
    assert metric(text, "llmlab_exporter_free_bytes") > state["min_free_bytes"]


def test_sampled_calls_are_warned_of_and_extrapolated_on_request_only(data: Path) -> None:
    with running(data) as exporter:
        spans = [span(number) for number in range(1, 13)]
        for each in spans[:8]:
            each.trace_state = "congo=t61,ot=th:c"  # 1 in 4
        for each in spans[8:10]:
            each.trace_state = "ot=th:8;rv:abcdef12345678"  # 1 in 2
        assert post(exporter.url, request(spans)).status == 200
        plain, asked = summary(exporter), summary(exporter, "?extrapolate=true")
        each = plain["window"]["spend"] / 12
        assert plain["window"]["requests"] == 12
        assert [
            (rate["requests"], rate["one_in"], rate["spend"]) for rate in plain["sampling"]["periods"]["window"]
        ] == [
            (2, 2, 2 * each),
            (8, 4, 8 * each),
        ]
        assert "extrapolated" not in plain["sampling"]
        assert asked["window"] == plain["window"]
        assert asked["sampling"]["extrapolated"]["periods"]["window"] == {
            "requests": 8 * 4 + 2 * 2 + 2,
            "spend": each * (8 * 4 + 2 * 2 + 2),
        }
        assert metric(exporter.get("/metrics"), "llmlab_exporter_sampled_spans_total") == 10
        assert metric(exporter.get("/metrics"), "llm_requests_total") == 12
        shown = llmlab(exporter, "status", "--extrapolate")
        assert "Totals are a lower bound" in shown
        assert "2 at 1 in 2, 8 at 1 in 4" in shown
        assert "about $" in shown
        assert "about $" not in llmlab(exporter, "status")
        assert exporter.log.read_text().count("sends a sample of its spans, 1 in 4") == 1
        exporter.wait_until_stored(30)
        shown_calls = [json.loads(exporter.get(f"/api/calls/{number:032x}/{number:016x}")) for number in (1, 9, 12)]
        assert [call["sampled_one_in"] for call in shown_calls] == [4, 2, None]
    with running(data) as exporter:
        assert summary(exporter, "?extrapolate=true")["sampling"] == asked["sampling"]
