"""The spans that Anthropic's own Python SDK makes since 1.14, unless `ANTHROPIC_OPEN_TELEMETRY=false` is set.

They follow the GenAI conventions, and are the only ones that tell the lifetimes of cache writes, the tier, and the
passes that compact a conversation, which are billed on top of the totals. Recorded: 2.11.0.
"""

from llmlab.usage import Usage
from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, spellings
from llmlab_exporter.reading.counts import Table, keys, plus, read_counts
from llmlab_exporter.reading.values import text
from llmlab_exporter.span import RawSpan, Scope

_LIFETIMES: Table = (
    ("anthropic.usage.cache_creation.ephemeral_5m_input_tokens", "cache_write_5m"),
    ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens", "cache_write_1h"),
)
_COUNTS: Table = (*conventions.COUNTS, *_LIFETIMES)
_ANY_COUNTS: Table = (*spellings.COUNTS, *_LIFETIMES)
_COMPACTION: Table = (
    ("anthropic.usage.compaction.input_tokens", "input"),
    ("anthropic.usage.compaction.output_tokens", "output"),
)
_SCOPE = "com.anthropic.sdk.python"
_TIER = "anthropic.response.service_tier"
_FINISH = "anthropic.message.stop_reason"


def read(span: RawSpan, scope: Scope) -> Reading | None:
    """Read one span. Others that write some of these attributes may spell the rest as they like."""
    if scope.name.startswith(_SCOPE):
        reading = conventions.read(span, read_counts(_COUNTS, span.attributes))
    else:
        reading = spellings.read(span, read_counts(_ANY_COUNTS, span.attributes))
    if reading is None:
        return None
    compaction = read_counts(_COMPACTION, span.attributes)
    return reading._replace(
        usage=_sum(reading.usage, compaction.usage),
        tier=text(span.attributes.get(_TIER)) or reading.tier,
        finish_reason=reading.finish_reason or text(span.attributes.get(_FINISH)),
        flaws=(*reading.flaws, *compaction.flaws),
        usage_spoiled=reading.usage_spoiled or compaction.spoiled,
    )


def _sum(usage: Usage, more: Usage) -> Usage:
    if not more.known:
        return usage
    return usage._replace(input=plus(usage.input, more.input), output=plus(usage.output, more.output))


DIALECT = Dialect(
    name="anthropic_sdk",
    scopes=(_SCOPE,),
    markers=(_TIER, *keys(_COMPACTION)),
    rank=50,
    needles=(conventions.NEEDLE,),
    attributes=(*spellings.ATTRIBUTES, *keys(_LIFETIMES), *keys(_COMPACTION), _TIER, _FINISH),
    read=read,
)
