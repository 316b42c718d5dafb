"""Names without end: what is kept in memory and shown to Prometheus stays bounded, and no cost is lost."""

import json
import os
from collections.abc import Iterator
from decimal import Decimal

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from e2e.traces import metric, post, request, span, text
from exporter_process import ExporterProcess
from llmlab_exporter.ledger.totals import MAX_OTHER_SERIES, MAX_SERIES
from llmlab_exporter.metrics import MAX_EXPOSED_SERIES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NAMES = int(os.environ.get("LLMLAB_FLOOD_NAMES", "20100"))
"""Models: more than the ledger tells apart. `make soak` sends 100,000."""
SERVICES = 1_100
"""More than the ledger tells apart when it has given up telling models apart."""
PER_REQUEST = 5_000
MIB = 1024 * 1024


def model_flood() -> Iterator[bytes]:
    """Make calls of many models: one is a real one, whose price is known."""
    for first in range(0, NAMES, PER_REQUEST):
        numbers = range(first + 1, min(first + PER_REQUEST, NAMES) + 1)
        yield request(span(number, model=f"model-{number}" if number > 1 else "gpt-5-mini") for number in numbers)


def service_flood() -> Iterator[bytes]:
    """Make calls of many services."""
    for number in range(NAMES + 1, NAMES + SERVICES + 1):
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
    assert MAX_SERIES < len(summary["models"]) <= MAX_SERIES + MAX_OTHER_SERIES
    assert summary["window"]["unpriced_requests"] == NAMES - 1
    exporter.wait_until_stored(120)
    [found] = json.loads(exporter.get(f"/api/calls?model=model-{NAMES}"))["calls"]
    assert found["model"] == f"model-{NAMES}"
