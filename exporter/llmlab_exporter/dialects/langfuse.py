"""Langfuse's SDK, since version 3 on OpenTelemetry.

The usage is JSON: the provider's own object, or Langfuse's flat one, whose counts are disjoint unless its total says
otherwise. Its SDK tells no provider, and rarely a response id; in other languages such spans follow the conventions
too, which say what Langfuse's own attributes do not. Recorded: 3.15.0 and 5.0.4.
"""

from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.call import Reading, UsageSource
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, spellings
from llmlab_exporter.reading.blobs import Fields, fields_of, flat
from llmlab_exporter.reading.counts import Counts, Table, count, plus, read_counts
from llmlab_exporter.reading.gaps import with_conventions
from llmlab_exporter.reading.native import cost_in, read_native, seller_in
from llmlab_exporter.reading.values import amount_usd, named, seconds_until, text
from llmlab_exporter.span import RawSpan, Scope, Value

_TYPE = "langfuse.observation.type"
_OPERATIONS = {"generation": "chat", "embedding": "embeddings"}
"""What is billed; spans, agents, tools, chains, retrievers and evaluators are not."""

_USAGE = "langfuse.observation.usage_details"
_COSTS = "langfuse.observation.cost_details"
_MODEL = "langfuse.observation.model.name"
_PARAMETERS = "langfuse.observation.model.parameters"
_LEVEL = "langfuse.observation.level"
_STREAM_BEGAN_AT = "langfuse.observation.completion_start_time"
_FINISH = "langfuse.observation.metadata.finish_reason"
_RESPONSE_ID = "langfuse.observation.metadata.id"
_RESPONSE = "langfuse.observation.metadata.object"
"""What the metadata is of: only that of a `response` has its id."""
_LANGCHAIN_MODEL = "langfuse.observation.metadata.ls_model_name"
_USERS = ("user.id", "langfuse.user.id")
_SESSIONS = ("session.id", "langfuse.session.id")

_LANGCHAIN = "langchain"
"""The layer of what LangChain's callback records, perhaps above the provider's SDK."""

_FLAT: Table = (
    ("input", "input"),
    ("output", "output"),
    ("input_cached_tokens", "cache_read"),
    ("input_cache_read", "cache_read"),
    ("cache_read_input_tokens", "cache_read"),
    ("input_cache_creation", "cache_write"),
    ("input_cache_write", "cache_write"),
    ("cache_creation_input_tokens", "cache_write"),
    ("input_audio_tokens", "audio_in"),
    ("input_audio", "audio_in"),
    ("output_reasoning_tokens", "reasoning"),
    ("output_reasoning", "reasoning"),
    ("output_audio_tokens", "audio_out"),
    ("output_audio", "audio_out"),
)


def read(span: RawSpan, _scope: Scope) -> Reading | None:
    """Read one span. None for observations of other types."""
    said = span.attributes
    operation = _OPERATIONS.get(text(said.get(_TYPE)).lower())
    if operation is None:
        return None
    details = fields_of(said.get(_USAGE))
    counts, source = _counts(details)
    failed = span.failed or said.get(_LEVEL) == "ERROR"
    error = text(said.get("error.type")) or (conventions.UNNAMED_ERROR if failed else "")
    began_at = _unquoted(said.get(_STREAM_BEGAN_AT))
    reading = Reading(
        operation=operation,
        billable=counts.usage is not NO_USAGE or bool(counts.flaws) or not error,
        provider=seller_in(details),
        request_model=_unquoted(said.get(_LANGCHAIN_MODEL)),
        response_model=named(said.get(_MODEL)),
        response_id=_unquoted(said.get(_RESPONSE_ID)) if _unquoted(said.get(_RESPONSE)) == "response" else "",
        finish_reason=_unquoted(said.get(_FINISH)),
        first_chunk_s=seconds_until(began_at, span.start_ns) if began_at else None,
        tier=text(details.get("service_tier")) or text(fields_of(said.get(_PARAMETERS)).get("service_tier")),
        usage=counts.usage,
        usage_source=source,
        error=error,
        provider_cost=cost_in(details),
        claimed_cost=amount_usd(fields_of(said.get(_COSTS)).get("total")),
        user=spellings.first_text(said, _USERS),
        session=spellings.first_text(said, _SESSIONS),
        flaws=counts.flaws,
        usage_spoiled=counts.spoiled,
        layer=_LANGCHAIN if _LANGCHAIN_MODEL in said else "",
    )
    return with_conventions(reading, span)


def _unquoted(value: Value) -> str:
    """Return a text that the SDK wrote as JSON since version 4, or as it is."""
    return named(value).strip('"')


def _counts(details: Fields) -> tuple[Counts, UsageSource | None]:
    if "input" not in details and "output" not in details:
        counts = read_native(details)
        return counts, None if counts.usage is NO_USAGE else "reported"
    counts = read_counts(_FLAT, flat(details))
    usage = counts.usage
    if usage is NO_USAGE:
        return counts, None
    total = count(details.get("total"))
    if total == (usage.input or 0) + (usage.output or 0) or not any(usage[2:]):
        return counts, "reported"
    usage = _joined(usage)
    proven = total == (usage.input or 0) + (usage.output or 0)
    return counts._replace(usage=usage), "reported" if proven else "estimated"


def _joined(usage: Usage) -> Usage:
    """Add up disjoint counts."""
    parts_in = (usage.cache_read or 0) + (usage.cache_write or 0) + (usage.audio_in or 0)
    parts_out = (usage.reasoning or 0) + (usage.audio_out or 0)
    return usage._replace(input=plus(usage.input, parts_in), output=plus(usage.output, parts_out))


DIALECT = Dialect(
    name="langfuse",
    scopes=("langfuse-sdk",),
    markers=(_TYPE, _USAGE),
    rank=15,
    needles=("langfuse.observation.",),
    attributes=(
        *spellings.ATTRIBUTES,
        _STREAM_BEGAN_AT,
        _FINISH,
        _RESPONSE_ID,
        _RESPONSE,
        _TYPE,
        _USAGE,
        _COSTS,
        _MODEL,
        _PARAMETERS,
        _LEVEL,
        _LANGCHAIN_MODEL,
        *_USERS,
        *_SESSIONS,
    ),
    read=read,
)
