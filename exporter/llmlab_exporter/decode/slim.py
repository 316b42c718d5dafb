"""OTLP/protobuf, read fast: what nobody wants is never parsed, and every span is parsed on its own."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

from google.protobuf.message import DecodeError

from llmlab_exporter.decode import schema
from llmlab_exporter.decode.attributes import AttributeReader, reader_of
from llmlab_exporter.decode.errors import MalformedRequest, MalformedSpan
from llmlab_exporter.decode.limits import MAX_ATTRIBUTES
from llmlab_exporter.decode.wire import count_fields, split
from llmlab_exporter.span import Attributes, Decoded, Event, RawSpan, Scope, SpanGroup, Wanted

_STATUS_ERROR = 2

_CROWD_BYTES = 2 * MAX_ATTRIBUTES
"""Of a message that may have more attributes than are allowed: an attribute takes two bytes at least."""

_MEMO_BYTES = 16 * 1024
"""A process sends the same resource with every request; it has one or two KiB."""


def decode(body: bytes, wanted: Wanted, max_spans: int) -> Decoded:
    """Decode an `ExportTraceServiceRequest`. Raises `MalformedRequest`."""
    needles = wanted.needles
    reader = reader_of(wanted.keys)
    groups: list[SpanGroup] = []
    broken: list[str] = []
    skipped = 0
    for frame in split(body, max_spans):
        spans: list[RawSpan] = []
        for start, end in frame.spans:
            raw = body[start:end]
            if needles and needles[0] not in raw and not _contains_any(raw, needles):
                skipped += 1
                continue
            try:
                spans.append(_span(raw, reader, wanted.events))
            except (DecodeError, MalformedSpan, MalformedRequest) as error:
                broken.append(f"the span at byte {start} ({end - start} bytes) cannot be read: {error}")
        groups.append(SpanGroup(_resource(frame.resource, wanted.resource_keys), _scope(frame.scope), spans))
    return Decoded(groups, broken, skipped)


_fixed_fields: Callable[[Any], tuple[Any, ...]] = attrgetter(
    "trace_id",
    "span_id",
    "parent_span_id",
    "name",
    "kind",
    "start_time_unix_nano",
    "end_time_unix_nano",
    "status",
    "attributes",
    "events",
    "trace_state",
)

_new = tuple.__new__
"""Makes a named tuple from values that are already in order, at two thirds of the price of calling its class."""


def _span(raw: bytes, reader: AttributeReader, with_events: bool) -> RawSpan:
    size = len(raw)
    if size > _CROWD_BYTES:
        _refuse_crowd(raw)
    span = schema.Span.FromString(raw)
    trace_id, span_id, parent_id, name, kind, start_ns, end_ns, status, attributes, events, state = _fixed_fields(span)
    return _new(
        RawSpan,
        (
            trace_id,
            span_id,
            parent_id,
            name.decode("utf-8", "replace"),
            kind,
            start_ns,
            end_ns,
            bool(status) and schema.Status.FromString(status).code == _STATUS_ERROR,
            reader.read(attributes, size),
            [_event(raw_event, reader) for raw_event in events] if with_events else (),
            state.decode("utf-8", "replace") if state else "",
        ),
    )


def _event(raw: bytes, reader: AttributeReader) -> Event:
    event = schema.Event.FromString(raw)
    return Event(_text(event.name), event.time_unix_nano, reader.read(event.attributes, len(raw)))


def _resource(raw: bytes, wanted: frozenset[str] | None) -> Attributes:
    return (_usual_resource if len(raw) <= _MEMO_BYTES else _read_resource)(raw, wanted)


def _read_resource(raw: bytes, wanted: frozenset[str] | None) -> Attributes:
    try:
        if len(raw) > _CROWD_BYTES:
            _refuse_crowd(raw)
        return reader_of(wanted).read(schema.Resource.FromString(raw).attributes, len(raw))
    except (DecodeError, MalformedSpan) as error:
        raise MalformedRequest(f"a resource that cannot be read: {error}") from error


_usual_resource = lru_cache(maxsize=256)(_read_resource)


def _refuse_crowd(raw: bytes) -> None:
    """Raise `MalformedSpan` for a message with an absurd number of attributes, before memory is taken for them."""
    if count_fields(raw, MAX_ATTRIBUTES) > MAX_ATTRIBUTES:
        raise MalformedSpan(f"more than {MAX_ATTRIBUTES} attributes")


def _scope(raw: bytes) -> Scope:
    try:
        scope = schema.InstrumentationScope.FromString(raw)
    except DecodeError as error:
        raise MalformedRequest(f"an instrumentation scope that cannot be read: {error}") from error
    return Scope(_text(scope.name), _text(scope.version))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _contains_any(raw: bytes, needles: Sequence[bytes]) -> bool:
    for needle in needles:  # noqa: SIM110 - any() over a generator takes four times as long
        if needle in raw:
            return True
    return False
