"""The GenAI conventions in every spelling that has been seen: old names, and names that libraries made up.

For the dialects of those who follow the conventions loosely, and for strangers.
"""

import re
from collections.abc import Callable
from typing import Any

from llmlab.usage import Usage
from llmlab_exporter.call import Reading
from llmlab_exporter.reading import conventions
from llmlab_exporter.reading.blobs import fields_of
from llmlab_exporter.reading.conventions import UNNAMED_ERROR
from llmlab_exporter.reading.counts import Counts, Table, count, keys, plus, read_counts
from llmlab_exporter.reading.native import read_native, with_written
from llmlab_exporter.reading.operations import INFERENCE, is_billed, is_container
from llmlab_exporter.reading.values import (
    amount_usd,
    host_of,
    named,
    seconds,
    seconds_until,
    text,
    texts,
    truth,
)
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
    ("llm.usage.input_tokens", "input"),
    ("llm.usage.output_tokens", "output"),
    ("llm.usage.cache_read_input_tokens", "cache_read"),
    ("llm.usage.cached_tokens", "cache_read"),
    ("llm.usage.cache_creation_input_tokens", "cache_write"),
    ("llm.usage.reasoning_tokens", "reasoning"),
    ("gen_ai.usage.cache_read_input_tokens", "cache_read"),
    ("gen_ai.usage.cache_read_tokens", "cache_read"),
    ("gen_ai.usage.cached_input_tokens", "cache_read"),
    ("gen_ai.usage.cached_tokens", "cache_read"),
    ("gen_ai.usage.input_cached_tokens", "cache_read"),
    ("gen_ai.usage.prompt_tokens_details.cached_tokens", "cache_read"),
    ("gen_ai.usage.prompt_tokens_details.cache_read", "cache_read"),
    ("gen_ai.usage.input_tokens_details.cached_tokens", "cache_read"),
    ("gen_ai.usage.input_tokens_details.cached", "cache_read"),
    ("gen_ai.usage.input_tokens.cached", "cache_read"),
    ("gen_ai.usage.input_tokens_cached", "cache_read"),
    ("gen_ai.usage.input_token_details.cache_read", "cache_read"),
    ("gen_ai.usage.details.cache_read_tokens", "cache_read"),
    ("gen_ai.usage.details.cache_read_input_tokens", "cache_read"),
    ("gen_ai.usage.cache_creation_input_tokens", "cache_write"),
    ("gen_ai.usage.cache_write_input_tokens", "cache_write"),
    ("gen_ai.usage.cache_creation_tokens", "cache_write"),
    ("gen_ai.usage.cache_write_tokens", "cache_write"),
    ("gen_ai.usage.prompt_tokens_details.cache_write", "cache_write"),
    ("gen_ai.usage.input_tokens.cache_write", "cache_write"),
    ("gen_ai.usage.input_token_details.cache_creation", "cache_write"),
    ("gen_ai.usage.details.cache_write_tokens", "cache_write"),
    ("gen_ai.usage.details.cache_creation_input_tokens", "cache_write"),
    ("gen_ai.usage.details.ephemeral_5m_input_tokens", "cache_write_5m"),
    ("gen_ai.usage.details.ephemeral_1h_input_tokens", "cache_write_1h"),
    ("gen_ai.usage.reasoning_tokens", "reasoning"),
    ("gen_ai.usage.reasoning_output_tokens", "reasoning"),
    ("gen_ai.usage.output_reasoning_tokens", "reasoning"),
    ("gen_ai.usage.completion_tokens_details.reasoning_tokens", "reasoning"),
    ("gen_ai.usage.completion_tokens_details.reasoning", "reasoning"),
    ("gen_ai.usage.output_tokens_details.reasoning_tokens", "reasoning"),
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
    ("gen_ai.usage.prompt_tokens_details.audio_tokens", "audio_in"),
    ("gen_ai.usage.completion_tokens_details.audio_tokens", "audio_out"),
    ("gen_ai.usage.completion_tokens_details.audio", "audio_out"),
)
"""Where they come from is in `docs/dialects.md`."""
COUNTS: Table = (*OFFICIAL_COUNTS, *_MADE_UP_COUNTS)

TOTALS = ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total")

_OBJECTS = ("gen_ai.usage", "llm.usage", "llm.token.counts")
"""Attributes that carry the whole usage as a map or as JSON."""

