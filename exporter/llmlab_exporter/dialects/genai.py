"""OpenTelemetry's GenAI conventions, as its own instrumentations and those who follow them write them.

Recorded: opentelemetry-instrumentation-genai-openai, -genai-anthropic and -google-genai 1.3b0;
opentelemetry-instrumentation-openai-v2 2.1b0 and 2.4b0, which drop the cached and the reasoning part of the tokens.
Strangers: azure-ai-inference 1.0.0b9, @ai-sdk/otel of the Vercel AI SDK 7.
"""

from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, spellings
from llmlab_exporter.reading.counts import read_counts
from llmlab_exporter.span import RawSpan, Scope

_SCOPES = (
    "opentelemetry.instrumentation.genai.",
    "opentelemetry.instrumentation.openai_v2",
    "opentelemetry.instrumentation.google_genai",
    "opentelemetry.util.genai.handler",
)


def read(span: RawSpan, scope: Scope) -> Reading | None:
    """Read one span.

    The conventions' input contains the cached tokens. Not every stranger keeps to that: where the cached tokens
    exceed the input, it is taken to be counted beside them, and the usage to be an estimate.
    """
    if not scope.name.startswith(_SCOPES):
        reading = spellings.read(span)
        return reading and spellings.with_doubtful_input(reading)
    said = span.attributes
    reading = conventions.read(span, read_counts(spellings.OFFICIAL_COUNTS, said))
    return reading and spellings.with_old_names(reading, said)


DIALECT = Dialect(
    name="genai",
    scopes=_SCOPES,
    markers=spellings.MARKERS,
    rank=100,  # others write some of these attributes too, beside their own
    needles=(conventions.NEEDLE, "llm.request.type", "llm.usage."),
    attributes=spellings.ATTRIBUTES,
    read=read,
)
