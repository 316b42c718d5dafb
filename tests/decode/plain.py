"""The reference: OTLP/protobuf by the official classes, attribute by attribute."""

from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from llmlab_exporter.span import Attributes, Decoded, Event, RawSpan, Scope, SpanGroup, Value, Wanted


def decode(body: bytes, wanted: Wanted) -> Decoded:
    request = ExportTraceServiceRequest.FromString(body)
    groups: list[SpanGroup] = []
    for outer in request.resource_spans:
        resource = _attributes(outer.resource.attributes, wanted.resource_keys)
        for inner in outer.scope_spans:
            scope = Scope(inner.scope.name, inner.scope.version)
            groups.append(SpanGroup(resource, scope, [_span(span, wanted) for span in inner.spans]))
    return Decoded(groups, [], 0)


def _span(span: Span, wanted: Wanted) -> RawSpan:
    events = [
        Event(event.name, event.time_unix_nano, _attributes(event.attributes, wanted.keys)) for event in span.events
    ]
    return RawSpan(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_span_id,
        name=span.name,
        kind=int(span.kind),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        attributes=_attributes(span.attributes, wanted.keys),
        events=events if wanted.events else (),
        trace_state=span.trace_state,
    )


def _attributes(entries: Iterable[KeyValue], keys: frozenset[str] | None) -> Attributes:
    return {entry.key: _value(entry.value) for entry in entries if keys is None or entry.key in keys}


def _value(any_value: AnyValue) -> Value:
    kind = any_value.WhichOneof("value")
    content: Any = getattr(any_value, kind) if kind else None
    if kind == "array_value":
        return tuple(_value(item) for item in content.values)
    if kind == "kvlist_value":
        return {entry.key: _value(entry.value) for entry in content.values}
    return content
