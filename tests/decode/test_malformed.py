"""Whatever arrives, a decoder answers with what it could read, or with `MalformedRequest`; and in little memory."""

import json
import tracemalloc
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from fixtures.recordings import RECORDINGS, Recording
from llmlab_exporter.decode import JSON, PROTOBUF, MalformedRequest, UnsupportedContentType, decode
from llmlab_exporter.dialects import WANTED
from llmlab_exporter.span import EVERYTHING, Wanted

ALL_SPANS = WANTED._replace(needles=())
MODEL = "gen_ai.request.model"


def request_of(*spans: Span) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.extend(spans)
    return request


def span_of(*attributes: KeyValue, name: str = "chat") -> Span:
    return Span(trace_id=bytes(range(16)), span_id=bytes(range(8)), name=name, attributes=attributes)


def text_attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def delimited(number: int, content: bytes) -> bytes:
    """Encode a length-delimited protobuf field."""
    size = len(content)
    encoded = bytearray([number << 3 | 2])
    while size > 0x7F:
        encoded.append(size & 0x7F | 0x80)
        size >>= 7
    encoded.append(size)
    return bytes(encoded) + content


def framed(*raw_spans: bytes) -> bytes:
    """Put encoded spans into a request."""
    return delimited(1, delimited(2, b"".join(delimited(2, raw) for raw in raw_spans)))


class Traced:
    """Memory taken by Python objects, in bytes."""

    peak = 0
    kept = 0


@contextmanager
def traced_memory() -> Generator[Traced]:
    traced = Traced()
    tracemalloc.start()
    try:
        yield traced
    finally:
        traced.kept, traced.peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()


class TestFuzz:
    @given(st.binary(max_size=400), st.sampled_from([PROTOBUF, JSON]))
    def test_arbitrary_bytes_raise_nothing_else(self, body: bytes, content_type: str) -> None:
        self.decode_safely(body, content_type)

    @given(st.data(), st.sampled_from([EVERYTHING, ALL_SPANS]))
    def test_a_damaged_request_raises_nothing_else(self, data: st.DataObject, wanted: Wanted) -> None:
        body = bytearray(data.draw(st.sampled_from(RECORDINGS)).body)
        for _ in range(data.draw(st.integers(1, 6))):
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
        cut = data.draw(st.one_of(st.just(len(body)), st.integers(0, len(body))))
        self.decode_safely(bytes(body[:cut]), PROTOBUF, wanted)

    json_values = st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
        lambda values: st.one_of(
            st.lists(values, max_size=3),
            st.dictionaries(
                st.sampled_from(["resourceSpans", "scopeSpans", "spans", "scope", "attributes", "key", "value", "name"])
                | st.sampled_from(["stringValue", "intValue", "arrayValue", "kvlistValue", "values", "traceId", "kind"])
                | st.sampled_from(["status", "code", "startTimeUnixNano", "resource", "events", "bytesValue"]),
                values,
                max_size=5,
            ),
        ),
        max_leaves=30,
    )

    @given(json_values)
    def test_json_of_any_shape_raises_nothing_else(self, value: Any) -> None:
        shaped = {"resourceSpans": [{"scopeSpans": [{"spans": [value]}]}]}
        for body in (value, shaped):
            self.decode_safely(json.dumps(body, allow_nan=False, default=str).encode(), JSON)

    @staticmethod
    def decode_safely(body: bytes, content_type: str, wanted: Wanted = EVERYTHING) -> None:
        with suppress(MalformedRequest):
            decoded = decode(body, content_type, wanted)
            assert all(len(complaint) > 20 for complaint in decoded.broken)


@pytest.mark.parametrize("recording", RECORDINGS[:3], ids=str)
def test_every_truncation_is_noticed(recording: Recording) -> None:
    for end in range(1, len(recording.body)):
        with pytest.raises(MalformedRequest, match=r"byte \d+: .*(truncated|no protobuf field)"):
            decode(recording.body[:end], PROTOBUF)


def test_an_empty_request_is_fine() -> None:
    assert decode(b"", PROTOBUF).groups == []
    assert decode(b"{}", JSON).groups == []


