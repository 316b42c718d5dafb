"""LangSmith's SDK, when it exports to OpenTelemetry.

Every run becomes a span. Only the sums of the tokens are in the conventions' attributes; their parts are in LangChain's
`usage_metadata`, as JSON, or as what Python prints of its parts. Recorded: 0.14.17.
"""

from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import spellings
from llmlab_exporter.reading.answers import NO_ANSWER, read_answer
from llmlab_exporter.reading.blobs import Fields, fields_of
from llmlab_exporter.reading.counts import agree, completed
from llmlab_exporter.reading.native import read_native
from llmlab_exporter.reading.values import named, text, truth
from llmlab_exporter.span import Attributes, RawSpan, Scope

_KIND = "langsmith.span.kind"
_BILLED = {"llm": "chat", "embedding": "embeddings"}
"""By kind; chains, tools, prompts, parsers and retrievers are not."""
_USAGE = "langsmith.metadata.usage_metadata"
_DETAILS = {
    "input_token_details": "gen_ai.usage.input_token_details",
    "output_token_details": "gen_ai.usage.output_token_details",
}
_MODEL = "langsmith.metadata.ls_model_name"
_PROVIDER = "langsmith.metadata.ls_provider"
_ANSWER = "gen_ai.completion"
"""What the model or LangChain returned, as JSON."""
_STREAMED = "langsmith.request.streaming"
_SESSIONS = ("langsmith.metadata.session_id", "langsmith.metadata.thread_id", "langsmith.metadata.conversation_id")
_USER = "langsmith.metadata.user_id"


def read(span: RawSpan, _scope: Scope) -> Reading | None:
    """Read one span. None for the kinds that are no model calls."""
    said = span.attributes
    kind = text(said.get(_KIND)).lower()
    if kind and kind not in _BILLED:
        return None
    reading = spellings.read(span)
    if reading is None:
        return None
    native = read_native(_usage(said)).usage
    if agree(native, reading.usage) or not reading.usage.known:
        usage = completed(native, reading.usage)
        reading = reading._replace(usage=usage, usage_source="reported" if usage.known else None)
    answer = NO_ANSWER if reading.response_id else read_answer(said.get(_ANSWER))
    return reading._replace(
        response_id=reading.response_id or answer.id,
        tier=reading.tier or answer.tier,
        finish_reason=reading.finish_reason or answer.finish,
        stream=truth(said.get(_STREAMED)) if reading.stream is None else reading.stream,
        operation=_BILLED.get(kind, reading.operation),
        provider=text(said.get(_PROVIDER)) or reading.provider,
        request_model=reading.request_model or named(said.get(_MODEL)),
        user=reading.user or text(said.get(_USER)),
        session=reading.session or spellings.first_text(said, _SESSIONS),
    )


def _usage(said: Attributes) -> Fields:
    """Return the usage in LangChain's words."""
    whole = fields_of(said.get(_USAGE))
    if whole:
        return whole
    sums = {name: said.get(f"gen_ai.usage.{name}") for name in ("input_tokens", "output_tokens", "total_tokens")}
    return {**sums, **{name: fields_of(said.get(key)) for name, key in _DETAILS.items()}}


DIALECT = Dialect(
    name="langsmith",
    scopes=("langsmith",),
    markers=(_KIND, _USAGE),
    rank=25,
    needles=("langsmith.",),
    attributes=(
        *spellings.ATTRIBUTES,
        *_DETAILS.values(),
        *_SESSIONS,
        _KIND,
        _USAGE,
        _MODEL,
        _PROVIDER,
        _USER,
        _ANSWER,
        _STREAMED,
    ),
    read=read,
)
