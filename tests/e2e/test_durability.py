import json
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest

from e2e.ports import free_port
from e2e.traces import metric, post_spans
from exporter_process import ExporterProcess, running

pytestmark = pytest.mark.e2e


def stored(data: Path) -> tuple[int, int]:
    """Return rows and distinct spans in the store of a stopped exporter."""
    client = clickhouse_connect.get_client(interface="chdb", path=str(data / "clickhouse"))
    rows, distinct = client.query("SELECT count(), uniqExact(trace_id, span_id) FROM llmlab.llm_calls").result_rows[0]
    client.close()
    return int(rows), int(distinct)


def requests_total(exporter: ExporterProcess) -> float:
    return metric(exporter.get("/metrics"), "llm_requests_total")


def test_a_restart_keeps_everything_and_recognises_what_is_sent_again(data: Path) -> None:
    with running(data) as exporter:
        post_spans(exporter.url, range(1, 51))
        before = exporter.get("/api/costs/summary")
        metrics = exporter.get("/metrics")
    with running(data) as exporter:
        post_spans(exporter.url, range(41, 61))
        assert requests_total(exporter) == 60
        summary = json.loads(exporter.get("/api/costs/summary"))
        assert summary["pipeline"]["duplicates"] == {"redelivered": 10}
        assert summary["periods"]["all_time"]["requests"] == 60
    assert json.loads(before)["total_spend"] > 0
    assert metric(metrics, "llm_cost_usd_total") == pytest.approx(json.loads(before)["total_spend"], rel=1e-12)
    assert stored(data) == (60, 60)


def test_kills_lose_nothing_that_was_acknowledged_and_double_nothing(data: Path) -> None:
    acknowledged: set[int] = set()
    number = 0
    for _ in range(3):
        exporter = ExporterProcess(data)
        killer = threading.Timer(1.0, exporter.kill)
        killer.start()
        while True:
            batch = list(range(number * 20, number * 20 + 30))  # ten of each batch are sent again with the next
            try:
                post_spans(exporter.url, [one + 1 for one in batch])
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                break  # unanswered: it is sent again to the next exporter
            acknowledged.update(batch)
            number += 1
        killer.join()
    with running(data) as exporter:
        post_spans(exporter.url, [one + 1 for one in range(number * 20, number * 20 + 30)])
        acknowledged.update(range(number * 20, number * 20 + 30))
        assert requests_total(exporter) == len(acknowledged)
        summary = json.loads(exporter.get("/api/costs/summary"))
        assert summary["periods"]["all_time"]["requests"] == len(acknowledged)
    assert stored(data) == (len(acknowledged), len(acknowledged))


def test_a_shutdown_under_load_answers_or_refuses_but_loses_nothing(data: Path) -> None:
    exporter = ExporterProcess(data)
    acknowledged: set[int] = set()

    def send(sender: int) -> None:
        for turn in range(10_000):
            first = sender * 10_000_000 + turn * 10 + 1
            try:
                post_spans(exporter.url, range(first, first + 10))
            except (AssertionError, urllib.error.URLError, ConnectionError):
                return
            acknowledged.update(range(first, first + 10))

    senders = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for sender in senders:
        sender.start()
    time.sleep(1)
    exporter.stop()
    for sender in senders:
        sender.join()
    rows, distinct = stored(data)
    assert rows == distinct
    assert rows >= len(acknowledged) > 0


def test_the_same_code_writes_to_a_server_and_waits_while_it_is_away(data: Path, tmp_path: Path) -> None:
    port = free_port()
    with running(data, "--clickhouse-url", f"http://127.0.0.1:{port}/spend") as exporter:
        post_spans(exporter.url, range(1, 11))
        state = wait_for_store_error(exporter)
        assert state["status"] == "ready"
        assert state["store"]["pending_rows"] == 10
        assert f"127.0.0.1:{port}" in state["store"]["error"]
        server = Path(__file__).parent.parent / "store" / "clickhouse_server.py"
        with subprocess.Popen([sys.executable, str(server), str(tmp_path / "server"), str(port)]) as process:
            exporter.wait_until_stored(60)
            post_spans(exporter.url, range(11, 21))
            exporter.wait_until_stored(60)
            client = clickhouse_connect.get_client(dsn=f"http://127.0.0.1:{port}", autogenerate_session_id=False)
            assert client.query("SELECT count(), uniqExact(trace_id) FROM spend.llm_calls").result_rows == [(20, 20)]
            client.close()
            process.terminate()


def wait_for_store_error(exporter: ExporterProcess) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while True:
        state = json.loads(exporter.get("/readyz"))
        if state["store"]["error"]:
            return state
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ("PRAGMA user_version = 999", "was written by a later LLMLab"),
        ("", "cannot be opened: file is not a database"),
    ],
    ids=["later", "damaged"],
)
def test_a_ledger_that_cannot_be_used_is_a_clear_error(data: Path, spoil: str, told: str) -> None:
    data.mkdir()
    ledger = data / "ledger.sqlite"
    if spoil:
        with sqlite3.connect(ledger) as db:
            db.execute(spoil)
        db.close()
    else:
        ledger.write_bytes(b"something else" * 1000)
    with pytest.raises(RuntimeError, match=told) as failed:
        ExporterProcess(data)
    assert "hint: " in str(failed.value)
    assert "Traceback" not in str(failed.value)
