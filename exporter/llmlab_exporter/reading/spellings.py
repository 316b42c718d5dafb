"""The GenAI conventions in every spelling that has been seen: old names, and names that libraries made up.

For the dialects of those who follow the conventions loosely, and for strangers.
"""

from llmlab.usage import Usage
from llmlab_exporter.call import Reading
from llmlab_exporter.reading import conventions
from llmlab_exporter.reading.counts import Counts, Table, keys, read_counts, with_cache_inside
from llmlab_exporter.reading.native import with_written
from llmlab_exporter.reading.values import amount_usd, flag, host_of, listed, seconds, text
from llmlab_exporter.span import Attributes, RawSpan

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
    ("gen_ai.usage.details.input_audio_tokens", "audio_in"),
    ("gen_ai.usage.details.output_audio_tokens", "audio_out"),
    ("gen_ai.usage.details.audio_tokens", "audio_in"),
)
COUNTS: Table = (*OFFICIAL_COUNTS, *_MADE_UP_COUNTS)

_PROVIDER = "gen_ai.system"
_TIERS = ("gen_ai.openai.response.service_tier", "gen_ai.openai.request.service_tier")
_CLAIMED_COSTS = (
    "gen_ai.usage.cost.amount",
    "gen_ai.usage.cost",
    "gen_ai.usage.total_cost",
    "gen_ai.cost.total_cost",
    "litellm.cost.total",
    "operation.cost",
)
_STREAMS = ("gen_ai.is_streaming", "llm.is_streaming", "gen_ai.request.is_stream")
_HOSTS = ("gen_ai.openai.api_base", "server.host", "url.full")
_FIRST_CHUNKS = ("gen_ai.client.operation.time_to_first_chunk", "gen_ai.server.time_to_first_token")
_USERS = (
    "enduser.id",
    "gen_ai.request.user",
    "gen_ai.user.id",
    "traceloop.association.properties.user_id",
    "traceloop.association.properties.userId",
)
_SESSIONS = (
    "session.id",
    "gen_ai.session.id",
    "traceloop.association.properties.session_id",
    "traceloop.association.properties.sessionId",
    "traceloop.association.properties.thread_id",
)
_OPERATION = "llm.request.type"

MARKERS = (*conventions.MARKERS, *keys(_OLD_COUNTS), *keys(_MADE_UP_COUNTS), _OPERATION)

_OTHERS = frozenset(
    (*_TIERS, *_CLAIMED_COSTS, *_STREAMS, *_HOSTS, *_FIRST_CHUNKS, *_USERS, *_SESSIONS, _PROVIDER, _OPERATION)
)
ATTRIBUTES = (*conventions.ATTRIBUTES, *keys(COUNTS), *sorted(_OTHERS))


def read(span: RawSpan, counts: Counts | None = None) -> Reading | None:
    """Read a span in any spelling; None when it is not about inference. `counts` if they are read already."""
    said = span.attributes
    reading = conventions.read(span, read_counts(COUNTS, said) if counts is None else counts)
    if reading is None:
        return None
    reading = reading._replace(usage=with_written(reading.usage))
    return reading if said.keys().isdisjoint(_OTHERS) else with_old_names(reading, said)


def with_old_names(reading: Reading, said: Attributes) -> Reading:
    """Fill in what is said under other names than those of the conventions."""
    stream = reading.stream
    first_chunk_s = reading.first_chunk_s
    return reading._replace(
        operation=reading.operation or text(said.get(_OPERATION)),
        provider=reading.provider or text(said.get(_PROVIDER)),
        host=reading.host or host_of(first_text(said, _HOSTS)),
        tier=reading.tier or first_text(said, _TIERS),
        stream=_first_flag(said) if stream is None else stream,
        finish_reason=listed(reading.finish_reason),
        first_chunk_s=_first_seconds(said) if first_chunk_s is None else first_chunk_s,
        claimed_cost=next(filter(None, (amount_usd(said.get(key)) for key in _CLAIMED_COSTS)), None),
        user=reading.user or first_text(said, _USERS),
        session=reading.session or first_text(said, _SESSIONS),
    )


def first_text(said: Attributes, names: tuple[str, ...]) -> str:
    """Return the first text that is said under one of some names, "" if there is none."""
    return next(filter(None, (text(said.get(name)) for name in names)), "")


def with_exclusive_input(reading: Reading) -> Reading:
    """Convert the usage of a library that is known to count cached tokens beside the input."""
    return reading._replace(usage=with_cache_inside(reading.usage))


def with_doubtful_input(reading: Reading) -> Reading:
    """Convert an input that cannot contain its cached parts: they stand beside it, and the usage is an estimate."""
    if not cache_exceeds_input(reading.usage):
        return reading
    return with_exclusive_input(reading)._replace(usage_source="estimated")


def cache_exceeds_input(usage: Usage) -> bool:
    """Whether the cached tokens cannot be part of the input."""
    return usage.input is not None and (usage.cache_read or 0) + (usage.cache_write or 0) > usage.input


def _first_flag(said: Attributes) -> bool | None:
    return next((found for key in _STREAMS if (found := flag(said.get(key))) is not None), None)


def _first_seconds(said: Attributes) -> float | None:
    return next((found for key in _FIRST_CHUNKS if (found := seconds(said.get(key))) is not None), None)
