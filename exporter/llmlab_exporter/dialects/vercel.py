"""The Vercel AI SDK for JavaScript: its own `ai.*` attributes, which it writes beside a few of the conventions'.

Every call has two spans: one of the function that the user calls, which repeats the sum of all steps, and one per
request to the model, which is billed. Recorded: 3.4.33, 4.3.19, 5.0.277, 6.0.326, and 7.0.173 with its old telemetry.
The new one of 7.0 follows the conventions.
"""

from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, doubts, spellings
from llmlab_exporter.reading.blobs import Fields, field_at, fields_of
from llmlab_exporter.reading.counts import (
    Counts,
    Table,
    completed,
    count,
    keys,
    read_counts,
    with_cache_inside,
)
from llmlab_exporter.reading.native import read_native
from llmlab_exporter.reading.values import seconds, text
from llmlab_exporter.span import Attributes, RawSpan, Scope

_OPERATION = "ai.operationId"
_BILLED = {"doGenerate": "chat", "doStream": "chat", "doEmbed": "embeddings", "doRerank": "rerank"}
"""By the last part of `ai.operationId`."""

_COUNTS: Table = (
    ("ai.usage.inputTokens", "input"),
    ("ai.usage.promptTokens", "input"),
    ("ai.usage.tokens", "input"),
    ("ai.usage.outputTokens", "output"),
    ("ai.usage.completionTokens", "output"),
    ("ai.usage.inputTokenDetails.cacheReadTokens", "cache_read"),
    ("ai.usage.cachedInputTokens", "cache_read"),
    ("ai.usage.inputTokenDetails.cacheWriteTokens", "cache_write"),
    ("ai.usage.outputTokenDetails.reasoningTokens", "reasoning"),
    ("ai.usage.reasoningTokens", "reasoning"),
)
_FALLBACK: Table = (("gen_ai.usage.input_tokens", "input"), ("gen_ai.usage.output_tokens", "output"))
_WHOLE_INPUT = ("ai.usage.inputTokenDetails.noCacheTokens", "ai.usage.inputTokenDetails.cacheReadTokens")
"""Versions that write these count cached tokens inside the input, whoever the provider is."""

_METADATA = "ai.response.providerMetadata"
_METADATA_COUNTS: Table = (
    ("cacheReadInputTokens", "cache_read"),
    ("cachedPromptTokens", "cache_read"),
    ("cacheCreationInputTokens", "cache_write"),
    ("cacheWriteInputTokens", "cache_write"),
    ("reasoningTokens", "reasoning"),
)
_COUNT_BESIDE = ("anthropic", "bedrock", "claude")
"""Whose models report cached tokens beside the input, which versions up to 5 hand on."""
_INVENTED_IDS = ("aitxt-", "aiobj-")
"""Begin the ids that the SDK makes up where it does not know the provider's."""

_MODELS = ("ai.model.id", "ai.response.model")
_PROVIDER = "ai.model.provider"
_ID = "ai.response.id"
_FINISH = "ai.response.finishReason"
_FIRST_CHUNK_MS = "ai.response.msToFirstChunk"
_FUNCTION = "ai.telemetry.functionId"
_USERS = ("ai.telemetry.metadata.userId", "ai.telemetry.metadata.user_id", "ai.telemetry.metadata.user")
_SESSIONS = ("ai.telemetry.metadata.sessionId", "ai.telemetry.metadata.session_id", "ai.telemetry.metadata.threadId")


