import base64
import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import zstandard
from google.protobuf.json_format import MessageToJson
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from e2e.traces import JSON, METHOD, Answer, call, metric, post, request, span
from exporter_process import LLMLAB, ExporterProcess

pytestmark = pytest.mark.e2e

GOOD = request([span(1)])
MIB = 1024 * 1024

BAD_BODIES = [
    pytest.param(b"\xff\xff\xff\xff", "application/x-protobuf", "", 400, "malformed", id="not protobuf"),
    pytest.param(GOOD[:-3], "application/x-protobuf", "", 400, "malformed", id="protobuf cut short"),
    pytest.param(b'{"resourceSpans": [', JSON, "", 400, "malformed", id="JSON cut short"),
    pytest.param(b'{"resourceSpans": 7}', JSON, "", 400, "malformed", id="JSON of another shape"),
    pytest.param(b"[" * 100_000, JSON, "", 400, "malformed", id="JSON too deep"),
    pytest.param(GOOD, "text/plain", "", 415, "unsupported_media", id="wrong content type"),
    pytest.param(GOOD, "", "", 415, "unsupported_media", id="no content type"),
    pytest.param(GOOD, "application/x-protobuf", "br", 415, "unsupported_media", id="unknown encoding"),
    pytest.param(GOOD, "application/x-protobuf", "gzip", 400, "malformed", id="not gzip"),
    pytest.param(bytes(17 * MIB), "application/x-protobuf", "", 413, "too_large", id="too large"),
    pytest.param(gzip.compress(bytes(300 * MIB)), "application/x-protobuf", "gzip", 413, "too_large", id="gzip bomb"),
    pytest.param(
        zstandard.compress(bytes(300 * MIB)), "application/x-protobuf", "zstd", 413, "too_large", id="zstd bomb"
    ),
]


@pytest.mark.parametrize(("body", "content_type", "encoding", "status", "reason"), BAD_BODIES)
def test_a_bad_request_is_refused_counted_and_named(
    exporter: ExporterProcess, body: bytes, content_type: str, encoding: str, status: int, reason: str
) -> None:
    def refused() -> float:
        return metric(
            exporter.get("/metrics"), "llmlab_exporter_refused_requests_total", transport="http", reason=reason
        )

    before = refused()
    answer = post(exporter.url, body, content_type, encoding)
    assert answer.status == status
    message = json.loads(answer.body)["message"] if content_type == JSON else Status.FromString(answer.body).message
    assert len(message) > 20
    assert "retry-after" not in {name.lower() for name in answer.headers}
    assert refused() == before + 1
    assert json.loads(exporter.get("/health"))["status"] == "ok"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"\xff\xff\xff\xff", grpc.StatusCode.INVALID_ARGUMENT, id="not protobuf"),
        pytest.param(bytes(17 * MIB), grpc.StatusCode.RESOURCE_EXHAUSTED, id="too large"),
        pytest.param(bytes(40 * MIB), grpc.StatusCode.RESOURCE_EXHAUSTED, id="too large for the library"),
    ],
)
def test_grpc_refuses_with_codes_that_are_final(exporter: ExporterProcess, body: bytes, code: grpc.StatusCode) -> None:
    before = refused_over_grpc(exporter)
    with pytest.raises(grpc.RpcError) as refused:
        call(exporter.grpc_port, body)
    assert refused_over_grpc(exporter) == before + 1
    assert refused.value.code() is code  # pyright: ignore[reportAttributeAccessIssue]
    trailers = {item.key for item in refused.value.trailing_metadata()}  # pyright: ignore[reportAttributeAccessIssue]
    assert "google.rpc.retryinfo-bin" not in trailers


def refused_over_grpc(exporter: ExporterProcess) -> float:
    return metric(exporter.get("/metrics"), "llmlab_exporter_refused_requests_total", transport="grpc")


def test_a_grpc_bomb_is_refused_counted_and_takes_no_memory(exporter: ExporterProcess) -> None:
    post(exporter.url, GOOD)
    peak_mib, before = exporter.memory_mib("VmHWM"), refused_over_grpc(exporter)
    with (
        grpc.insecure_channel(
            f"127.0.0.1:{exporter.grpc_port}", options=[("grpc.max_send_message_length", -1)]
        ) as made,
        pytest.raises(grpc.RpcError) as refused,
    ):
        made.unary_unary(METHOD)(bytes(600 * MIB), timeout=60, compression=grpc.Compression.Gzip)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # pyright: ignore[reportAttributeAccessIssue]
    assert metric(exporter.get("/metrics"), "llmlab_exporter_refused_requests_total", reason="cut_off") >= 1
    assert refused_over_grpc(exporter) == before + 1
    assert exporter.memory_mib("VmHWM") < peak_mib + 128