@pytest.mark.parametrize(
    ("first_byte", "appended"),
    [
        pytest.param(b"\x0f", b"", id="unknown wire type"),
        pytest.param(b"\x0a", b"\x4a\x7f", id="attribute longer than the span"),
        pytest.param(b"\x0a", delimited(9, b"\x0a"), id="attribute cut before its key"),
        pytest.param(b"\x0a", delimited(9, delimited(1, MODEL.encode()) + b"\x12\x05\x0a"), id="value cut short"),
        pytest.param(b"\x0a", delimited(15, b"\x18"), id="status cut short"),
    ],
)
def test_a_broken_span_is_named_and_its_neighbours_are_read(first_byte: bytes, appended: bytes) -> None:
    good = span_of(text_attribute(MODEL, "m")).SerializeToString()
    damaged = first_byte + good[1:] + appended
    decoded = decode(framed(good, damaged, good), PROTOBUF, ALL_SPANS)
    assert [span.name for group in decoded.groups for span in group.spans] == ["chat", "chat"]
    [complaint] = decoded.broken
    assert complaint.startswith("the span at byte ")


@pytest.mark.parametrize(("depth", "broken"), [(30, 0), (60, 1), (5000, 1)])
def test_deep_nesting_costs_the_span_and_nothing_else(depth: int, broken: int) -> None:
    raw = b"\x0a\x06inside"
    for _ in range(depth):
        raw = delimited(5, delimited(1, raw))
    deep = delimited(9, delimited(1, MODEL.encode()) + delimited(2, raw))
    good = span_of(text_attribute(MODEL, "m")).SerializeToString()
    decoded = decode(framed(good, deep), PROTOBUF, ALL_SPANS)
    assert len(decoded.broken) == broken
    assert len(decoded.groups[0].spans) == 2 - broken


@pytest.mark.parametrize(("depth", "broken"), [(30, 0), (40, 1)])
def test_deep_nesting_in_json_costs_the_span_and_nothing_else(depth: int, broken: int) -> None:
    value: dict[str, Any] = {"stringValue": "inside"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    good = {"name": "chat"}
    deep = {"attributes": [{"key": MODEL, "value": value}]}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [good, deep]}]}]}).encode()
    decoded = decode(body, JSON)
    assert len(decoded.broken) == broken
    assert len(decoded.groups[0].spans) == 2 - broken


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"resourceSpans":' * 2000, b'{"resourceSpans": {}}', b"7", b""])
def test_json_that_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequest, match="JSON"):
        decode(body, JSON)


def test_a_text_that_is_no_utf8_costs_only_itself() -> None:
    good = span_of(text_attribute(MODEL, "1234"), text_attribute("other", "5678")).SerializeToString()
    for wanted in (ALL_SPANS, EVERYTHING):
        decoded = decode(framed(good.replace(b"1234", b"a\xff\xfeb").replace(b"5678", b"\xff" * 4)), PROTOBUF, wanted)
        [span] = decoded.groups[0].spans
        assert span.attributes[MODEL] == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"


def test_a_span_with_nothing_wanted_in_it_is_skipped_and_counted() -> None:
    database = span_of(text_attribute("db.system", "x"), name="SELECT")
    model = span_of(text_attribute(MODEL, "m"))
    body = request_of(database, model, database).SerializeToString()
    decoded = decode(body, PROTOBUF, WANTED)
    assert decoded.skipped == 2
    assert [span.name for span in decoded.groups[0].spans] == ["chat"]
    assert decode(body, PROTOBUF, ALL_SPANS).skipped == 0


def test_a_key_value_may_begin_with_its_value() -> None:
    backwards = delimited(2, b"\x0a\x01m") + delimited(1, MODEL.encode())
    [span] = decode(framed(delimited(9, backwards)), PROTOBUF, ALL_SPANS).groups[0].spans
    assert span.attributes == {MODEL: "m"}


