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
_CACHE_UNTOLD = "the input is told without the tokens that were cached, if any"
_OWN_COUNT = "OpenLIT counted the tokens of this stream itself, because the provider did not say them"


def read(span: RawSpan, scope: Scope) -> Reading | None:
    """Read one span."""
    reading = spellings.read(span)
    if reading is None:
        return None
    tells_cache = not span.attributes.keys().isdisjoint(_CACHE_KEYS)
    if scope.name.startswith(_BESIDE) or reading.provider == "anthropic":
        return _with_input_of_anthropic(reading, tells_cache)
    if reading.stream and reading.usage_source and not tells_cache:
        return reading._replace(usage_source="estimated", usage_spoiled=True, flaws=(*reading.flaws, _OWN_COUNT))
    return spellings.with_doubtful_input(reading)


def _with_input_of_anthropic(reading: Reading, tells_cache: bool) -> Reading:
    if tells_cache or not reading.usage.known:
        return spellings.with_exclusive_input(reading)
    return reading._replace(usage_source="estimated", flaws=(*reading.flaws, _CACHE_UNTOLD))


DIALECT = Dialect(
    name="openlit",
    scopes=("openlit.",),
    markers=("openlit.agent.version_hash",),
    rank=50,
    needles=(conventions.NEEDLE,),
    attributes=spellings.ATTRIBUTES,
    read=read,
)
