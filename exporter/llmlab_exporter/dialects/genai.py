"""OpenTelemetry's GenAI conventions, as its own instrumentations and those who follow them write them.

Recorded: opentelemetry-instrumentation-genai-openai, -genai-anthropic and -google-genai 1.3b0;
opentelemetry-instrumentation-openai-v2 2.1b0 and 2.4b0, which drop the cached and the reasoning part of the tokens.
Strangers: azure-ai-inference 1.0.0b9, azure-ai-projects 2.10.0, @ai-sdk/otel of the Vercel AI SDK 7, Semantic Kernel,
Microsoft's Agent Framework, Mastra, Laminar, AgentOps, Langtrace, and the instrumentations of OpenAI by Elastic and for
JavaScript.
"""

from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, doubts, spellings
from llmlab_exporter.reading.bedrock import with_full_names
from llmlab_exporter.reading.counts import read_counts
from llmlab_exporter.span import RawSpan, Scope

_SCOPES = (
    "opentelemetry.instrumentation.genai.",
    "opentelemetry.instrumentation.openai_v2",
    "opentelemetry.instrumentation.google_genai",
    "opentelemetry.util.genai.handler",
)
_LINGUA_FRANCA = "open"
"""In the names of those who speak OpenAI's API whatever the model, and count like OpenAI: `openai`, `openrouter`."""


def read(span: RawSpan, scope: Scope) -> Reading | None:
    """Read one span.

    The conventions' input contains the cached tokens. Not every stranger keeps to that: where the cached tokens
    exceed the input, it is taken to be counted beside them, and the usage to be an estimate. So it is where a stranger
    says nothing of the cache of a provider that counts it beside the input.
    """
    if not scope.name.startswith(_SCOPES):
        return _read_stranger(span)
    said = span.attributes
    reading = conventions.read(span, read_counts(spellings.OFFICIAL_COUNTS, said))
    return reading and spellings.with_old_names(reading, said)


def _read_stranger(span: RawSpan) -> Reading | None:
    reading = spellings.read(span)
    if reading is None:
        return None
    reading = with_full_names(reading)
    if _LINGUA_FRANCA in reading.provider.lower():
        return doubts.with_doubtful_input(reading, span.attributes)
    return doubts.with_untold_cache(doubts.with_doubtful_input(reading, span.attributes), span.attributes)


DIALECT = Dialect(
    name="genai",
    scopes=_SCOPES,
    markers=spellings.MARKERS,
    rank=100,  # others write some of these attributes too, beside their own
    needles=(conventions.NEEDLE, "llm.request.type", "llm.usage."),
    attributes=spellings.ATTRIBUTES,
    read=read,
)
