"""Usage as providers report it, in their own shapes. Some instrumentations hand the object on as a whole.

The shape tells what the numbers mean: OpenAI and Gemini count cached tokens inside the input, Anthropic and Bedrock
beside it. Sources: the API references of the four, as of November 2026.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.reading.blobs import Fields, flat, list_at
from llmlab_exporter.reading.counts import Counts, Table, count, plus, read_counts, with_cache_inside
from llmlab_exporter.reading.values import amount_usd

_OWN_KEY = "is_byok"

_NOTHING_SAID = Counts(NO_USAGE)


class Shape(NamedTuple):
    """How one provider's API writes usage."""

    signs: tuple[str, ...]
    """Keys, any of which gives the shape away when those before it in `SHAPES` do not fit."""
    counts: Table
    beside: bool = False
    """Cached tokens are counted beside the input, not inside."""
    input_extras: tuple[str, ...] = ()
    """What is counted beside the input, and belongs to it."""
    output_extras: tuple[str, ...] = ()


_OPENAI_CHAT = Shape(
    ("prompt_tokens", "completion_tokens"),
    (
        ("prompt_tokens", "input"),
        ("completion_tokens", "output"),
        ("prompt_tokens_details.cached_tokens", "cache_read"),
        ("cache_read_input_tokens", "cache_read"),
        ("prompt_cache_hit_tokens", "cache_read"),
        ("prompt_tokens_details.cache_write_tokens", "cache_write"),
        ("prompt_tokens_details.cache_creation_tokens", "cache_write"),
        ("cache_creation_input_tokens", "cache_write"),
        ("prompt_tokens_details.cache_creation_token_details.ephemeral_5m_input_tokens", "cache_write_5m"),
        ("prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens", "cache_write_1h"),
        ("prompt_tokens_details.audio_tokens", "audio_in"),
        ("prompt_tokens_details.image_tokens", "image_in"),
        ("prompt_tokens_details.video_tokens", "video_in"),
        ("completion_tokens_details.reasoning_tokens", "reasoning"),
        ("completion_tokens_details.audio_tokens", "audio_out"),
        ("completion_tokens_details.image_tokens", "image_out"),
    ),
)
_ANTHROPIC = Shape(
    ("cache_read_input_tokens", "cache_creation_input_tokens"),
    (
        ("input_tokens", "input"),
        ("output_tokens", "output"),
        ("cache_read_input_tokens", "cache_read"),
        ("cache_creation_input_tokens", "cache_write"),
        ("cache_creation.ephemeral_5m_input_tokens", "cache_write_5m"),
        ("cache_creation.ephemeral_1h_input_tokens", "cache_write_1h"),
        ("output_tokens_details.thinking_tokens", "reasoning"),
        ("server_tool_use.web_search_requests", "web_searches"),
    ),
    beside=True,
)
_RESPONSES = Shape(
    # OpenAI's Responses API, and LangChain's `usage_metadata`, which imitates it
    ("input_tokens", "output_tokens"),
    (
        ("input_tokens", "input"),
        ("output_tokens", "output"),
        ("input_tokens_details.cached_tokens", "cache_read"),
        ("input_token_details.cache_read", "cache_read"),
        ("input_tokens_details.cache_write_tokens", "cache_write"),
        ("input_token_details.cache_creation", "cache_write"),
        ("input_token_details.ephemeral_5m_input_tokens", "cache_write_5m"),
        ("input_token_details.ephemeral_1h_input_tokens", "cache_write_1h"),
        ("input_tokens_details.audio_tokens", "audio_in"),
        ("input_token_details.audio", "audio_in"),
        ("input_tokens_details.image_tokens", "image_in"),
        ("output_tokens_details.reasoning_tokens", "reasoning"),
        ("output_tokens_details.thinking_tokens", "reasoning"),
        ("output_token_details.reasoning", "reasoning"),
        ("output_token_details.audio", "audio_out"),
        ("output_tokens_details.audio_tokens", "audio_out"),
        ("output_tokens_details.image_tokens", "image_out"),
    ),
)
_GEMINI = Shape(
    ("prompt_token_count", "promptTokenCount", "candidates_token_count", "candidatesTokenCount"),
    (
        ("prompt_token_count", "input"),
        ("promptTokenCount", "input"),
        ("candidates_token_count", "output"),
        ("candidatesTokenCount", "output"),
        ("cached_content_token_count", "cache_read"),
        ("cachedContentTokenCount", "cache_read"),
        ("thoughts_token_count", "reasoning"),
        ("thoughtsTokenCount", "reasoning"),
    ),
    input_extras=("tool_use_prompt_token_count", "toolUsePromptTokenCount"),
    output_extras=("thoughts_token_count", "thoughtsTokenCount"),
)
_BEDROCK = Shape(
    ("cacheReadInputTokens", "cacheWriteInputTokens"),
    (
        ("inputTokens", "input"),
        ("outputTokens", "output"),
        ("cacheReadInputTokens", "cache_read"),
        ("cacheWriteInputTokens", "cache_write"),
    ),
    beside=True,
)
_CAMEL = Shape(
    # those of frameworks in JavaScript: the Vercel AI SDK, Genkit
    ("inputTokens", "outputTokens", "promptTokens", "completionTokens"),
    (
        ("inputTokens", "input"),
        ("promptTokens", "input"),
        ("outputTokens", "output"),
        ("completionTokens", "output"),
        ("cachedInputTokens", "cache_read"),
        ("inputTokenDetails.cacheReadTokens", "cache_read"),
        ("inputTokenDetails.cacheWriteTokens", "cache_write"),
        ("cachedContentTokens", "cache_read"),
        ("reasoningTokens", "reasoning"),
        ("thoughtsTokens", "reasoning"),
        ("outputTokenDetails.reasoningTokens", "reasoning"),
    ),
)

