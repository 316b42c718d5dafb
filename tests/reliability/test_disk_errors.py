"""A disk that fails now and then: system calls of a real exporter are made to fail by strace.

What was acknowledged stays, what was refused is sent again, and in the end everything is there once.
"""

import json
import subprocess
import time
import urllib.error
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import clickhouse_connect
import pytest

from e2e.traces import metric, post
from exporter_process import ExporterProcess, running
from reliability.truth import Made, calls, request, truth
from servers import needs

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240), needs("strace")]

BATCH = 50
DEADLINE_S = 120

LEDGER = "ledger.sqlite-wal"


def strace(calls_of: str, fault: str, log: Path, only: Sequence[str] = ()) -> list[str]:
    """Return the command that makes system calls fail, and writes down which."""
    return [
        *("strace", "-f", "-qq", "-o", str(log)),
        *("-e", f"trace={calls_of}", "-e", f"inject={calls_of}:{fault}", *only),
    ]


def send_until_accepted(exporter: ExporterProcess, batch: Sequence[Made]) -> bool:
    """Send one request until it is accepted; False when the exporter died of it."""
    body = request(batch)
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            answer = post(exporter.url, body)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if not exporter.running:
                return False
        else:
            if answer.status == 200:
                assert answer.body == b"", answer.body
                return True
            assert answer.status == 503, (answer.status, answer.body)
        time.sleep(0.02)
    raise TimeoutError(f"not accepted within {DEADLINE_S} s: {exporter.log.read_text()[-2000:]}")


@pytest.mark.parametrize(
    ("calls_of", "fault", "file"),
    [
        pytest.param("fdatasync,fsync", "error=EIO:when=4+5", LEDGER, id="the ledger's flush fails"),
        pytest.param("pwrite64", "error=ENOSPC:when=30..60", LEDGER, id="no room for the ledger for a while"),
        pytest.param("pwrite64", "error=EIO:when=60+997", LEDGER, id="the ledger's writes fail now and then"),
    ],
)
def test_the_ledger_refuses_what_it_cannot_keep_and_loses_nothing(
    calls_of: str, fault: str, file: str, data: Path
) -> None:
    with running(data):
        pass  # the files are there now, so that strace can tell them by their paths
    made = calls(2_000, time.time_ns(), seed=1)
    trace = data.with_name("trace")
    exporter = ExporterProcess(
        data, under=strace(calls_of, fault, trace, ["-D", "--seccomp-bpf", "-P", str(data / file)])
    )
    try:
        for at in range(0, len(made), BATCH):
            assert send_until_accepted(exporter, made[at : at + BATCH]), exporter.log.read_text()[-2000:]
        assert "could not commit" in exporter.log.read_text()
    finally:
        exporter.kill()
    assert_all_is_there_once(data, made)


@pytest.mark.parametrize(
    ("calls_of", "fault"),
    [
        pytest.param("rename,renameat,renameat2", "error=EIO:when=1+2", id="renames fail now and then"),
        pytest.param("fsync,fdatasync", "error=EIO:when=2+4", id="every fourth flush fails, of whatever file"),
        pytest.param("rename,renameat,renameat2", "error=ENOSPC:when=1..3", id="no room to rename for a while"),
    ],
)
def test_the_store_is_asked_before_anything_is_sent_to_it_again(calls_of: str, fault: str, data: Path) -> None:
    with running(data):
        pass
    made = calls(1_000, time.time_ns(), seed=2)
    trace = data.with_name("trace")
    exporter = ExporterProcess(data)
    # Attached when it runs: strace counts the calls of each thread by itself, and starting makes some too.
    tracer = subprocess.Popen([*strace(calls_of, fault, trace), "-p", str(exporter.pid)])
    try:
        for at in range(0, len(made), BATCH):
            if not send_until_accepted(exporter, made[at : at + BATCH]):
                exporter = ExporterProcess(data)  # it died of the error, and what it had acknowledged is on the disk
                assert send_until_accepted(exporter, made[at : at + BATCH])
            time.sleep(0.2)
        assert "(INJECTED)" in trace.read_text()
    finally:
        exporter.kill()
        tracer.kill()
        tracer.wait()
    assert_all_is_there_once(data, made)


def assert_all_is_there_once(data: Path, made: Sequence[Made]) -> None:
    true = truth(made)
    with running(data) as exporter:
        exporter.wait_until_stored(60)
        summary = json.loads(exporter.get("/api/costs/summary"), parse_float=Decimal)
        assert metric(exporter.get("/metrics"), "llm_requests_total") == len(made)
    assert {model["model"]: (model["requests"], Decimal(model["spend"] or 0)) for model in summary["models"]} == {
        model: (totals.calls, totals.cost_usd) for model, totals in true.items()
    }
    with closing(clickhouse_connect.get_client(interface="chdb", path=str(data / "clickhouse"))) as client:
        rows = client.query(
            "SELECT model, count(), toString(sum(cost_usd)), uniqExact(trace_id, span_id) FROM llmlab.llm_calls "
            "GROUP BY model"
        ).result_rows
    assert {model: (count, Decimal(cost or 0), distinct) for model, count, cost, distinct in rows} == {
        model: (totals.calls, totals.cost_usd, totals.calls) for model, totals in true.items()
    }
