"""The frame of an OTLP trace export request, walked byte by byte.

Only the three outer levels are walked (request, resource, scope), so that spans can be counted before anything is
allocated for them, and so that each span can be parsed on its own. Field numbers are those of
opentelemetry/proto/trace/v1/trace.proto and opentelemetry/proto/collector/trace/v1/trace_service.proto.
"""

from typing import NamedTuple

from llmlab_exporter.decode.errors import MalformedRequest

Range = tuple[int, int]
"""Start and end of a message in the body."""

_NO_FIELD = 0
_RESOURCE_SPANS = 1
_RESOURCE, _SCOPE_SPANS = 1, 2
_SCOPE, _SPANS = 1, 2

_VARINT, _DELIMITED = 0, 2
_FIXED_SIZES = {1: 8, 5: 4}
"""Bytes of the wire types that have a fixed size."""

_MAX_VARINT_BITS = 64

_MAX_OTHER_FIELDS = 100
"""Of one message, beside the repeated one. OTLP has three; a hostile body has millions."""


class Frame(NamedTuple):
    """One `ScopeSpans` and the resource it stands under."""

    resource: bytes
    scope: bytes
    spans: list[Range]


def split(body: bytes, max_spans: int) -> list[Frame]:
    """Find every span of a request without parsing it.

    Raises `MalformedRequest` for a broken frame, and for more than `max_spans` spans, resources or scopes.
    """
    frames: list[Frame] = []
    spans = 0
    resources = messages(body, _RESOURCE_SPANS, max_spans)
    refuse_above(max_spans, len(resources))
    for outer in resources:
        resource, scopes = _parts(body, outer, _RESOURCE, _SCOPE_SPANS, max_spans)
        refuse_above(max_spans, len(frames) + len(scopes))
        for inner in scopes:
            scope, ranges = _parts(body, inner, _SCOPE, _SPANS, max_spans)
            spans += len(ranges)
            refuse_above(max_spans, spans)
            frames.append(Frame(resource, scope, ranges))
    return frames


def messages(body: bytes, number: int, limit: int) -> list[Range]:
    """Find the messages in one repeated field, or the first `limit + 1` of them. Raises `MalformedRequest`."""
    return _parts(body, (0, len(body)), _NO_FIELD, number, limit)[1]


def count_fields(message: bytes, limit: int) -> int:
    """Count the fields of a message, up to `limit + 1`. Raises `MalformedRequest`."""
    count = position = 0
    while position < len(message) and count <= limit:
        tag, position = _varint(message, position)
        position = _skip(message, tag & 7, position, len(message))
        count += 1
    return count


def refuse_above(limit: int, count: int) -> None:
    """Raise `MalformedRequest` for a request with an absurd number of spans."""
    if count > limit:
        raise MalformedRequest(
            f"the request has more than {limit} spans, resources or scopes; send smaller batches "
            "(OTEL_BSP_MAX_EXPORT_BATCH_SIZE in an SDK, send_batch_max_size in the Collector's batch processor)"
        )


def _parts(body: bytes, message: Range, single: int, repeated: int, limit: int) -> tuple[bytes, list[Range]]:
    """Return the message in field `single`, and where those in field `repeated` are, at most `limit + 1` of them.

    One plain loop: a generator of fields would take three times as long, a microsecond per span.
    """
    heads: list[bytes] = []
    ranges: list[Range] = []
    others = 0
    start, end = message
    while start < end and len(ranges) <= limit:
        tag, position = _varint(body, start)
        if tag & 7 == _DELIMITED:
            size, position = _varint(body, position)
            stop = position + size
            if stop > end:
                raise MalformedRequest(
                    f"byte {start}: a field of {size} bytes where its message has {max(end - position, 0)} left; "
                    "the body is truncated or no OTLP"
                )
            start = stop
            if tag >> 3 == repeated:
                ranges.append((position, stop))
                continue
            if tag >> 3 == single:
                heads.append(body[position:stop])
        else:
            start = _skip(body, tag & 7, position, end)
        others += 1
        if others > _MAX_OTHER_FIELDS:
            raise MalformedRequest(f"byte {start}: a message of more than {_MAX_OTHER_FIELDS} fields; it is no OTLP")
    return b"".join(heads), ranges  # protobuf merges a message that comes in pieces by concatenation


def _skip(body: bytes, wire_type: int, position: int, end: int) -> int:
    """Return the position after the content of a field."""
    if wire_type in {_VARINT, _DELIMITED}:
        number, stop = _varint(body, position)
        stop += number if wire_type == _DELIMITED else 0
    else:
        stop = position + _FIXED_SIZES.get(wire_type, end)
    if stop > end:
        raise MalformedRequest(f"byte {position}: no protobuf field is here; send an ExportTraceServiceRequest")
    return stop


def _varint(body: bytes, position: int) -> tuple[int, int]:
    """Return a variable-length integer and the position after it."""
    value = shift = 0
    while position < len(body) and shift < _MAX_VARINT_BITS:
        byte = body[position]
        position += 1
        if byte < 0x80:
            return value | byte << shift, position
        value |= (byte & 0x7F) << shift
        shift += 7
    raise MalformedRequest(f"byte {position}: a number that does not end; the body is truncated or no OTLP")