Change = Callable[[Span], None]


def changed(**fields: Any) -> Change:
    def change(bad: Span) -> None:
        for name, value in fields.items():
            setattr(bad, name, value)

    return change


YEAR_NS = 365 * 86_400 * 10**9

BAD_SPANS = [
    pytest.param(changed(trace_id=b""), "trace id of 0 bytes", id="no trace id"),
    pytest.param(changed(trace_id=b"short"), "trace id of 5 bytes", id="short trace id"),
    pytest.param(changed(trace_id=bytes(16)), "trace id of zeros", id="trace id of zeros"),
    pytest.param(changed(span_id=b""), "span id of 0 bytes", id="no span id"),
    pytest.param(changed(span_id=bytes(range(16))), "span id of 16 bytes", id="long span id"),
    pytest.param(changed(span_id=bytes(8)), "span id of zeros", id="span id of zeros"),
    pytest.param(
        changed(start_time_unix_nano=1, end_time_unix_nano=2), "an end at 2 ns since 1970", id="a clock of 1970"
    ),
    pytest.param(
        changed(end_time_unix_nano=130 * YEAR_NS), f"an end at {130 * YEAR_NS} ns since 1970", id="a clock of 2100"
    ),
]


@pytest.mark.parametrize("encoding", ["grpc", "http", "json"])
@pytest.mark.parametrize(("damage", "words"), BAD_SPANS)
def test_a_bad_span_is_refused_by_name_and_its_neighbours_are_taken(
    exporter: ExporterProcess, damage: Change, words: str, encoding: str
) -> None:
    def accepted() -> float:
        text = exporter.get("/metrics")
        return sum(metric(text, "llmlab_exporter_spans_total", result=kind) for kind in ("accepted", "redelivered"))

    before = accepted()
    bad = span(202)
    damage(bad)
    body = request([span(201), bad, span(203)])
    rejected, message = send(exporter, body, encoding)
    assert rejected == 1
    assert message.startswith(f"span {bad.span_id.hex()} of trace {bad.trace_id.hex()} has ")
    assert words in message
    assert accepted() == before + 2


def send(exporter: ExporterProcess, body: bytes, encoding: str) -> tuple[int, str]:
    """Send a request in one of the encodings of OTLP, and return how many spans were rejected, and the message."""
    if encoding == "grpc":
        return Answer(200, {}, call(exporter.grpc_port, body)).partial
    if encoding == "http":
        return post(exporter.url, body).partial
    answer = post(exporter.url, as_otlp_json(body), JSON)
    assert answer.status == 200, answer.body
    partial = json.loads(answer.body).get("partialSuccess", {})
    return int(partial.get("rejectedSpans", 0)), partial.get("errorMessage", "")


