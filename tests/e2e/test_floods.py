"""Names without end: what is kept in memory and shown to Prometheus stays bounded, and no cost is lost."""

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from e2e.traces import metric, post, request, span, text
from exporter_process import ExporterProcess
from llmlab_exporter.ledger.totals import MAX_OTHER_SERIES, MAX_SERIES
from llmlab_exporter.metrics import MAX_EXPOSED_SERIES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NAMES = 100_000
PER_REQUEST = 5_000
MIB = 1024 * 1024


def model_flood() -> Iterator[bytes]:
    """Make calls of 100,000 models: one is a real one, whose price is known."""
    for first in range(0, NAMES, PER_REQUEST):
        numbers = range(first + 1, first + PER_REQUEST + 1)
        yield request(span(number, model=f"model-{number}" if number > 1 else "gpt-5-mini") for number in numbers)


def service_flood() -> Iterator[bytes]:
    """Make calls of 3,000 services."""
    for number in range(NAMES + 1, NAMES + 3_001):
        flood = ExportTraceServiceRequest.FromString(request([span(number)]))
        flood.resource_spans[0].resource.attributes.append(text("service.name", f"service-{number}"))
        yield flood.SerializeToString()


def test_a_flood_of_names_is_bounded_counted_and_costs_nothing(exporter: ExporterProcess) -> None:
    for body in model_flood():
        answer = post(exporter.url, body)
        assert (answer.status, answer.body) == (200, b"")
    floods = list(service_flood())
    for at in range(0, len(floods), 500):  # protobuf messages joined are one message
        assert post(exporter.url, b"".join(floods[at : at + 500])).status == 200
    page = exporter.get("/metrics")
    series = [line for line in page.splitlines() if line.startswith("llm_requests_total{")]
    total = NAMES + len(floods)
    assert len(series) <= MAX_EXPOSED_SERIES + MAX_OTHER_SERIES + 3
    assert len(page) < 40 * MIB
    assert metric(page, "llm_requests_total") == total
    assert metric(page, "llmlab_exporter_overflowed_requests_total") == total - MAX_EXPOSED_SERIES
    assert exporter.memory_mib("VmHWM") < 900
    summary = json.loads(exporter.get("/api/costs/summary"), parse_float=Decimal)
    assert summary["window"]["requests"] == total
    assert len(summary["models"]) <= MAX_SERIES + MAX_OTHER_SERIES
    exporter.wait_until_stored(120)
    [found] = json.loads(exporter.get("/api/calls?model=model-99999"))["calls"]
    assert found["model"] == "model-99999"
