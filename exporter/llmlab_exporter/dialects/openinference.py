"""OpenInference, the instrumentations of Arize.

The counts are in `llm.token_count.*`, and contain the cached tokens. What the provider answered is in `output.value`
as JSON, the only place of the response id, the tier and the lifetimes of cache writes. Recorded: openai 0.1.30 and
0.1.66, anthropic 0.1.18 and 3.1.0, langchain 0.1.80, litellm 0.1.51, google-genai 1.4.14, with and without
`OPENINFERENCE_ENABLE_GENAI_SEMCONV`; agno, autogen, bedrock, dspy, groq, haystack, llama-index, mistralai,
openai-agents and smolagents of November 2026; for JavaScript openai, anthropic, bedrock and langchain.
"""

from llmlab.usage import Usage
from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, doubts, spellings
from llmlab_exporter.reading.answers import Answer, class_of_message, read_answer
from llmlab_exporter.reading.bedrock import with_full_names
from llmlab_exporter.reading.blobs import Fields, fields_of
from llmlab_exporter.reading.counts import Counts, Table, agree, completed, keys, read_counts
from llmlab_exporter.reading.native import with_written
from llmlab_exporter.reading.operations import is_billed
from llmlab_exporter.reading.values import amount_usd, named, text
from llmlab_exporter.span import Attributes, RawSpan, Scope

_KIND = "openinference.span.kind"
_OPERATIONS = {"LLM": "chat", "EMBEDDING": "embeddings"}
"""What is billed; agents, chains, tools, retrievers and evaluators are not."""

_COUNTS: Table = (
    ("llm.token_count.prompt", "input"),
    ("llm.token_count.completion", "output"),
    ("llm.token_count.prompt_details.cache_read", "cache_read"),
    ("llm.token_count.prompt_details.cache_input", "cache_read"),
    ("llm.token_count.prompt_details.cache_write", "cache_write"),
    ("llm.token_count.prompt_details.audio", "audio_in"),
    ("llm.token_count.completion_details.reasoning", "reasoning"),
    ("llm.token_count.completion_details.audio", "audio_out"),
)
_ANY_COUNTS: Table = (*_COUNTS, *spellings.COUNTS)
_RESPONSE_MODELS = ("llm.response.model_name", "llm.model_name", "embedding.model_name")
_REQUEST_MODEL = "llm.request.model_name"
_PROVIDERS = ("llm.provider", "llm.system")
_FINISHES = ("llm.finish_reason", "llm.stop_reason")
_COST = "llm.cost.total"
_OUTPUT = "output.value"
_PARAMETERS = "llm.invocation_parameters"
_INPUT = "input.value"
_SCOPES = ("openinference.", "@arizeai/openinference-")
_BEDROCK = "aws"
_LANGCHAIN = ("instrumentation.langchain", "instrumentation-langchain")
"""In the names of scopes, which may have something before them."""
_LANGCHAIN_RESULT = "generations"
_STREAMED_IN_JAVASCRIPT = ("langchain_core", "messages", "AIMessageChunk")
"""The class of a streamed message, as LangChain for JavaScript serialises it; that for Python says `langchain`."""
_OVERCOUNTED = "the output of an Anthropic stream is counted from its first event on, a few tokens too many"
_FIRST_CHUNK_EVENT = "First Token Stream Event"
_ANTHROPIC = "openinference.instrumentation.anthropic"
_CACHE_KEYS = frozenset(key for key, field in _COUNTS if field.startswith("cache"))
_CACHE_LOST = "the input of an Anthropic stream is told without its cached tokens"


def read(span: RawSpan, scope: Scope) -> Reading | None:
    """Read one span. None for the kinds that are no model calls."""
    said = span.attributes
    kind = text(said.get(_KIND)).upper()
    if kind and kind not in _OPERATIONS:
        return None
    output = fields_of(said.get(_OUTPUT))
    answer = read_answer(output)
    counts = _counts(said, answer)
    reading = spellings.read(span, counts) or _bare(span, counts)
    reading = reading._replace(
        operation=reading.operation or _OPERATIONS.get(kind, ""),
        provider=answer.seller or spellings.first_text(said, _PROVIDERS) or reading.provider,
        request_model=_request_model(said) or reading.request_model,
        response_model=answer.model or reading.response_model or spellings.first_text(said, _RESPONSE_MODELS),
        response_id=reading.response_id or answer.id,
        tier=reading.tier or answer.tier,
        finish_reason=reading.finish_reason or spellings.first_text(said, _FINISHES) or answer.finish,
        provider_cost=answer.cost,
        claimed_cost=amount_usd(said.get(_COST)),
        first_chunk_s=_first_chunk_s(span) if reading.first_chunk_s is None else reading.first_chunk_s,
        stream=_streamed(span) if reading.stream is None else reading.stream,
    )
    reading = reading._replace(billable=_billable(reading, span) and not _is_inside_another(span))
    if _lost_cache(reading, span, scope, answer):
        reading = reading._replace(usage_spoiled=True, flaws=(*reading.flaws, _CACHE_LOST))
    if reading.provider == _BEDROCK:
        reading = with_full_names(reading, text(fields_of(said.get(_INPUT)).get("modelId")))
    if reading.usage.cache_read is None and reading.usage.cache_write is None:
        reading = doubts.with_untold_cache(reading, said)
    of_langchain = _LANGCHAIN_RESULT in output or scope.name.endswith(_LANGCHAIN)
    return _of_langchain(reading, output) if of_langchain else reading


