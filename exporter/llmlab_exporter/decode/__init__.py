"""From the bytes of an OTLP export request to spans whose attributes can be picked.

`slim.py` reads protobuf fast, `plain.py` reads it by the official classes and is the reference that `slim.py` is
tested against, `json.py` reads OTLP/JSON. All three yield the same `Decoded`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

Value = str | int | float | bool | bytes | list["Value"] | dict[str, "Value"] | None
"""An attribute value; None when the span does not carry the attribute."""


class RawSpan(NamedTuple):
    """The fixed fields of one span. Its attributes are picked through `SpanGroup.pick`."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    name: str
    kind: int
    start_ns: int
    end_ns: int
    failed: bool
    """Status code ERROR."""
    trace_state: str
    attributes: object
    """Opaque: only the decoder that made it can read it."""


Pick = Callable[[object], tuple[Value, ...]]
"""Reads the wanted attributes of one span, in the order they were asked for."""


class SpanGroup(NamedTuple):
    """The spans of one instrumentation scope under one resource."""

    resource: Mapping[str, Value]
    scope_name: str
    scope_version: str
    spans: Sequence[RawSpan]
    picker: Callable[[tuple[str, ...]], Pick]
    """Makes a `Pick` for a tuple of attribute keys. Cached by the decoder, so asking again is free."""


class Decoded(NamedTuple):
    """One export request."""

    groups: Sequence[SpanGroup]
    broken: Sequence[str]
    """Spans that could not be decoded, each as a sentence saying why; their neighbours are fine."""


class MalformedRequest(ValueError):
    """The request as a whole cannot be read; the message says where and what would be right."""
