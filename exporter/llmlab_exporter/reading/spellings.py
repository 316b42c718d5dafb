"""The GenAI conventions in every spelling that has been seen: old names, and names that libraries made up.

For the dialects of those who follow the conventions loosely, and for strangers.
"""

from collections.abc import Callable
from typing import Any

from llmlab.usage import Usage
from llmlab_exporter.call import Reading
from llmlab_exporter.reading import conventions
from llmlab_exporter.reading.counts import Counts, Table, count, keys, plus, read_counts
from llmlab_exporter.reading.native import with_written
from llmlab_exporter.reading.operations import INFERENCE, is_billed
from llmlab_exporter.reading.values import amount_usd, flag, host_of, listed, named, seconds, text
from llmlab_exporter.span import Attributes, RawSpan, Value

_OLD_COUNTS: Table = (
    ("gen_ai.usage.prompt_tokens", "input"),
    ("gen_ai.usage.completion_tokens", "output"),
    ("gen_ai.usage.cache_creation.input_tokens", "cache_write"),
)
OFFICIAL_COUNTS: Table = (*conventions.COUNTS, *_OLD_COUNTS)
"""What OpenTelemetry's own libraries write, or wrote."""

_MADE_UP_COUNTS: Table = (
    ("llm.usage.prompt_tokens", "input"),
    ("llm.usage.completion_tokens", "output"),
    ("gen_ai.usage.cache_read_input_tokens", "cache_read"),
    ("gen_ai.usage.cache_read_tokens", "cache_read"),
    ("gen_ai.usage.cached_input_tokens", "cache_read"),
    ("gen_ai.usage.cached_tokens", "cache_read"),
    ("gen_ai.usage.input_tokens.cached", "cache_read"),
    ("gen_ai.usage.input_tokens_cached", "cache_read"),
    ("gen_ai.usage.input_token_details.cache_read", "cache_read"),
    ("gen_ai.usage.details.cache_read_tokens", "cache_read"),
    ("gen_ai.usage.details.cache_read_input_tokens", "cache_read"),
    ("gen_ai.usage.cache_creation_input_tokens", "cache_write"),
    ("gen_ai.usage.cache_write_input_tokens", "cache_write"),
    ("gen_ai.usage.cache_creation_tokens", "cache_write"),
    ("gen_ai.usage.cache_write_tokens", "cache_write"),
    ("gen_ai.usage.input_tokens.cache_write", "cache_write"),
    ("gen_ai.usage.input_token_details.cache_creation", "cache_write"),
    ("gen_ai.usage.details.cache_write_tokens", "cache_write"),
    ("gen_ai.usage.details.cache_creation_input_tokens", "cache_write"),
    ("gen_ai.usage.details.ephemeral_5m_input_tokens", "cache_write_5m"),
    ("gen_ai.usage.details.ephemeral_1h_input_tokens", "cache_write_1h"),
    ("gen_ai.usage.reasoning_tokens", "reasoning"),
    ("gen_ai.usage.reasoning_output_tokens", "reasoning"),
    ("gen_ai.usage.output_tokens.reasoning", "reasoning"),
    ("gen_ai.usage.thinking_tokens", "reasoning"),
    ("gen_ai.usage.output_token_details.reasoning", "reasoning"),
    ("gen_ai.usage.details.reasoning_tokens", "reasoning"),
    ("gen_ai.usage.details.thinking_tokens", "reasoning"),
    ("gen_ai.usage.details.thoughts_tokens", "reasoning"),
    ("ai.usage.inputTokenDetails.cacheReadTokens", "cache_read"),
    ("ai.usage.inputTokenDetails.cacheWriteTokens", "cache_write"),
    ("ai.usage.outputTokenDetails.reasoningTokens", "reasoning"),
    ("gen_ai.usage.input_audio_tokens", "audio_in"),
    ("gen_ai.usage.output_audio_tokens", "audio_out"),
    ("gen_ai.usage.details.input_audio_tokens", "audio_in"),
    ("gen_ai.usage.details.output_audio_tokens", "audio_out"),
    ("gen_ai.usage.details.audio_tokens", "audio_in"),
)
COUNTS: Table = (*OFFICIAL_COUNTS, *_MADE_UP_COUNTS)

TOTALS = ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total")