SHAPES = (_GEMINI, _OPENAI_CHAT, _ANTHROPIC, _RESPONSES, _BEDROCK, _CAMEL)
"""In the order in which they are tried."""


def read_native(usage: Fields) -> Counts:
    """Read a provider's usage object. No usage if it is of no known shape."""
    said = flat(usage)
    shape = next((shape for shape in SHAPES if not said.keys().isdisjoint(shape.signs)), None)
    if shape is None:
        return _NOTHING_SAID
    counts = read_counts(shape.counts, said)
    found = _with_extras(counts.usage, said, shape)
    found = with_written(with_cache_inside(found) if shape.beside else found)
    return counts._replace(usage=_with_compaction(found, usage))


def cost_in(usage: Fields) -> Decimal | None:
    """Return the USD that the provider itself charged: OpenRouter's `cost`, Perplexity's `cost.total_cost`.

    None also for what OpenRouter passed on to a key of the user's own (`is_byok`): it charges only a fee for that.
    """
    if usage.get(_OWN_KEY) is True:
        return None
    cost = usage.get("cost")
    return amount_usd(cost.get("total_cost") if isinstance(cost, Mapping) else cost)


def seller_in(usage: Fields) -> str:
    """Return who sold the call, if only one provider reports such usage; else ""."""
    return "openrouter" if _OWN_KEY in usage else ""


def with_written(usage: Usage) -> Usage:
    """Fill in what was written to the cache from its lifetimes, for those who report only these."""
    lifetimes = (usage.cache_write_5m or 0) + (usage.cache_write_1h or 0)
    return usage._replace(cache_write=lifetimes) if lifetimes and not usage.cache_write else usage


def _with_extras(usage: Usage, said: Fields, shape: Shape) -> Usage:
    extra_output = _first(said, shape.output_extras) or _reasoning_outside(usage, said)
    return usage._replace(
        input=plus(usage.input, _first(said, shape.input_extras)),
        output=plus(usage.output, extra_output),
    )


def _reasoning_outside(usage: Usage, said: Fields) -> int | None:
    """Return the reasoning if the total proves that it is counted beside the output, as xAI does."""
    total = _first(said, ("total_tokens", "totalTokens"))
    parts = (usage.input or 0, usage.output or 0, usage.reasoning or 0)
    return usage.reasoning if usage.reasoning and total == sum(parts) else None


def _first(said: Fields, keys: tuple[str, ...]) -> int | None:
    return next((found for key in keys if (found := count(said.get(key)))), None)


def _with_compaction(usage: Usage, native: Fields) -> Usage:
    """Add Anthropic's passes that compact a conversation, which its totals leave out."""
    for each in list_at(native, "iterations"):
        if each.get("type") == "compaction":
            more = with_cache_inside(read_counts(_ANTHROPIC.counts, each).usage)
            usage = usage._replace(input=plus(usage.input, more.input), output=plus(usage.output, more.output))
    return usage
