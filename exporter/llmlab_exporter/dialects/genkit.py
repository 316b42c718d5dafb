"""Genkit, Google's framework for JavaScript, Go and Python.

Every action has a span, with what it returned as JSON: Genkit's usage, and the provider's answer in `raw` or `custom`.
Recorded: genkit 1 for JavaScript with models of OpenAI.
"""

from llmlab.usage import NO_USAGE
from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions
from llmlab_exporter.reading.answers import read_answer
from llmlab_exporter.reading.blobs import Fields, field_at, fields_of
from llmlab_exporter.reading.counts import Counts, agree, completed
from llmlab_exporter.reading.native import read_native
from llmlab_exporter.reading.values import text
from llmlab_exporter.span import RawSpan, Scope

_SUBTYPE = "genkit:metadata:subtype"
_OPERATIONS = {"model": "chat", "embedder": "embeddings", "background-model": "chat"}
"""By subtype of the action; prompts, tools, flows and retrievers are no model calls."""
_NAME = "genkit:name"
_PLUGINS = {"googleai": "gcp.gemini", "vertexai": "gcp.vertex_ai", "vertexModelGarden": "gcp.vertex_ai"}
"""What Genkit's plugins call their providers, where they do not call them like everybody else."""
_OUTPUT = "genkit:output"
_SESSION = "genkit:sessionId"
_RAW = ("raw", "custom")


def read(span: RawSpan, _scope: Scope) -> Reading | None:
    """Read one span. None for all but models and embedders."""
    said = span.attributes
    operation = _OPERATIONS.get(text(said.get(_SUBTYPE)))
    if operation is None:
        return None
    output = fields_of(said.get(_OUTPUT))
    answer = read_answer(next((raw for name in _RAW if (raw := field_at(output, name))), output))
    counts = _counts(answer.counts, output)
    provider, _, model = text(said.get(_NAME)).rpartition("/")
    error = text(said.get("error.type")) or (conventions.UNNAMED_ERROR if span.failed else "")
    answered = bool(answer.id or counts.flaws) or counts.usage is not NO_USAGE
    return Reading(
        operation=operation,
        billable=answered or not error,
        provider=answer.seller or _PLUGINS.get(provider, provider),
        request_model=model,
        response_model=answer.model,
        response_id=answer.id,
        tier=answer.tier,
        usage=counts.usage,
        usage_source=None if counts.usage is NO_USAGE else "reported",
        error=error,
        finish_reason=answer.finish or text(output.get("finishReason")),
        provider_cost=answer.cost,
        session=text(said.get(_SESSION)),
        flaws=counts.flaws,
        usage_spoiled=counts.spoiled,
    )


def _counts(raw: Counts, output: Fields) -> Counts:
    """Return what the provider counted, else what Genkit did; both if they agree."""
    own = read_native(field_at(output, "usage"))
    if not raw.usage.known:
        return own
    return raw._replace(usage=completed(raw.usage, own.usage)) if agree(raw.usage, own.usage) else raw


DIALECT = Dialect(
    name="genkit",
    scopes=("genkit-tracer",),
    markers=(_SUBTYPE,),
    rank=60,
    needles=(_SUBTYPE,),
    attributes=(_SUBTYPE, _NAME, _OUTPUT, _SESSION, "error.type"),
    read=read,
)
"""The scope is that of JavaScript; other languages are known by the attributes."""
