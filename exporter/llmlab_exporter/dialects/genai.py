"""OpenTelemetry's GenAI conventions, as its own instrumentations and those who follow them write them.

Recorded: opentelemetry-instrumentation-genai-openai, -genai-anthropic and -google-genai 1.3b0;
opentelemetry-instrumentation-openai-v2 2.1b0 and 2.4b0, which drop the cached and the reasoning part of the tokens.
"""

from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions
from llmlab_exporter.reading.counts import Table, keys, read_counts, with_cache_inside
from llmlab_exporter.reading.values import amount_usd, text
from llmlab_exporter.span import RawSpan, Scope

_SCOPES = (
    "opentelemetry.instrumentation.genai.",
    "opentelemetry.instrumentation.openai_v2",
    "opentelemetry.instrumentation.google_genai",
    "opentelemetry.util.genai.handler",
)

_OLD_COUNTS: Table = (
    ("gen_ai.usage.prompt_tokens", "input"),
    ("gen_ai.usage.completion_tokens", "output"),
    ("gen_ai.usage.cache_creation.input_tokens", "cache_write"),
)
_COUNTS = (*conventions.COUNTS, *_OLD_COUNTS)

_OLD_PROVIDER = "gen_ai.system"
_OLD_TIERS = ("gen_ai.openai.response.service_tier", "gen_ai.openai.request.service_tier")
_CLAIMED_COST = "gen_ai.usage.cost"


def read(span: RawSpan, scope: Scope) -> Reading | None:
    """Read one span.

    The conventions' input contains the cached tokens. Not every stranger keeps to that: where the cached tokens
    exceed the input, it is taken to be counted beside them, and the usage to be an estimate.
    """
    said = span.attributes
    reading = conventions.read(span, read_counts(_COUNTS, said))
    if reading is None:
        return None
    if _OLD_PROVIDER in said:
        reading = reading._replace(provider=reading.provider or text(said[_OLD_PROVIDER]))
    if not (reading.tier or said.keys().isdisjoint(_OLD_TIERS)):
        reading = reading._replace(tier=next(filter(None, (text(said.get(key)) for key in _OLD_TIERS)), ""))
    if _CLAIMED_COST in said:
        reading = reading._replace(claimed_cost=amount_usd(said[_CLAIMED_COST]))
    if _cache_exceeds_input(reading) and not scope.name.startswith(_SCOPES):
        reading = reading._replace(usage=with_cache_inside(reading.usage), usage_source="estimated")
    return reading


def _cache_exceeds_input(reading: Reading) -> bool:
    usage = reading.usage
    return usage.input is not None and (usage.cache_read or 0) + (usage.cache_write or 0) > usage.input


DIALECT = Dialect(
    name="genai",
    scopes=_SCOPES,
    markers=(*conventions.MARKERS, *keys(_OLD_COUNTS)),
    rank=100,  # others write some of these attributes too, beside their own
    needles=(conventions.NEEDLE,),
    attributes=(*conventions.ATTRIBUTES, *keys(_COUNTS), _OLD_PROVIDER, *_OLD_TIERS, _CLAIMED_COST),
    read=read,
)