class TestAbsurdRequests:
    SPANS = framed(*[b""] * 101)
    SCOPES = delimited(1, delimited(2, b"") * 101)
    RESOURCES = delimited(1, b"") * 101

    @pytest.mark.parametrize("body", [SPANS, SCOPES, RESOURCES], ids=["spans", "scopes", "resources"])
    def test_are_refused_with_the_limit_and_the_remedy(self, body: bytes) -> None:
        decode(body, PROTOBUF, max_spans=101)
        with pytest.raises(MalformedRequest, match=r"more than 100 spans.*OTEL_BSP_MAX_EXPORT_BATCH_SIZE"):
            decode(body, PROTOBUF, max_spans=100)

    def test_in_json_too(self) -> None:
        body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{}] * 101}]}]}).encode()
        decode(body, JSON, max_spans=101)
        with pytest.raises(MalformedRequest, match="more than 100 spans"):
            decode(body, JSON, max_spans=100)

    @pytest.mark.parametrize("element", [b"{},", b"[],"])
    def test_of_empty_objects_are_refused_before_they_are_parsed(self, element: bytes) -> None:
        body = b'{"resourceSpans":[' + element * 3_000_000 + b"{}]}"
        assert self.peak_of_refusing(body, JSON) < 1024 * 1024

    def test_take_no_memory_before_they_are_refused(self) -> None:
        empty_span = delimited(2, b"")
        body = delimited(1, delimited(2, empty_span * 4_000_000))
        assert self.peak_of_refusing(body, PROTOBUF) < 16 * 1024 * 1024

    @staticmethod
    def peak_of_refusing(body: bytes, content_type: str) -> int:
        with traced_memory() as traced, pytest.raises(MalformedRequest, match="more than"):
            decode(body, content_type, WANTED)
        return traced.peak

    @pytest.mark.parametrize(
        "field", [delimited(1, b"x"), delimited(3, b""), b"\x20\x01"], ids=["resource", "schema url", "unknown"]
    )
    def test_of_fields_without_end_are_refused_at_once(self, field: bytes) -> None:
        decode(delimited(1, field * 100), PROTOBUF)
        with pytest.raises(MalformedRequest, match="more than 100 fields"):
            decode(delimited(1, field * 1_000_000), PROTOBUF)

    def test_of_huge_resources_are_not_remembered(self) -> None:
        with traced_memory() as traced:
            for number in range(50):
                request = request_of()
                huge = text_attribute("service.name", f"{number}" * 100_000)
                request.resource_spans[0].resource.attributes.append(huge)
                decode(request.SerializeToString(), PROTOBUF, WANTED)
        assert traced.kept < 2 * 1024 * 1024

    LIST = 5  # the field of an AnyValue that holds a list

    @pytest.mark.parametrize(
        "crowd",
        [
            delimited(9, b"") * 4_000_000,
            delimited(9, delimited(1, MODEL.encode()) + delimited(2, delimited(LIST, delimited(1, b"") * 4_000_000))),
        ],
        ids=["attributes", "elements of a list"],
    )
    def test_a_crowded_span_costs_only_itself(self, crowd: bytes) -> None:
        good = span_of(text_attribute(MODEL, "m")).SerializeToString()
        body = framed(good, good + crowd)
        with traced_memory() as traced:
            decoded = decode(body, PROTOBUF, ALL_SPANS)
        assert traced.peak < 5 * len(body)  # copies of the crowd, but nothing for its members
        assert len(decoded.groups[0].spans) == 1
        assert "more than" in decoded.broken[0]

    def test_a_crowded_resource_is_refused(self) -> None:
        crowd = delimited(1, b"") * 100_000
        with pytest.raises(MalformedRequest, match="more than 65536 attributes"):
            decode(delimited(1, delimited(1, crowd) + delimited(2, b"")), PROTOBUF)


class TestContentTypes:
    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("application/x-protobuf", b""),
            ("Application/X-Protobuf ; charset=utf-8", b""),
            ("application/json", b"{}"),
            ("application/json; charset=utf-8", b"{}"),
        ],
    )
    def test_of_otlp_are_understood_with_parameters(self, content_type: str, body: bytes) -> None:
        assert decode(body, content_type).groups == []

    @pytest.mark.parametrize("content_type", ["text/plain", "", "application/jsonl", "x" * 10_000])
    def test_of_others_are_refused_with_the_remedy(self, content_type: str) -> None:
        with pytest.raises(UnsupportedContentType, match="send application/x-protobuf or application/json") as refused:
            decode(b"", content_type)
        assert len(str(refused.value)) < 300
