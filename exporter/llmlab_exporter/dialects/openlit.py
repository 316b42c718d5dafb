"""OpenLIT.

It follows the conventions, but counts Anthropic's cached tokens beside the input, and where a stream says no usage it
counts words of its own, unmarked. Recorded: 1.45.0.
"""

from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, spellings
from llmlab_exporter.span import RawSpan, Scope

_BESIDE = ("openlit.instrumentation.anthropic", "openlit.instrumentation.bedrock")
_CACHE_KEYS = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
)
_OWN_COUNT = "OpenLIT counted the tokens of this stream itself, because the provider did not say them"


def read(span: RawSpan, scope: Scope) -> Reading | None:
    """Read one span."""
    reading = spellings.read(span)
    if reading is None:
        return None
    if scope.name.startswith(_BESIDE) or reading.provider == "anthropic":
        return spellings.with_exclusive_input(reading)
    if reading.stream and reading.usage_source and span.attributes.keys().isdisjoint(_CACHE_KEYS):
        return reading._replace(usage_source="estimated", usage_spoiled=True, flaws=(*reading.flaws, _OWN_COUNT))
    return spellings.with_doubtful_input(reading)


DIALECT = Dialect(
    name="openlit",
    scopes=("openlit.",),
    markers=("openlit.agent.version_hash",),
    rank=50,
    needles=(conventions.NEEDLE,),
    attributes=spellings.ATTRIBUTES,
    read=read,
)