_PROVIDERS = (
    "gen_ai.system",
    "gen_ai.provider",
    "llm.vendor",
    "traceloop.association.properties.ls_provider",
    "langtrace.service.name",
)
_REQUEST_MODELS = (
    "llm.request.model",
    "gen_ai.request_model",
    "gen_ai.model",
    "gen_ai.model.name",
    "llm.model",
    "traceloop.association.properties.ls_model_name",
)
_RESPONSE_MODELS = ("llm.response.model", "gen_ai.response_model")
_RESPONSE_IDS = ("gen_ai.response_id", "llm.response.id")
_FINISHES = (
    "gen_ai.response.finish_reason",
    "gen_ai.completion.0.finish_reason",
    "llm.response.finish_reason",
    "llm.response.stop_reason",
    "gen_ai.response.stop_reason",
    "anthropic.message.stop_reason",
    "finish_reason",
)
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
    "gen_ai.cost.usd",
    "gen_ai.cost.total_tokens",
)
_STREAMS = (
    "gen_ai.is_streaming",
    "llm.is_streaming",
    "gen_ai.request.is_stream",
    "gen_ai.request.streaming",
)
_HOSTS = ("gen_ai.openai.api_base", "server.host", "url.full")
_FIRST_CHUNKS = (
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.server.time_to_first_token",
    "gen_ai.latency.time_to_first_token",
    "copilot_chat.time_to_first_token",
    "lk.response.ttft",
    "metrics.ttfb",
)
"""In seconds; whoever writes a whole number means milliseconds."""
_USERS = (
    "enduser.id",
    "gen_ai.request.user",
    "gen_ai.user.id",
    "traceloop.association.properties.user_id",
    "traceloop.association.properties.userId",
    "lmnr.association.properties.user_id",
    "langfuse.user.id",
)
_SESSIONS = (
    "gen_ai.session.id",
    "traceloop.association.properties.session_id",
    "traceloop.association.properties.sessionId",
    "traceloop.association.properties.thread_id",
    "lmnr.association.properties.session_id",
    "langfuse.session.id",
    "copilot_chat.chat_session_id",
)
_OPERATION = "llm.request.type"
_OPERATIONS = (_OPERATION, "gen_ai.request.type")
_OPERATION_NAMES = {
    "acompletion": "chat",
    "aembedding": "embeddings",
    "aresponses": "chat",
    "chat.completions": "chat",
    "embedding": "embeddings",
    "responses": "chat",
}
"""The conventions' names of what libraries call after the functions of their API."""

_KINDS = (
    "gen_ai.span.kind",
    "lmnr.span.type",
    "agentops.span.kind",
    "langtrace.service.type",
    "honeyhive_event_type",
)
"""Say what a span is about: `LLM`, `CHAIN`, `AGENT` ..."""

_STREAM_BEGAN_AT = "mastra.completion_start_time"

MARKERS = (*conventions.MARKERS, *keys(_OLD_COUNTS), *keys(_MADE_UP_COUNTS), *_OBJECTS, _OPERATION)

_ENUMS = re.compile(r"[A-Za-z]+\.(?=[A-Za-z_]+$)")
"""Before a member of an enumeration, as Python prints it: `FinishReason.STOP`."""

_UNSAID = ("", None)


def _first_chunk_s(value: Value) -> float | None:
    milliseconds = count(value)
    return seconds(value) if milliseconds is None else milliseconds / 1000


def _finish(value: Value) -> str:
    return _ENUMS.sub("", texts(value))


_FIELDS: dict[str, tuple[tuple[str, ...], Callable[[Value], object]]] = {
    "operation": (_OPERATIONS, text),
    "provider": (_PROVIDERS, text),
    "request_model": (_REQUEST_MODELS, named),
    "response_model": (_RESPONSE_MODELS, named),
    "response_id": (_RESPONSE_IDS, text),
    "finish_reason": (_FINISHES, _finish),
    "host": (_HOSTS, lambda value: host_of(text(value))),
    "tier": (_TIERS, text),
    "stream": (_STREAMS, truth),
    "first_chunk_s": (_FIRST_CHUNKS, _first_chunk_s),
    "claimed_cost": (_CLAIMED_COSTS, amount_usd),
    "user": (_USERS, text),
    "session": (_SESSIONS, text),
}
"""By field of `Reading`, the names under which it is said, and what believes the value."""

_FIELD_OF = {name: field for field, (names, _) in _FIELDS.items() for name in names}
_NAMES = frozenset(_FIELD_OF)
_SETS_APART = frozenset((*_KINDS, _STREAM_BEGAN_AT))
ATTRIBUTES = (*conventions.ATTRIBUTES, *keys(COUNTS), *_FIELD_OF, *TOTALS, *_OBJECTS, *_SETS_APART)


def read(span: RawSpan, counts: Counts | None = None) -> Reading | None:
    """Read a span in any spelling; None when it is not about inference. `counts` if they are read already."""
    said = span.attributes
    reading = conventions.read(span, _counts(said) if counts is None else counts)
    if reading is None:
        if first_text(said, _OPERATIONS) not in INFERENCE:
            return None
        reading = Reading(billable=False, error=text(said.get("error.type")) or (UNNAMED_ERROR if span.failed else ""))
    reading = with_old_names(reading, said)
    usage = with_written(reading.usage)
    if _thinks_beside(reading):
        usage = _with_thoughts(usage, total_in(said))
    reading = reading._replace(
        operation=_OPERATION_NAMES.get(reading.operation, reading.operation),
        billable=reading.billable or _is_silent_call(reading, span.name),
        usage=usage,
    )
    return reading if said.keys().isdisjoint(_SETS_APART) else _set_apart(reading, span)


def _counts(said: Attributes) -> Counts:
    counts = read_counts(COUNTS, said)
    if counts.usage.known or counts.flaws or said.keys().isdisjoint(_OBJECTS):
        return counts
    return next((found for key in _OBJECTS if (found := read_native(fields_of(said.get(key)))).usage.known), counts)


def _set_apart(reading: Reading, span: RawSpan) -> Reading:
    said = span.attributes
    contains = any(is_container(text(said.get(kind))) for kind in _KINDS)
    first_chunk_s = reading.first_chunk_s
    if first_chunk_s is None:
        first_chunk_s = seconds_until(text(said.get(_STREAM_BEGAN_AT)), span.start_ns)
    return reading._replace(billable=reading.billable and not contains, first_chunk_s=first_chunk_s)


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
