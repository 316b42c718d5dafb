import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from e2e.traces import metric, post, span, text
from exporter_process import ExporterProcess, running

pytestmark = pytest.mark.e2e

SDK = "opentelemetry.instrumentation.genai.openai"
FRAMEWORK = "opentelemetry.instrumentation.genai.langchain"


def record(number: int, scope: str, response_id: str = "") -> bytes:
    """Make a request with one record of a call; the framework's is in a trace of its own, and the SDK's knows more."""
    usage = {"input_tokens": 1000, "output_tokens": 100}
    if scope == SDK:
        usage["cache_read.input_tokens"] = 400
    made = span(number if scope == SDK else number + 1_000_000, usage=usage)
    if response_id:
        made.attributes.append(text("gen_ai.response.id", response_id))
    return one_request(made, scope)


def one_request(made: Span, scope: str) -> bytes:
    group = ScopeSpans(spans=[made])
    group.scope.name = scope
    return ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[group])]).SerializeToString()


def send(exporter: ExporterProcess, *bodies: bytes) -> None:
    for body in bodies:
        answer = post(exporter.url, body)
        assert (answer.status, answer.body) == (200, b"")


def summary(exporter: ExporterProcess) -> dict[str, Any]:
    return json.loads(exporter.get("/api/costs/summary"), parse_float=Decimal)


def stored(data: Path) -> tuple[int, int, Decimal]:
    """Return the billed calls, the duplicates, and what the billed ones cost, from the store of a stopped exporter."""
    client = clickhouse_connect.get_client(interface="chdb", path=str(data / "clickhouse"))
    [found] = client.query(
        "SELECT countIf(billable), countIf(duplicate_of IS NOT NULL), sum(cost_usd) FROM llmlab.current_calls"
    ).result_rows
    client.close()
    return int(found[0]), int(found[1]), found[2]


@pytest.mark.parametrize("end", ["none", "stop", "kill"])
@pytest.mark.parametrize("first", [SDK, FRAMEWORK])
def test_a_framework_and_its_sdk_are_one_call_in_two_requests(data: Path, first: str, end: str) -> None:
    second = FRAMEWORK if first == SDK else SDK
    exporter = ExporterProcess(data)
    send(exporter, *(record(number, first, f"r{number}") for number in range(1, 6)))
    send(exporter, record(6, SDK, "r6"), record(7, SDK, "r7"))  # siblings that are alike, and no duplicates
    assert summary(exporter)["periods"]["all_time"]["requests"] == 7
    if end == "kill":
        exporter.kill()
    elif end == "stop":
        exporter.stop()
    exporter = exporter if end == "none" else ExporterProcess(data)
    send(exporter, *(record(number, second, f"r{number}") for number in range(1, 6)))
    answer = summary(exporter)
    page = exporter.get("/metrics")
    exporter.wait_until_stored(30)
    exporter.stop()
    assert answer["periods"]["all_time"]["requests"] == 7
    assert answer["pipeline"]["duplicates"] == {"redelivered": 0, "same_response": 5}
    assert stored(data) == (7, 5, answer["total_spend"])
    assert metric(page, "llmlab_exporter_duplicates_total", reason="same_response") == 5
    ahead = metric(page, "llmlab_exporter_held_back_usd")
    assert metric(page, "llm_cost_usd_total") - ahead == pytest.approx(float(answer["total_spend"]), rel=1e-9)
    assert metric(page, "llm_requests_total") - metric(page, "llmlab_exporter_held_back_requests") == 7


def test_the_api_names_the_span_that_is_billed_instead(data: Path) -> None:
    with running(data) as exporter:
        send(exporter, record(1, FRAMEWORK, "r1"))
        send(exporter, record(1, SDK, "r1"))
        exporter.wait_until_stored(30)
        outer = 1_000_001
        found = json.loads(exporter.get(f"/api/calls/{outer:032x}/{outer:016x}"))
        assert found["duplicate_of"] == f"{1:016x}"
        assert found["version"] == 2
        [before] = found["earlier_versions"]
        assert (before["billable"], before["replaced_by"], before["replaced_because"]) == (
            True,
            "dedupe",
            "same_response",
        )
        [repeating] = json.loads(exporter.get("/api/calls?duplicates=true"))["calls"]
        assert (repeating["duplicate_of"], repeating["duplicate_reason"]) == (f"{1:016x}", "same_response")
        [billed] = json.loads(exporter.get("/api/calls?duplicates=false"))["calls"]
        assert (billed["span_id"], billed["duplicate_of"], billed["version"]) == (f"{1:016x}", None, 1)
        page = exporter.get("/metrics")
        assert metric(page, "llmlab_exporter_duplicate_calls", reason="same_response") == 1
        assert metric(page, "llmlab_exporter_duplicates_total", reason="same_response") == 1