def read(span: RawSpan, _scope: Scope) -> Reading | None:
    """Read one span. None for those of tools."""
    said = span.attributes
    operation_id = text(said.get(_OPERATION))
    if operation_id == "ai.toolCall":
        return None
    last = operation_id.rpartition(".")[2]
    counts = _counts(said)
    request_model, response_model = (text(said.get(key)) for key in _MODELS)
    error = text(said.get("error.type")) or (conventions.UNNAMED_ERROR if span.failed else "")
    response_id = _providers_id(text(said.get(_ID)) or text(said.get("gen_ai.response.id")))
    answered = bool(response_id or counts.usage is not NO_USAGE or counts.flaws)
    reading = Reading(
        operation=_BILLED.get(last, operation_id),
        billable=last in _BILLED and (answered or not error),
        provider=text(said.get(_PROVIDER)) or text(said.get("gen_ai.system")),
        request_model=request_model or text(said.get("gen_ai.request.model")),
        response_model=response_model or text(said.get("gen_ai.response.model")),
        response_id=response_id,
        tier=_tier(said),
        stream=last == "doStream" if last in _BILLED else None,
        usage=counts.usage,
        usage_source=None if counts.usage is NO_USAGE else "reported",
        error=error,
        finish_reason=text(said.get(_FINISH)),
        first_chunk_s=_first_chunk_s(span),
        user=spellings.first_text(said, _USERS),
        session=spellings.first_text(said, _SESSIONS),
        feature=text(said.get(_FUNCTION)),
        flaws=counts.flaws,
        usage_spoiled=counts.spoiled,
    )
    if _has_lost_cache(said, counts):
        return doubts.with_lost_cache(reading)
    return doubts.with_processed_tokens(reading) if reading.operation == "chat" else reading


def _providers_id(response_id: str) -> str:
    return "" if response_id.startswith(_INVENTED_IDS) else response_id


def _counts(said: Attributes) -> Counts:
    told = read_counts((*_COUNTS, *_FALLBACK), said)
    metadata = _metadata(said)
    native = read_native(field_at(metadata, "usage") or field_at(metadata, "usageMetadata"))
    if native.usage.input is not None:
        return native._replace(usage=completed(native.usage, told.usage))
    parts = read_counts(_METADATA_COUNTS, {**metadata, **field_at(metadata, "usage")})
    usage = completed(told.usage, parts.usage)
    if _counts_beside(said) and said.keys().isdisjoint(_WHOLE_INPUT):
        usage = _with_cache(usage)
    return told._replace(usage=usage if usage.known else NO_USAGE)


def _has_lost_cache(said: Attributes, counts: Counts) -> bool:
    """Whether nobody says how much was read from a cache that is counted beside the input.

    Versions before 4 write nothing of the cache; version 5 hands on only what Bedrock wrote to it, but for streams.
    """
    silent = counts.usage.cache_read is None and said.keys().isdisjoint(_WHOLE_INPUT)
    return silent and counts.usage.known and _counts_beside(said)


def _with_cache(usage: Usage) -> Usage:
    return with_cache_inside(usage) if usage.cache_read or usage.cache_write else usage


def _counts_beside(said: Attributes) -> bool:
    seller = text(said.get(_PROVIDER)) or text(said.get("gen_ai.system")) or text(said.get(_MODELS[0]))
    return any(name in seller for name in _COUNT_BESIDE)


def _metadata(said: Attributes) -> Fields:
    """Return what the provider added; it is under the provider's name."""
    providers = fields_of(said.get(_METADATA))
    return next((field_at(providers, name) for name in providers if field_at(providers, name)), {})


def _tier(said: Attributes) -> str:
    metadata = _metadata(said)
    return text(metadata.get("serviceTier")) or text(field_at(metadata, "usage").get("service_tier"))


def _first_chunk_s(span: RawSpan) -> float | None:
    milliseconds = span.attributes.get(_FIRST_CHUNK_MS)
    found = seconds(milliseconds) if count(milliseconds) is None else seconds(count(milliseconds))
    return None if found is None else found / 1000


DIALECT = Dialect(
    name="vercel",
    markers=(_OPERATION,),
    rank=20,
    needles=(_OPERATION,),
    attributes=(
        *keys(_COUNTS),
        *keys(_FALLBACK),
        *_WHOLE_INPUT,
        *_MODELS,
        *_USERS,
        *_SESSIONS,
        _OPERATION,
        _METADATA,
        _PROVIDER,
        _ID,
        _FINISH,
        _FIRST_CHUNK_MS,
        _FUNCTION,
        "gen_ai.system",
        "gen_ai.request.model",
        "gen_ai.response.model",
        "gen_ai.response.id",
        "error.type",
    ),
    read=read,
)
