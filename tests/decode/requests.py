"""Export requests as senders may legally write them, in protobuf and in JSON."""

import base64
import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

KEYS = ["gen_ai.request.model", "gen_ai.usage.input_tokens", "llm.x", "", "k", "ключ", "k" * 127]
"""Keys that are asked for; some spans carry them, some carry others."""

OTHER_KEYS = ["other", "k" * 128, "k" * 300, "gen_ai.request.mode", "gen_ai.request.model "]

_INT64 = st.integers(-(2**63), 2**63 - 1)
_UINT64 = st.integers(0, 2**64 - 1)

_scalars = st.one_of(
    st.just(AnyValue()),
    st.text(max_size=300).map(lambda text: AnyValue(string_value=text)),
    st.booleans().map(lambda truth: AnyValue(bool_value=truth)),
    st.one_of(st.integers(-3, 300), st.sampled_from([127, 128, 16383, 16384, 2**21]), _INT64).map(
        lambda number: AnyValue(int_value=number)
    ),
    st.floats().map(lambda number: AnyValue(double_value=number)),
    st.binary(max_size=40).map(lambda raw: AnyValue(bytes_value=raw)),
)
_keys = st.one_of(st.sampled_from(KEYS), st.sampled_from(OTHER_KEYS), st.text(max_size=8))


def _lists(values: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    return st.one_of(
        st.lists(values, max_size=4).map(lambda items: AnyValue(array_value=ArrayValue(values=items))),
        st.lists(_key_values(values), max_size=4).map(lambda items: AnyValue(kvlist_value=KeyValueList(values=items))),
    )


def _key_values(values: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[KeyValue]:
    return st.one_of(st.builds(KeyValue, key=_keys, value=values), st.builds(KeyValue, key=_keys))


_attributes = st.lists(_key_values(st.recursive(_scalars, _lists, max_leaves=5)), max_size=6)

_spans = st.builds(
    Span,
    trace_id=st.one_of(st.just(b""), st.binary(min_size=16, max_size=16)),
    span_id=st.one_of(st.just(b""), st.binary(min_size=8, max_size=8)),
    parent_span_id=st.one_of(st.just(b""), st.binary(min_size=8, max_size=8)),
    trace_state=st.one_of(st.text(max_size=3), st.sampled_from(["ot=th:c", "a=1,ot=th:8;rv:ff"])),
    name=st.text(max_size=200),
    kind=st.integers(0, 5),
    start_time_unix_nano=_UINT64,
    end_time_unix_nano=_UINT64,
    attributes=_attributes,
    dropped_attributes_count=st.integers(0, 3),
    events=st.lists(
        st.builds(Span.Event, time_unix_nano=_UINT64, name=st.text(max_size=9), attributes=_attributes), max_size=2
    ),
    status=st.builds(Status, code=st.integers(0, 2), message=st.text(max_size=9)),
)
_scope_spans = st.builds(
    ScopeSpans,
    scope=st.builds(InstrumentationScope, name=st.text(max_size=9), version=st.text(max_size=9)),
    spans=st.lists(_spans, max_size=3),
    schema_url=st.text(max_size=9),
)

requests = st.builds(
    ExportTraceServiceRequest,
    resource_spans=st.lists(
        st.builds(
            ResourceSpans,
            resource=st.builds(Resource, attributes=_attributes),
            scope_spans=st.lists(_scope_spans, max_size=2),
        ),
        max_size=2,
    ),
)


class JsonStyle:
    """One way to write OTLP/JSON: the specification's, or that of a general protobuf library."""

    def __init__(
        self,
        *,
        name: Callable[[str], str],
        identity: Callable[[bytes], str],
        integer: Callable[[int], int | str],
        enum: Callable[[str, int], int | str],
    ) -> None:
        self.name = name
        self.identity = identity
        self.integer = integer
        self.enum = enum


def camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.title() for word in tail)


def base64_text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _enum_number(_kind: str, number: int) -> int:
    return number


def _enum_name(kind: str, number: int) -> str:
    names = Span.SpanKind if kind == "kind" else Status.StatusCode
    return names.Name(number)  # pyright: ignore[reportArgumentType]


SPECIFIED = JsonStyle(name=camel, identity=bytes.hex, integer=str, enum=_enum_number)
PLAIN_NUMBERS = JsonStyle(name=camel, identity=lambda raw: raw.hex().upper(), integer=int, enum=_enum_number)
PROTOBUF_LIBRARY = JsonStyle(name=str, identity=base64_text, integer=str, enum=_enum_name)


def as_json(request: ExportTraceServiceRequest, style: JsonStyle = SPECIFIED) -> bytes:
    """Write a request as OTLP/JSON, leaving out what is empty as senders do."""
    outer = [
        {
            "resource": {"attributes": _attributes_json(each.resource.attributes, style)},
            style.name("scope_spans"): [_scope_spans_json(inner, style) for inner in each.scope_spans],
        }
        for each in request.resource_spans
    ]
    return json.dumps({style.name("resource_spans"): outer}).encode()


def _scope_spans_json(inner: ScopeSpans, style: JsonStyle) -> dict[str, Any]:
    scope = {"name": inner.scope.name, "version": inner.scope.version}
    return {"scope": scope, "spans": [_span_json(span, style) for span in inner.spans]}


def _span_json(span: Span, style: JsonStyle) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "trace_id": style.identity(span.trace_id),
        "span_id": style.identity(span.span_id),
        "parent_span_id": style.identity(span.parent_span_id),
        "trace_state": span.trace_state,
        "name": span.name,
        "kind": style.enum("kind", span.kind),
        "start_time_unix_nano": style.integer(span.start_time_unix_nano),
        "end_time_unix_nano": style.integer(span.end_time_unix_nano),
        "attributes": _attributes_json(span.attributes, style),
        "events": [
            {
                "name": event.name,
                style.name("time_unix_nano"): style.integer(event.time_unix_nano),
                "attributes": _attributes_json(event.attributes, style),
            }
            for event in span.events
        ],
        "status": {"code": style.enum("code", span.status.code)} if span.status.code else {},
    }
    return {style.name(name): content for name, content in fields.items() if content or name == "kind"}


def _attributes_json(entries: Any, style: JsonStyle) -> list[dict[str, Any]]:
    return [{"key": entry.key, "value": _value_json(entry.value, style)} for entry in entries]


def _value_json(value: AnyValue, style: JsonStyle) -> dict[str, Any]:
    kind = value.WhichOneof("value")
    if kind is None:
        return {}
    content = getattr(value, kind)
    match kind:
        case "int_value":
            written: Any = style.integer(content)
        case "double_value":
            special = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}
            written = special.get(repr(content), content)
        case "bytes_value":
            written = base64_text(content)
        case "array_value":
            written = {"values": [_value_json(item, style) for item in content.values]}
        case "kvlist_value":
            written = {"values": _attributes_json(content.values, style)}
        case _:
            written = content
    return {style.name(kind): written}
