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
from llmlab_exporter.reading.bedrock import billed_model, full_model
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
_ANTHROPIC = f"{_PACKAGE}anthropic"
_BEDROCK = (f"{_PACKAGE}bedrock", f"{_JAVASCRIPT}bedrock")
_BESIDE = (*_BEDROCK, f"{_JAVASCRIPT}anthropic")
_LANGCHAIN = (f"{_PACKAGE}langchain", f"{_JAVASCRIPT}langchain")
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
    if scope.name.startswith(_LANGCHAIN):
        reading = _of_langchain(reading)
    if scope.name.startswith(_ANTHROPIC) and reading.stream and reading.usage.output:
        return reading._replace(usage_source="estimated", flaws=(*reading.flaws, _OVERCOUNTED))
    if scope.name.startswith(_BEDROCK):
        asked = full_model(reading.request_model)
        reading = reading._replace(request_model=asked, response_model=billed_model(asked, reading.response_model))
    said = span.attributes
    if scope.name.startswith(_BESIDE):
        return doubts.with_untold_cache(doubts.with_exclusive_input(reading), said)
    reading = doubts.with_doubtful_input(reading, said)
    return doubts.with_untold_cache(reading, said) if scope.name.startswith(_JAVASCRIPT) else reading


def _of_langchain(reading: Reading) -> Reading:
    if reading.usage.cache_write == 0:
        # LangChain hands the lifetimes on instead of their sum, which reads as nothing written
        reading = reading._replace(usage=reading.usage._replace(cache_write=None))
    return doubts.with_processed_tokens(reading)


def _says_usage(span: RawSpan) -> bool:
    return not span.attributes.keys().isdisjoint(spellings.MARKERS)


DIALECT = Dialect(
    name="traceloop",
    scopes=(*(f"{_PACKAGE}{library}" for library in _LIBRARIES), _JAVASCRIPT, "traceloop."),
    needles=(conventions.NEEDLE, "llm.request.type"),
    attributes=(*spellings.ATTRIBUTES, _KIND),
    read=read,
)
