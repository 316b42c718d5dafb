"""OpenLLMetry, the instrumentations of Traceloop.

They share the package names of OpenTelemetry's own, and follow the conventions in their old spelling (0.40) or in the
new one (0.62). Those for JavaScript hand on what Anthropic and Bedrock say: cached tokens beside the input.
Recorded: for Python openai, anthropic and langchain 0.40.14 and 0.62.4, openai, anthropic, bedrock, cohere, groq,
google-generativeai and mistralai of 0.30, 0.47 and 0.62, llamaindex, crewai and openai-agents 0.62; for JavaScript
openai, anthropic and langchain 0.27.
"""

from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, doubts, spellings
from llmlab_exporter.reading.bedrock import with_full_names
from llmlab_exporter.reading.values import text
from llmlab_exporter.span import RawSpan, Scope

_PACKAGE = "opentelemetry.instrumentation."
_JAVASCRIPT = "@traceloop/instrumentation-"
_LIBRARIES = (
    "agno",
    "alephalpha",
    "anthropic",
    "bedrock",
    "cohere",
    "crewai",
    "google_generativeai",
    "groq",
    "haystack",
    "langchain",
    "llamaindex",
    "mistralai",
    "ollama",
    "openai.",
    "openai_agents",
    "replicate",
    "sagemaker",
    "together",
    "transformers",
    "vertexai",
    "voyageai",
    "watsonx",
    "writer",
)
_SCOPES = (*(f"{_PACKAGE}{library}" for library in _LIBRARIES), _JAVASCRIPT, "traceloop.")
_ANTHROPIC = f"{_PACKAGE}anthropic"
_BESIDE = (f"{_PACKAGE}bedrock", f"{_JAVASCRIPT}bedrock", f"{_JAVASCRIPT}anthropic")
_LANGCHAIN = (f"{_PACKAGE}langchain", f"{_JAVASCRIPT}langchain")
_OF_LANGCHAIN = "traceloop.association.properties.ls_provider"
"""LangChain hands its own metadata on."""
_STREAMED = "gen_ai.is_streaming"
_OVERCOUNTED = "the output of an Anthropic stream is counted from its first event on, a few tokens too many"
_KIND = "traceloop.span.kind"
_CONTAINERS = frozenset({"workflow", "task", "agent", "tool"})


def read(span: RawSpan, scope: Scope) -> Reading | None:
    """Read one span."""
    if text(span.attributes.get(_KIND)) in _CONTAINERS and not _says_usage(span):
        return None
    reading = spellings.read(span)
    if reading is None:
        return None
    said = span.attributes
    stranger = not scope.name.startswith(_SCOPES)
    of_langchain = _OF_LANGCHAIN in said if stranger else scope.name.startswith(_LANGCHAIN)
    if of_langchain:
        reading = _of_langchain(reading)
    of_anthropic = scope.name.startswith(_ANTHROPIC) or (stranger and not of_langchain and _is_anthropics(reading))
    if of_anthropic and reading.stream and reading.usage.output:
        return reading._replace(usage_source="estimated", flaws=(*reading.flaws, _OVERCOUNTED))
    reading = with_full_names(reading)
    if scope.name.startswith(_BESIDE):
        return doubts.with_untold_cache(doubts.with_exclusive_input(reading), said)
    reading = doubts.with_doubtful_input(reading, said)
    return doubts.with_untold_cache(reading, said)


def _is_anthropics(reading: Reading) -> bool:
    return reading.provider.lower() == "anthropic"


def _of_langchain(reading: Reading) -> Reading:
    if reading.usage.cache_write == 0:
        # LangChain hands the lifetimes on instead of their sum, which reads as nothing written
        reading = reading._replace(usage=reading.usage._replace(cache_write=None))
    return doubts.with_processed_tokens(reading)


def _says_usage(span: RawSpan) -> bool:
    return not span.attributes.keys().isdisjoint(spellings.MARKERS)


DIALECT = Dialect(
    name="traceloop",
    scopes=_SCOPES,
    markers=(_KIND, _OF_LANGCHAIN, _STREAMED, "gen_ai.openai.api_base", "llm.request.type"),
    rank=50,
    needles=(conventions.NEEDLE, "llm.request.type"),
    attributes=(*spellings.ATTRIBUTES, _KIND),
    read=read,
)
