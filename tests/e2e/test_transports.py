import base64
import gzip
import json
import zlib
from collections.abc import Callable

import pytest
import zstandard
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from e2e.traces import JSON, PROTOBUF, as_json, call, metric, post, request, span
from exporter_process import ExporterProcess

pytestmark = pytest.mark.e2e


def otlp_json(body: bytes) -> bytes:
    """Rewrite a request as OTLP/JSON, where ids are hex and not base64 as protobuf's own JSON has them."""
    message = MessageToDict(ExportTraceServiceRequest.FromString(body))
    for one in message["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for name in ("traceId", "spanId"):
            one[name] = base64.b64decode(one[name]).hex()
    return json.dumps(message).encode()


def http(content_type: str, encoding: str, pack: Callable[[bytes], bytes]) -> Callable[[ExporterProcess, bytes], None]:
    def send(exporter: ExporterProcess, body: bytes) -> None:
        written = otlp_json(body) if content_type == JSON else body
        answer = post(exporter.url, pack(written), content_type, encoding)
        assert answer.status == 200
        assert answer.headers["content-type"] == content_type
        assert as_json(answer) == {} if content_type == JSON else answer.body == b""

    return send


def grpc(exporter: ExporterProcess, body: bytes) -> None:
    assert call(exporter.grpc_port, body) == b""


WAYS = {
    "http protobuf": http(PROTOBUF, "", bytes),
    "http protobuf gzip": http(PROTOBUF, "gzip", gzip.compress),
    "http protobuf deflate": http(PROTOBUF, "deflate", zlib.compress),
    "http protobuf zstd": http(PROTOBUF, "zstd", zstandard.compress),
    "http json": http(JSON, "", bytes),
    "http json gzip": http(JSON, "gzip", gzip.compress),
    "grpc": grpc,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_call_counts_the_same_however_it_arrives(exporter: ExporterProcess, way: str) -> None:
    model = "gpt-4o-mini-2024-07-18"

    def state() -> tuple[float, float, float]:
        text = exporter.get("/metrics")
        return (
            metric(text, "llm_requests_total", model=model),
            metric(text, "llm_tokens_total", model=model, token_type="input"),
            metric(text, "llm_cost_usd_total", model=model),
        )

    before = state()
    number = 5_000 + list(WAYS).index(way)
    WAYS[way](exporter, request([span(number, model, {"input_tokens": 1_000_000, "output_tokens": 0})]))
    after = state()
    assert [round(new - old, 9) for old, new in zip(before, after, strict=True)] == [1, 1_000_000, 0.15]


def test_spans_of_other_software_are_ignored_and_counted(exporter: ExporterProcess) -> None:
    other = span(6_000)
    del other.attributes[:]
    assert post(exporter.url, request([other])).status == 200
    assert metric(exporter.get("/metrics"), "llmlab_exporter_spans_total", result="ignored") >= 1


def test_an_empty_request_is_fine(exporter: ExporterProcess) -> None:
    assert post(exporter.url, b"").status == 200
    assert call(exporter.grpc_port, b"") == b""


@pytest.mark.parametrize("signal", ["metrics", "logs"])
def test_other_signals_are_acknowledged_and_counted(exporter: ExporterProcess, signal: str) -> None:
    service = {"metrics": "metrics.v1.MetricsService", "logs": "logs.v1.LogsService"}[signal]
    answer = post(exporter.url, b"x", path=f"/v1/{signal}")
    assert answer.status == 200
    assert call(exporter.grpc_port, b"", f"/opentelemetry.proto.collector.{service}/Export") == b""
    counted = metric(exporter.get("/metrics"), "llmlab_exporter_other_signal_requests_total", signal=signal)
    assert counted == 2


def test_the_front_page_and_the_health_pages_answer(exporter: ExporterProcess) -> None:
    assert "/api/costs/summary" in exporter.get("/")
    assert json.loads(exporter.get("/health"))["status"] == "ok"
    assert json.loads(exporter.get("/readyz"))["status"] == "ready"
