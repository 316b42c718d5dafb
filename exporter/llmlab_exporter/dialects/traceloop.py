"""OpenLLMetry, the instrumentations of Traceloop.

They share the package names of OpenTelemetry's own, and follow the conventions in their old spelling (0.40) or in the
new one (0.62). Recorded: openai, anthropic and langchain 0.40.14 and 0.62.4.
"""

from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, spellings
from llmlab_exporter.reading.values import text
from llmlab_exporter.span import RawSpan, Scope

_PACKAGE = "opentelemetry.instrumentation."
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
_LANGCHAIN = f"{_PACKAGE}langchain"
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
    if scope.name.startswith(_LANGCHAIN) and reading.usage.cache_write == 0:
        # LangChain hands the lifetimes on instead of their sum, which reads as nothing written
        reading = reading._replace(usage=reading.usage._replace(cache_write=None))
    if scope.name.startswith(_ANTHROPIC) and reading.stream and reading.usage.output:
        return reading._replace(usage_source="estimated", flaws=(*reading.flaws, _OVERCOUNTED))
    return spellings.with_doubtful_input(reading)


def _says_usage(span: RawSpan) -> bool:
    return not span.attributes.keys().isdisjoint(spellings.MARKERS)


DIALECT = Dialect(
    name="traceloop",
    scopes=(*(f"{_PACKAGE}{library}" for library in _LIBRARIES), "traceloop."),
    needles=(conventions.NEEDLE, "llm.request.type"),
    attributes=(*spellings.ATTRIBUTES, _KIND),
    read=read,
)
