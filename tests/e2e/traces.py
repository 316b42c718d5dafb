"""Export requests for end-to-end tests, and ways to send them."""

import gzip
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import NamedTuple

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF = "application/x-protobuf"
JSON = "application/json"


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def partial(self) -> tuple[int, str]:
        """Rejected spans and the message."""
        answer = ExportTraceServiceResponse.FromString(self.body)
        return answer.partial_success.rejected_spans, answer.partial_success.error_message


def span(number: int, model: str = "gpt-5-mini-2025-08-07", usage: dict[str, int] | None = None) -> Span:
    """Make the n-th span of a chat call."""
    counts = usage or {"input_tokens": 1000, "output_tokens": 100}
    now = time.time_ns()
    return Span(
        trace_id=number.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        name=f"chat {model}",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=now - 1_000_000_000,
        end_time_unix_nano=now,
        attributes=[
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.provider.name", "openai"),
            text("gen_ai.request.model", model),
            text("gen_ai.response.model", model),
            *(KeyValue(key=f"gen_ai.usage.{name}", value=AnyValue(int_value=n)) for name, n in counts.items()),
        ],
    )


def text(key: str, value: str) -> KeyValue:
    """Make a string attribute."""
    return KeyValue(key=key, value=AnyValue(string_value=value))


def request(spans: Iterable[Span], **resource: str) -> bytes:
    """Serialise an export request. The resource's attributes are written with _ for their dots."""
    scope = ScopeSpans(spans=spans)
    scope.scope.name = "opentelemetry.instrumentation.genai.openai"
    whole = ResourceSpans(scope_spans=[scope])
    whole.resource.attributes.extend(text(name.replace("_", "."), value) for name, value in resource.items())
    return ExportTraceServiceRequest(resource_spans=[whole]).SerializeToString()


def post(url: str, body: bytes, content_type: str = PROTOBUF, encoding: str = "", path: str = "/v1/traces") -> Answer:
    """Send an OTLP/HTTP request."""
    headers = {"content-type": content_type} | ({"content-encoding": encoding} if encoding else {})
    sent = urllib.request.Request(f"{url}{path}", body, headers)
    try:
        with urllib.request.urlopen(sent, timeout=30) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


def post_spans(url: str, numbers: Iterable[int]) -> None:
    """Send spans and expect all of them to be accepted."""
    answer = post(url, gzip.compress(request(span(number) for number in numbers)), encoding="gzip")
    assert (answer.status, answer.body) == (200, b"")


def call(port: int, body: bytes, method: str = METHOD) -> bytes:
    """Send an OTLP/gRPC request; raises `grpc.RpcError`."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        return channel.unary_unary(method)(body, timeout=30)


def metric(exposition: str, name: str, **labels: str) -> float:
    """Add up the samples of a metric whose labels match."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(
        float(line.rpartition(" ")[2])
        for line in exposition.splitlines()
        if line.partition("{")[0].partition(" ")[0] == name and all(pair in line for pair in wanted)
    )


def as_json(answer: Answer) -> dict[str, object]:
    """Parse a JSON answer."""
    return json.loads(answer.body)