def _of_langchain(reading: Reading, result: Fields) -> Reading:
    """Mark what LangChain adds up wrongly: Cohere's tokens, and in JavaScript the output of Anthropic's streams."""
    reading = doubts.with_processed_tokens(reading)
    if "claude" not in reading.response_model or class_of_message(result) != _STREAMED_IN_JAVASCRIPT:
        return reading
    return reading._replace(usage_source="estimated", flaws=(*reading.flaws, _OVERCOUNTED))


def _counts(said: Attributes, answer: Answer) -> Counts:
    counts = read_counts(_ANY_COUNTS, said)
    native = answer.counts
    if not native.usage.known:
        return counts
    usage = native.usage
    if agree(usage, counts.usage) or not counts.usage.known or _grown_by_cache(usage, counts.usage):
        return native._replace(usage=with_written(completed(usage, counts.usage)))
    return counts


def _grown_by_cache(native: Usage, told: Usage) -> bool:
    """Whether the span tells only the part of the input that was not cached."""
    cached = (native.cache_read or 0) + (native.cache_write or 0)
    return native.input is not None and told.input is not None and native.input - cached <= told.input <= native.input


def _bare(span: RawSpan, counts: Counts) -> Reading:
    usage = counts.usage
    return Reading(
        usage=usage,
        usage_source="reported" if usage.known else None,
        error=text(span.attributes.get("error.type")) or (conventions.UNNAMED_ERROR if span.failed else ""),
        user=text(span.attributes.get("user.id")),
        session=text(span.attributes.get("session.id")),
        flaws=counts.flaws,
        usage_spoiled=counts.spoiled,
    )


def _billable(reading: Reading, span: RawSpan) -> bool:
    answered = bool(reading.response_id or reading.usage.known or reading.flaws)
    return is_billed(reading.operation, span.name) and is_billed("", span.name) and (answered or not reading.error)


def _is_inside_another(span: RawSpan) -> bool:
    """Whether a span is of a private method, inside that of the public one: LlamaIndex records both."""
    owner, _, method = span.name.rpartition(".")
    return bool(owner) and method.startswith("_") and not method.startswith("__")


def _request_model(said: Attributes) -> str:
    return text(said.get(_REQUEST_MODEL)) or named(fields_of(said.get(_PARAMETERS)).get("model"))


def _lost_cache(reading: Reading, span: RawSpan, scope: Scope, answer: Answer) -> bool:
    """Whether this is a stream of which early versions keep only the first count."""
    return (
        scope.name.startswith(_ANTHROPIC)
        and reading.usage.known
        and not answer.counts.usage.known
        and not answer.id
        and span.attributes.keys().isdisjoint(_CACHE_KEYS)
    )


def _first_chunk_s(span: RawSpan) -> float | None:
    for event in span.events:
        if event.name == _FIRST_CHUNK_EVENT and event.time_ns >= span.start_ns:
            return (event.time_ns - span.start_ns) / 1e9
    return None


def _streamed(span: RawSpan) -> bool | None:
    return True if any(event.name == _FIRST_CHUNK_EVENT for event in span.events) else None


DIALECT = Dialect(
    name="openinference",
    scopes=_SCOPES,
    markers=(_KIND, *keys(_COUNTS), "llm.model_name", "embedding.model_name"),
    rank=10,
    needles=("openinference.", "llm."),
    attributes=(
        *spellings.ATTRIBUTES,
        *keys(_COUNTS),
        *_RESPONSE_MODELS,
        *_PROVIDERS,
        _REQUEST_MODEL,
        *_FINISHES,
        _COST,
        _OUTPUT,
        _PARAMETERS,
        _INPUT,
        _KIND,
    ),
    read=read,
)
