"""What a span of a library with attributes of its own says in those of the conventions only.

Backends' attributes are set by hand too, in languages for which they have no SDK, beside those of the conventions.
"""

from llmlab_exporter.call import Reading
from llmlab_exporter.reading import conventions, doubts, spellings
from llmlab_exporter.span import RawSpan

_GAPS = (
    "provider",
    "host",
    "request_model",
    "response_model",
    "response_id",
    "tier",
    "stream",
    "finish_reason",
    "first_chunk_s",
    "claimed_cost",
    "user",
    "session",
)


def with_conventions(reading: Reading, span: RawSpan) -> Reading:
    """Fill the gaps in a reading by what the span says in the conventions' attributes."""
    said = span.attributes
    if said.keys().isdisjoint(conventions.MARKERS):
        return reading
    other = spellings.read(span)
    if other is None:
        return reading
    if not reading.usage.known:
        other = doubts.with_untold_cache(doubts.with_doubtful_input(other, said), said)
        reading = reading._replace(
            billable=reading.billable or other.billable,
            usage=other.usage,
            usage_source=other.usage_source,
            flaws=(*reading.flaws, *other.flaws),
            usage_spoiled=reading.usage_spoiled or other.usage_spoiled,
        )
    return reading._replace(
        **{field: getattr(other, field) for field in _GAPS if getattr(reading, field) in ("", None)}
    )
