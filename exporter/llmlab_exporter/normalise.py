"""From decoded spans to calls: the dialect is chosen, names are mapped, ids and times are checked.

One bad span never costs its batch: it is counted under a reason, and the sender is told in words of the first ones.
"""

import logging
import time
from collections import Counter
from functools import lru_cache

from llmlab_exporter.call import Call, Intake, Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.dialects import DIALECTS, EXCEPTION_TYPE
from llmlab_exporter.provider_names import plain_model, provider_of
from llmlab_exporter.reading.origin import Defaults, Origin, origin_of
from llmlab_exporter.reading.sampling import threshold_of
from llmlab_exporter.reading.values import MAX_TEXT_CHARS
from llmlab_exporter.span import Attributes, Decoded, RawSpan, Scope, Value

_log = logging.getLogger(__name__)

_TRACE_ID_BYTES = 16
_SPAN_ID_BYTES = 8

EARLIEST_NS = 1_577_836_800 * 10**9
"""2020-01-01: no provider billed tokens before. A clock that says so was never set."""
AHEAD_NS = 86_400 * 10**9
"""How far a sender's clock may be ahead of ours; a wrong time zone is less."""


MAX_TOLD = 5
"""Refused spans of a request that its sender is told of in words."""


class RefusedSpan(ValueError):
    """A span that can never be accepted; the message goes on from `it has`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def normalise(decoded: Decoded, defaults: Defaults | None = None, *, latest_ns: int | None = None) -> Intake:
    """Turn spans into calls.

    A span that ends after `latest_ns` (Unix nanoseconds) is refused; by default that is a day after now.
    """
    latest_ns = time.time_ns() + AHEAD_NS if latest_ns is None else latest_ns
    calls: list[Call] = []
    ignored = decoded.skipped
    refused = Counter({"malformed": len(decoded.broken)} if decoded.broken else {})
    told = [*decoded.broken[:MAX_TOLD]]
    for group in decoded.groups:
        origin = origin_of(group.resource, defaults or Defaults())
        claimed = dialect_of_scope(group.scope.name[:MAX_TEXT_CHARS])
        for span in group.spans:
            try:
                call = _call(span, group.scope, claimed, origin, latest_ns)
            except RefusedSpan as refusal:
                refused[refusal.reason] += 1
                if len(told) < MAX_TOLD:
                    told.append(f"span {span.span_id.hex()[:32]} of trace {span.trace_id.hex()[:64]} has {refusal}")
                continue
            if call is None:
                ignored += 1
            else:
                calls.append(call)
    return Intake(calls, ignored, dict(refused), _told(told, refused.total()))


def _told(told: list[str], refused: int) -> str:
    more = refused - len(told)
    return "; ".join([*told, f"and {more} more spans were refused"] if more else told)


@lru_cache(maxsize=1024)
def dialect_of_scope(name: str) -> Dialect | None:
    """Return the dialect that claims an instrumentation scope, by the longest prefix that fits."""
    claims = [(len(prefix), dialect) for dialect in DIALECTS for prefix in dialect.scopes if name.startswith(prefix)]
    return max(claims, key=lambda claim: claim[0])[1] if claims else None


_RANKS = {key: rank for rank, dialect in reversed([*enumerate(DIALECTS)]) for key in dialect.markers}
"""By marker, the position in `DIALECTS` of the first dialect that claims it."""


def dialect_of_markers(attributes: Attributes) -> Dialect | None:
    """Return the first dialect of which a span bears a marker."""
    first = min((_RANKS[key] for key in attributes if key in _RANKS), default=None)
    return None if first is None else DIALECTS[first]


def with_events(span: RawSpan) -> RawSpan:
    """Let a span say what its events say too: some instrumentations put the usage, and all the exception, there.

    What the span says itself goes before, and a later event before an earlier one.
    """
    said: dict[str, Value] = {}
    for event in span.events:
        said.update(event.attributes)
    exception = said.pop(EXCEPTION_TYPE, None)
    if span.failed and exception is not None:
        said.setdefault("error.type", exception)
    return span._replace(attributes={**said, **span.attributes}) if said else span


def _call(span: RawSpan, scope: Scope, claimed: Dialect | None, origin: Origin, latest_ns: int) -> Call | None:
    """Return the call that a span tells of, None when it tells of none."""
    if span.events:
        span = with_events(span)
    dialect = claimed or dialect_of_markers(span.attributes)
    reading = _read(dialect, span, scope) if dialect else None
    if dialect is None or reading is None:
        return None
    if origin.tags:
        reading = reading._replace(**{field: getattr(reading, field) or tag for field, tag in origin.tags.items()})
    start_ns, end_ns = _times(span, latest_ns)
    if reading.duration_s and start_ns == end_ns:
        start_ns = max(end_ns - int(reading.duration_s * 1e9), EARLIEST_NS)
    model = reading.response_model or reading.request_model
    provider = provider_of(reading.provider, reading.host, model)
    return Call(
        _id(span.trace_id, _TRACE_ID_BYTES, "trace id"),
        _id(span.span_id, _SPAN_ID_BYTES, "span id"),
        span.parent_id if len(span.parent_id) == _SPAN_ID_BYTES and any(span.parent_id) else b"",
        start_ns,
        end_ns,
        dialect.name,
        origin.org,
        origin.project,
        origin.service,
        origin.environment,
        provider,
        plain_model(model, provider) if "/" in model else model,
        reading,
        scope.name[:MAX_TEXT_CHARS],
        threshold_of(span.trace_state) if span.trace_state else 0,
    )


def _read(dialect: Dialect, span: RawSpan, scope: Scope) -> Reading | None:
    try:
        return dialect.read(span, scope)
    except Exception as error:
        _log.exception("the dialect %s cannot read a span of %.200r %.50r", dialect.name, scope.name, scope.version)
        raise RefusedSpan("unreadable", f"values that the dialect {dialect.name} cannot read: {error!r}") from error


def _id(raw: bytes, size: int, name: str) -> bytes:
    if len(raw) != size:
        raise RefusedSpan("bad_id", f"a {name} of {len(raw)} bytes; it must have {size}")
    if not any(raw):
        raise RefusedSpan("bad_id", f"a {name} of zeros; the sender must make a random one")
    return raw


def _times(span: RawSpan, latest_ns: int) -> tuple[int, int]:
    """Return start and end, each of them taken for the other where it is missing.

    A clock that was set back during the call makes it end before it starts; the end is believed then, for it is the
    moment at which the call is priced and counted.
    """
    end_ns = span.end_ns or span.start_ns
    if not EARLIEST_NS <= end_ns <= latest_ns:
        raise RefusedSpan(
            "bad_time",
            f"an end at {end_ns} ns since 1970, which is before 2020 or more than a day ahead of the exporter; "
            "set the sender's clock",
        )
    start_ns = span.start_ns or end_ns
    return (start_ns, end_ns) if EARLIEST_NS <= start_ns <= end_ns else (end_ns, end_ns)
