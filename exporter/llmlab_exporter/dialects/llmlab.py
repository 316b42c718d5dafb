"""Our own instrumentation: the GenAI conventions, and `llmlab.*` for what they lack."""

from collections.abc import Mapping
from typing import cast, get_args

from llmlab import semconv
from llmlab.image_kind import ImageKind, kind_on, read_kind
from llmlab_exporter.call import Reading, UsageSource
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions
from llmlab_exporter.reading.counts import Table, keys, read_counts
from llmlab_exporter.reading.values import amount_usd, text, truth
from llmlab_exporter.span import RawSpan, Scope, Value

_COUNTS: Table = tuple((key, field) for field, key in semconv.USAGE_ATTRIBUTES.items())

_TAGS = (
    semconv.PROVIDER_COST_USD,
    semconv.TIER,
    semconv.IMAGE_QUALITY,
    semconv.IMAGE_SIZE,
    semconv.BATCH,
    semconv.PROJECT,
    semconv.FEATURE,
    semconv.USER,
    semconv.RUN,
    semconv.SESSION,
)

_IMAGES = "image_generation"
_USAGE_SOURCES = frozenset(get_args(UsageSource))


def read(span: RawSpan, _scope: Scope) -> Reading | None:
    """Read one span."""
    reading = conventions.read(span, read_counts(_COUNTS, span.attributes))
    if reading is None:
        return None
    usage_source = _usage_source(reading, text(span.attributes.get(semconv.USAGE_SOURCE)))
    if usage_source != reading.usage_source:
        reading = reading._replace(usage_source=usage_source)
    return reading if span.attributes.keys().isdisjoint(_TAGS) else _tagged(reading, span.attributes)


def _usage_source(reading: Reading, said: str) -> UsageSource | None:
    """Return what the span says of its usage: a stream that broke off is `partial` even when it carries none."""
    if said in _USAGE_SOURCES and (reading.usage_source or said == semconv.USAGE_PARTIAL):
        return cast("UsageSource", said)
    return reading.usage_source


def _tier(reading: Reading, said: str, kind: ImageKind) -> str:
    """Return the tier, which of images is their quality and size: no part of the price where tokens are billed.

    Calls that the application reports itself name them as their tier. Spans of older versions have no attributes for
    them: theirs stand in the tier that was served, and in that which was asked for.
    """
    if reading.operation != _IMAGES:
        return reading.tier or said
    if reading.usage.images is None:
        return ""
    try:
        return str(kind.or_else(read_kind(reading.tier)).or_else(read_kind(said)))
    except ValueError:
        return str(kind) or reading.tier or said


def _tagged(reading: Reading, attributes: Mapping[str, Value]) -> Reading:
    said = attributes.get
    return reading._replace(
        provider_cost=amount_usd(said(semconv.PROVIDER_COST_USD)),
        tier=_tier(reading, text(said(semconv.TIER)), kind_on(attributes)),
        batch=truth(said(semconv.BATCH)) or False,
        project=text(said(semconv.PROJECT)),
        feature=text(said(semconv.FEATURE)),
        user=text(said(semconv.USER)) or reading.user,
        run=text(said(semconv.RUN)),
        session=text(said(semconv.SESSION)) or reading.session,
    )


DIALECT = Dialect(
    name="llmlab",
    scopes=("llmlab.instrumentation.", semconv.TRACK_SCOPE),
    needles=(conventions.NEEDLE,),
    attributes=(*conventions.ATTRIBUTES, *keys(_COUNTS), semconv.USAGE_SOURCE, *_TAGS),
    read=read,
)
