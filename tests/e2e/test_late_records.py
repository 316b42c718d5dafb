"""Records that come hours after their call: a proxy's log of yesterday, a queue that was stuck, a replay."""

import json
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from e2e.test_late_duplicates import FRAMEWORK, SDK, record
from e2e.traces import metric, post
from exporter_process import ExporterProcess, running

pytestmark = pytest.mark.e2e

HOUR_NS = 3600 * 10**9
FORGETFUL = ("--window-calls", "0")
"""What comes later than at once comes after the window has forgotten."""


def aged(body: bytes, hours: int) -> bytes:
    """Let the spans of a request have ended hours ago."""
    request = ExportTraceServiceRequest.FromString(body)
    for span in request.resource_spans[0].scope_spans[0].spans:
        span.start_time_unix_nano -= hours * HOUR_NS
        span.end_time_unix_nano -= hours * HOUR_NS
    return request.SerializeToString()


def send(exporter: ExporterProcess, *bodies: bytes) -> None:
    for body in bodies:
        answer = post(exporter.url, body)
        assert (answer.status, answer.body) == (200, b"")
    exporter.wait_until_stored(30)


def summary(exporter: ExporterProcess) -> dict[str, Any]:
    return json.loads(exporter.get("/api/costs/summary"), parse_float=Decimal)


def repeating(exporter: ExporterProcess) -> list[tuple[str, str]]:
    calls = json.loads(exporter.get("/api/calls?duplicates=true"))["calls"]
    return sorted((call["duplicate_of"], call["duplicate_reason"]) for call in calls)


@pytest.mark.parametrize("hours", [1, 30])
def test_another_record_of_a_stored_response_is_no_call(data: Path, hours: int) -> None:
    with running(data, *FORGETFUL) as exporter:
        send(exporter, *(aged(record(number, SDK, f"r{number}"), hours) for number in (1, 2)))
        before = summary(exporter)
        exporter.kill()
    with running(data, *FORGETFUL) as exporter:
        send(exporter, *(aged(record(number, FRAMEWORK, f"r{number}"), hours) for number in (1, 2)))
        send(exporter, aged(record(3, SDK, "r3"), hours))
        after = summary(exporter)
        assert after["periods"]["all_time"]["requests"] == 3
        assert after["total_spend"] * 2 == before["total_spend"] * 3
        assert repeating(exporter) == [(f"{1:016x}", "same_response"), (f"{2:016x}", "same_response")]
        assert after["pipeline"]["duplicates"] == {"redelivered": 0, "same_response": 2}
        page = exporter.get("/metrics")
        assert metric(page, "llmlab_exporter_late_calls_total", result="checked") == 3


def test_a_late_record_whose_call_is_remembered_is_compared_with_it(data: Path) -> None:
    with running(data) as exporter:  # a queue that was stuck: both are late, one after the other
        send(exporter, aged(record(1, FRAMEWORK, "r1"), 2))
        send(exporter, aged(record(1, SDK, "r1"), 2))
        assert summary(exporter)["periods"]["all_time"]["requests"] == 1
        assert repeating(exporter) == [(f"{1:016x}", "same_response")]  # the SDK's knows more, and is billed


def test_what_the_store_showed_to_be_a_repetition_is_never_billed_by_the_window(data: Path) -> None:
    with running(data, *FORGETFUL) as exporter:
        send(exporter, aged(record(1, SDK, "r1"), 2))
    with sqlite3.connect(data / "ledger.sqlite") as db:
        db.execute("DELETE FROM recent")  # as happens after the window's time
    db.close()
    with running(data) as exporter:
        send(exporter, aged(record(1, FRAMEWORK, "r1"), 2))
        before = summary(exporter)
        relative = aged(record(2, FRAMEWORK, "r1"), 2)  # of the same response, in yet another trace
        send(exporter, relative)
        after = summary(exporter)
        assert (after["periods"], after["total_spend"]) == (before["periods"], before["total_spend"])
        assert after["periods"]["all_time"]["requests"] == 1
        assert repeating(exporter) == [(f"{1:016x}", "same_response")] * 2


def test_a_span_sent_again_after_its_key_was_dropped_is_recognised_by_the_store(data: Path) -> None:
    with running(data, *FORGETFUL) as exporter:
        send(exporter, *(aged(record(number, SDK), 100) for number in (1, 2)))
        before = summary(exporter)
    with sqlite3.connect(data / "ledger.sqlite") as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE name GLOB 'seen_[0-9]*'").fetchall():
            db.execute(f"DROP TABLE {table}")  # as happens after some days
    db.close()
    with running(data, *FORGETFUL) as exporter:
        send(exporter, *(aged(record(number, SDK), 100) for number in (1, 2, 3)))
        after = summary(exporter)
        assert after["periods"]["all_time"]["requests"] == 3
        assert after["total_spend"] * 2 == before["total_spend"] * 3
        assert after["pipeline"]["duplicates"] == {"redelivered": 2}
        assert metric(exporter.get("/metrics"), "llmlab_exporter_spans_total", result="redelivered") == 2


def test_while_the_store_is_away_late_calls_are_counted_and_said_to_be_unchecked(data: Path) -> None:
    with running(data, "--clickhouse-url", "http://127.0.0.1:9/nowhere") as exporter:
        answer = post(exporter.url, aged(record(1, SDK, "r1"), 2))
        assert (answer.status, answer.body) == (200, b"")
        assert summary(exporter)["periods"]["all_time"]["requests"] == 1
        assert metric(exporter.get("/metrics"), "llmlab_exporter_late_calls_total", result="unchecked") == 1
