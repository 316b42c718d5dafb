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


class Frame(NamedTuple):
    """One `ScopeSpans` and the resource it stands under."""

    resource: bytes
    scope: bytes
    spans: list[Range]


def split(body: bytes, max_spans: int) -> list[Frame]:
    """Find every span of a request without parsing it.

    Raises `MalformedRequest` for a broken frame, and for more than `max_spans` spans, resources or scopes: an empty
    one takes two bytes here and hundreds in memory.
    """
    frames: list[Frame] = []
    spans = 0
    for outer in _parts(body, (0, len(body)), _NO_FIELD, _RESOURCE_SPANS, max_spans)[1]:
        resource, scopes = _parts(body, outer, _RESOURCE, _SCOPE_SPANS, max_spans)
        for inner in scopes:
            scope, ranges = _parts(body, inner, _SCOPE, _SPANS, max_spans)
            frames.append(Frame(resource, scope, ranges))
            spans += len(ranges)
            refuse_above(max_spans, max(len(frames), spans))
    return frames


def refuse_above(limit: int, count: int) -> None:
    """Raise `MalformedRequest` for a request with an absurd number of spans."""
    if count > limit:
        raise MalformedRequest(
            f"the request has more than {limit} spans, resources or scopes; send smaller batches "
            "(OTEL_BSP_MAX_EXPORT_BATCH_SIZE in an SDK, send_batch_max_size in the Collector's batch processor)"
        )


def _parts(body: bytes, message: Range, single: int, repeated: int, limit: int) -> tuple[bytes, list[Range]]:
    """Return the message in field `single`, and where those in field `repeated` are.

    One plain loop: a generator of fields would take three times as long, a microsecond per span.
    """
    head = b""
    ranges: list[Range] = []
    start, end = message
    while start < end:
        tag, position = _varint(body, start)
        if tag & 7 == _DELIMITED:
            size, position = _varint(body, position)
            stop = position + size
            if stop > end:
                raise MalformedRequest(
                    f"byte {start}: a field of {size} bytes where its message has {max(end - position, 0)} left; "
                    "the body is truncated or no OTLP"
                )
            if tag >> 3 == repeated:
                ranges.append((position, stop))
                if len(ranges) > limit:
                    refuse_above(limit, len(ranges))
            elif tag >> 3 == single:
                head += body[position:stop]  # protobuf merges a message that comes twice by concatenation
            start = stop
        else:
            start = _skip(body, tag & 7, position, end)
    return head, ranges


def _skip(body: bytes, wire_type: int, position: int, end: int) -> int:
    """Return the position after a field that holds no message."""
    size = _FIXED_SIZES.get(wire_type, end)
    stop = _varint(body, position)[1] if wire_type == _VARINT else position + size
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