def as_otlp_json(body: bytes) -> bytes:
    """Write a request in JSON: as protobuf's own mapping does, except for ids, which OTLP wants in hexadecimal."""
    written = json.loads(MessageToJson(ExportTraceServiceRequest.FromString(body)))
    for each in written["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for name in ("traceId", "spanId"):
            each[name] = base64.b64decode(each.get(name, "")).hex()
    return json.dumps(written).encode()


def nested(depth: int) -> AnyValue:
    value = AnyValue(string_value="inside")
    for _ in range(depth):
        value = AnyValue(array_value=ArrayValue(values=[value]))
    return value


@pytest.mark.parametrize("encoding", ["grpc", "http"])
@pytest.mark.parametrize(
    "attribute",
    [
        pytest.param(KeyValue(key="gen_ai.prompt", value=AnyValue(string_value="x" * 8 * MIB)), id="a huge prompt"),
        pytest.param(KeyValue(key="gen_ai.prompt", value=nested(40)), id="a prompt that is nested deep"),
        pytest.param(KeyValue(key="k" * MIB, value=AnyValue(int_value=1)), id="a huge name"),
    ],
)
def test_what_nobody_reads_may_be_as_odd_as_it_likes(
    exporter: ExporterProcess, attribute: KeyValue, encoding: str
) -> None:
    odd = span(301)
    odd.attributes.append(attribute)
    assert send(exporter, request([odd, span(302)]), encoding) == (0, "")


@pytest.mark.parametrize("encoding", ["grpc", "http"])
def test_a_model_name_that_is_no_utf_8_or_is_huge_costs_nobody_anything(
    exporter: ExporterProcess, encoding: str
) -> None:
    whole = request([span(401, model="gpt-5-mini"), span(402, model="n" * 100_000), span(403)])
    body = whole.replace(b"gpt-5-mini", b"gpt-5-\xff\xfe\xfd\xfc")
    assert body != whole
    assert send(exporter, body, encoding) == (0, "")
    text = exporter.get("/metrics")
    assert max(len(line) for line in text.splitlines()) < 10_000
    exporter.wait_until_stored(30)


def test_a_clock_that_is_some_minutes_ahead_is_tolerated(exporter: ExporterProcess) -> None:
    ahead = span(501)
    ahead.end_time_unix_nano += 5 * 60 * 10**9
    backwards = span(502)
    backwards.start_time_unix_nano = backwards.end_time_unix_nano + 10**9
    assert send(exporter, request([ahead, backwards]), "http") == (0, "")


def broken_ids() -> bytes:
    wrong = span(102)
    wrong.trace_id = b"short"
    return request([span(101), wrong, span(103)])


def broken_bytes() -> bytes:
    """Damage one span inside, keeping its length, so that its neighbours are whole."""
    whole = request([span(111), span(112), span(113)])
    mark = (112).to_bytes(16, "big")
    at = whole.index(mark)
    return whole[: at - 2] + b"\x0f" + whole[at - 1 :]


@pytest.mark.parametrize("body", [broken_ids, broken_bytes], ids=["ids", "bytes"])
@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_a_broken_span_does_not_cost_its_neighbours(
    exporter: ExporterProcess, body: Callable[[], bytes], transport: str
) -> None:
    def accepted() -> float:
        text = exporter.get("/metrics")
        return sum(metric(text, "llmlab_exporter_spans_total", result=kind) for kind in ("accepted", "redelivered"))

    before = accepted()
    if transport == "http":
        answer = post(exporter.url, body())
        assert answer.status == 200
        rejected, message = answer.partial
    else:
        from_grpc = post(exporter.url, body())._replace(body=call(exporter.grpc_port, body()))
        rejected, message = from_grpc.partial
        before += 2
    assert rejected == 1
    assert len(message) > 20
    assert accepted() == before + 2


@pytest.mark.parametrize(
    "usage", [{"input_tokens": -5, "output_tokens": 10}, {"input_tokens": 2**62, "output_tokens": 10}]
)
def test_absurd_token_counts_are_stored_unpriced_and_never_free(
    exporter: ExporterProcess, usage: dict[str, int]
) -> None:
    def unpriced() -> float:
        return metric(exporter.get("/metrics"), "llm_unpriced_requests_total")

    before = unpriced()
    number = 1_000 + usage["input_tokens"] % 1_000
    assert post(exporter.url, request([span(number, usage=usage)])).status == 200
    assert unpriced() == before + 1


def run_up(*options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([LLMLAB, "up", *options], capture_output=True, text=True, timeout=60, check=False)


def test_a_busy_port_is_named_with_the_remedy(exporter: ExporterProcess, data: Path) -> None:
    for option, port in (("--http-port", exporter.http_port), ("--grpc-port", exporter.grpc_port)):
        other = "--grpc-port" if option == "--http-port" else "--http-port"
        ended = run_up("--data", str(data), option, str(port), other, "0")
        assert ended.returncode == 1
        assert f"error: port {port} on 127.0.0.1" in ended.stderr
        assert f"hint: stop it, or choose another port with {option}" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("no directory")
    ended = run_up("--data", str(occupied / "data"), "--grpc-port", "0", "--http-port", "0")
    assert ended.returncode == 1
    assert f"error: the data directory {occupied / 'data'} cannot be used" in ended.stderr
    assert "hint: name one that you may write to with --data DIR" in ended.stderr


def test_a_second_exporter_on_the_same_data_is_refused(exporter: ExporterProcess) -> None:
    directory = exporter.log.with_name("data")
    ended = run_up("--data", str(directory), "--grpc-port", "0", "--http-port", "0")
    assert ended.returncode == 1
    assert "error: another exporter (process " in ended.stderr
    assert str(directory) in ended.stderr
    assert "hint:" in ended.stderr
    assert json.loads(exporter.get("/health"))["status"] == "ok"


def test_listening_beyond_loopback_is_refused(data: Path) -> None:
    ended = run_up("--data", str(data), "--host", "0.0.0.0")  # noqa: S104 - it is refused
    assert ended.returncode == 1
    assert "error: 0.0.0.0 is not a loopback address" in ended.stderr
    assert not data.exists()
