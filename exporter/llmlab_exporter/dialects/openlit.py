"""OpenLIT.

It follows the conventions, but counts Anthropic's cached tokens beside the input, and where a stream says no usage it
counts words of its own, unmarked. Recorded: 1.34.42 and 1.45.0.
"""

from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, doubts, spellings
from llmlab_exporter.span import Attributes, RawSpan, Scope

_BESIDE = ("openlit.instrumentation.anthropic", "openlit.instrumentation.bedrock")
_BESIDE_PROVIDERS = ("anthropic", "aws.bedrock")
_OWN_COUNT = "OpenLIT counted the tokens of this stream itself, because the provider did not say them"


def read(span: RawSpan, scope: Scope) -> Reading | None:
    """Read one span."""
    reading = spellings.read(span)
    if reading is None:
        return None
    said = span.attributes
    if scope.name.startswith(_BESIDE) or reading.provider in _BESIDE_PROVIDERS:
        return _with_provider_input(reading, said)
    if reading.stream and reading.usage_source and not doubts.tells_cache(said):
        return reading._replace(usage_source="estimated", usage_spoiled=True, flaws=(*reading.flaws, _OWN_COUNT))
    return doubts.with_doubtful_input(reading, said)


def _with_provider_input(reading: Reading, said: Attributes) -> Reading:
    if reading.provider == "anthropic" and reading.usage.known and not doubts.tells_cache(said):
        return doubts.with_lost_cache(reading)
    return doubts.with_untold_cache(doubts.with_exclusive_input(reading), said)


DIALECT = Dialect(
    name="openlit",
    scopes=("openlit.",),
    markers=("openlit.agent.version_hash", "gen_ai.client.token.usage"),  # of others that is a metric only
    rank=50,
    needles=(conventions.NEEDLE,),
    attributes=spellings.ATTRIBUTES,
    read=read,
)
