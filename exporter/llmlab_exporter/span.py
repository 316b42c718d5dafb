"""A span as it was sent: decoded, but neither understood nor checked."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Value = str | int | float | bool | bytes | tuple["Value", ...] | Mapping[str, "Value"] | None
"""An attribute value. Values are shared between spans: never change one."""

Attributes = Mapping[str, Value]


class Scope(NamedTuple):
    """The instrumentation library that made a span."""

    name: str
    version: str


class Event(NamedTuple):
    """A span event."""

    name: str
    time_ns: int
    attributes: Attributes


class RawSpan(NamedTuple):
    """One span."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    name: str
    kind: int
    start_ns: int
    end_ns: int
    failed: bool
    """Status code ERROR."""
    attributes: Attributes
    """Those that were wanted; perhaps others too."""
    events: Sequence[Event] = ()
    """Empty unless they were wanted."""
    trace_state: str = ""
    """As W3C Trace Context writes it."""


class SpanGroup(NamedTuple):
    """The spans of one instrumentation scope under one resource."""

    resource: Attributes
    scope: Scope
    spans: Sequence[RawSpan]


class Decoded(NamedTuple):
    """One export request."""

    groups: Sequence[SpanGroup]
    broken: Sequence[str] = ()
    """Spans that could not be decoded, each as a sentence saying why; their neighbours are fine."""
    skipped: int = 0
    """Spans that were not decoded because nobody wants them."""


class Wanted(NamedTuple):
    """What is worth decoding. Prompts and answers are not, so they are never even copied out of the request."""

    keys: frozenset[str] | None = None
    """Attribute keys of spans and of their events, each of at most 127 bytes; None for all."""
    needles: tuple[bytes, ...] = ()
    """Pieces of which every wanted span contains at least one; none at all for every span."""
    events: bool = False
    resource_keys: frozenset[str] | None = None
    """Attribute keys of resources, like `keys`."""


EVERYTHING = Wanted(events=True)