_PROVIDERS = ("gen_ai.system", "traceloop.association.properties.ls_provider")
_REQUEST_MODELS = ("traceloop.association.properties.ls_model_name",)
_TIERS = (
    "gen_ai.openai.response.service_tier",
    "gen_ai.response.service_tier",
    "gen_ai.openai.request.service_tier",
    "gen_ai.request.service_tier",
)
_CLAIMED_COSTS = (
    "gen_ai.usage.cost.amount",
    "gen_ai.usage.cost",
    "gen_ai.usage.cost_usd",
    "gen_ai.usage.total_cost",
    "gen_ai.cost.total_cost",
    "litellm.cost.total",
    "operation.cost",
)
_STREAMS = ("gen_ai.is_streaming", "llm.is_streaming", "gen_ai.request.is_stream")
_HOSTS = ("gen_ai.openai.api_base", "server.host", "url.full")
_FIRST_CHUNKS = ("gen_ai.client.operation.time_to_first_chunk", "gen_ai.server.time_to_first_token")
"""In seconds; whoever writes an integer means milliseconds."""
_USERS = (
    "enduser.id",
    "gen_ai.request.user",
    "gen_ai.user.id",
    "traceloop.association.properties.user_id",
    "traceloop.association.properties.userId",
)
_SESSIONS = (
    "gen_ai.session.id",
    "traceloop.association.properties.session_id",
    "traceloop.association.properties.sessionId",
    "traceloop.association.properties.thread_id",
)
_OPERATION = "llm.request.type"
_OPERATION_NAMES = {
    "acompletion": "chat",
    "aembedding": "embeddings",
    "aresponses": "chat",
    "chat.completions": "chat",
    "embedding": "embeddings",
    "responses": "chat",
}
"""The conventions' names of what libraries call after the functions of their API."""

MARKERS = (*conventions.MARKERS, *keys(_OLD_COUNTS), *keys(_MADE_UP_COUNTS), _OPERATION)

_UNSAID = ("", None)


def _first_chunk_s(value: Value) -> float | None:
    found = seconds(value)
    return found / 1000 if found is not None and type(value) is int else found


_FIELDS: dict[str, tuple[tuple[str, ...], Callable[[Value], object]]] = {
    "operation": ((_OPERATION,), text),
    "provider": (_PROVIDERS, text),
    "request_model": (_REQUEST_MODELS, named),
    "host": (_HOSTS, lambda value: host_of(text(value))),
    "tier": (_TIERS, text),
    "stream": (_STREAMS, flag),
    "first_chunk_s": (_FIRST_CHUNKS, _first_chunk_s),
    "claimed_cost": (_CLAIMED_COSTS, amount_usd),
    "user": (_USERS, text),
    "session": (_SESSIONS, text),
}
"""By field of `Reading`, the names under which it is said, and what believes the value."""

_FIELD_OF = {name: field for field, (names, _) in _FIELDS.items() for name in names}
_NAMES = frozenset(_FIELD_OF)
ATTRIBUTES = (*conventions.ATTRIBUTES, *keys(COUNTS), *_FIELD_OF, *TOTALS)


def read(span: RawSpan, counts: Counts | None = None) -> Reading | None:
    """Read a span in any spelling; None when it is not about inference. `counts` if they are read already."""
    said = span.attributes
    reading = conventions.read(span, read_counts(COUNTS, said) if counts is None else counts)
    if reading is None:
        return None
    reading = with_old_names(reading, said)
    usage = with_written(reading.usage)
    if _thinks_beside(reading):
        usage = _with_thoughts(usage, total_in(said))
    return reading._replace(
        operation=_OPERATION_NAMES.get(reading.operation, reading.operation),
        billable=reading.billable or _is_silent_call(reading, span.name),
        finish_reason=listed(reading.finish_reason),
        usage=usage,
    )


def _is_silent_call(reading: Reading, span_name: str) -> bool:
    """Whether a span that names no usage and no answer is a call by what it says of its operation under old names."""
    asked = bool(reading.request_model) or reading.operation in INFERENCE
    return asked and bool(reading.operation) and not reading.error and is_billed(reading.operation, span_name)


def _thinks_beside(reading: Reading) -> bool:
    """Whether the provider counts thoughts beside the answer, and many hand on the answer alone."""
    return "gemini" in (reading.response_model or reading.request_model)


def _with_thoughts(usage: Usage, total: int | None) -> Usage:
    """Add to the output what the total says was generated beside it."""
    if total is None or usage.input is None or usage.output is None:
        return usage
    thoughts = total - usage.input - usage.output
    if thoughts <= 0:
        return usage
    return usage._replace(output=plus(usage.output, thoughts), reasoning=usage.reasoning or thoughts)


def total_in(said: Attributes) -> int | None:
    """Return the sum of all tokens, if the span says it."""
    return next((total for key in TOTALS if (total := count(said.get(key)))), None)


def with_old_names(reading: Reading, said: Attributes) -> Reading:
    """Fill in what is said under other names than those of the conventions."""
    if said.keys().isdisjoint(_NAMES):
        return reading
    found: dict[str, Any] = {}
    for field in {_FIELD_OF[name] for name in said.keys() & _NAMES}:
        if getattr(reading, field) in _UNSAID:
            names, believed = _FIELDS[field]
            found[field] = next(
                (value for name in names if (value := believed(said.get(name))) not in _UNSAID), getattr(reading, field)
            )
    return reading._replace(**found) if found else reading


def first_text(said: Attributes, names: tuple[str, ...]) -> str:
    """Return the first text that is said under one of some names, "" if there is none."""
    return next(filter(None, (text(said.get(name)) for name in names)), "")
