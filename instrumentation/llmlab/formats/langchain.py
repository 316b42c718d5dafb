"""What LangChain's results say: generations with their messages, and `llm_output`.

Sources: `langchain_core.messages.ai.UsageMetadata` of 1.7, and what is said at each exception below. Read 2026-11-21.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmlab.formats.openai import count_of, fields_of, read_usage
from llmlab.providers import Reply
from llmlab.usage import NO_USAGE, Usage

_TIERS = ("", "flex_", "priority_")
"""`langchain_openai` puts the served tier before the names of parts."""
_OWN_IDS = ("run-", "lc_")
"""Begin the ids that LangChain gives to messages whose provider gave none."""


def read_generations(generations: Sequence[Any], llm_output: Any) -> Reply:
    """Read what a model answered to one prompt. Several generations are choices, and each repeats the usage of all."""
    output = fields_of(llm_output)
    if not generations:
        return Reply(usage=_usage_of_output(output))
    messages = [fields_of(fields_of(generation).get("message")) for generation in generations]
    said = _said(generations[0], messages[0], output)
    usage = next((message["usage_metadata"] for message in messages if message.get("usage_metadata")), None)
    return Reply(
        model=_first_text(said, ("model_name", "model", "model_id")),
        id=_id(messages[0], said),
        finish_reasons=tuple(_finish_reasons(generations, messages)),
        usage=_usage_of_output(said) if usage is None else read_usage_metadata(usage),
        tier=_first_text(said, ("service_tier",)),
    )


def read_usage_metadata(usage: Mapping[str, Any]) -> Usage:
    """Convert `UsageMetadata`, whose totals include their parts."""
    given, answered = fields_of(usage.get("input_token_details")), fields_of(usage.get("output_token_details"))
    written_5m, written_1h = count_of(given, "ephemeral_5m_input_tokens"), count_of(given, "ephemeral_1h_input_tokens")
    return Usage(
        input=count_of(usage, "input_tokens"),
        output=count_of(usage, "output_tokens"),
        cache_read=_part(given, "cache_read"),
        cache_write=_written(_part(given, "cache_creation"), written_5m, written_1h),
        cache_write_5m=written_5m,
        cache_write_1h=written_1h,
        audio_in=_part(given, "audio"),
        image_in=_part(given, "image"),
        video_in=_part(given, "video"),
        reasoning=_part(answered, "reasoning"),
        audio_out=_part(answered, "audio"),
        image_out=_part(answered, "image"),
        video_out=_part(answered, "video"),
    )


def _written(all_lifetimes: int | None, *of_lifetimes: int | None) -> int | None:
    """Return what was written to the cache.

    `langchain_anthropic` sets `cache_creation` to 0 when it tells the lifetimes apart; others repeat the total there.
    """
    told_apart = [count for count in of_lifetimes if count is not None]
    return max(all_lifetimes or 0, sum(told_apart)) if told_apart else all_lifetimes


def _part(details: Mapping[str, Any], name: str) -> int | None:
    return next((count for tier in _TIERS if (count := count_of(details, tier + name)) is not None), None)


def _usage_of_output(output: Mapping[str, Any]) -> Usage:
    usage = output.get("token_usage") or output.get("usage")
    return read_usage(usage) if isinstance(usage, dict) and "prompt_tokens" in usage else NO_USAGE


def _said(generation: Any, message: Mapping[str, Any], output: Mapping[str, Any]) -> Mapping[str, Any]:
    info = fields_of(generation).get("generation_info")
    return {**output, **fields_of(info), **fields_of(message.get("response_metadata"))}


def _id(message: Mapping[str, Any], said: Mapping[str, Any]) -> str | None:
    """Return the provider's own id of the answer."""
    for value in (said.get("id"), message.get("id")):
        if isinstance(value, str) and value and not value.startswith(_OWN_IDS):
            return _unrepeated(value)
    return None


def _finish_reasons(generations: Sequence[Any], messages: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    for generation, message in zip(generations, messages, strict=True):
        reason = _first_text(_said(generation, message, {}), ("finish_reason", "stop_reason"))
        if reason is not None:
            yield reason


def _first_text(fields: Mapping[str, Any], names: Sequence[str]) -> str | None:
    texts = (fields.get(name) for name in names)
    text = next((text for text in texts if isinstance(text, str) and text), None)
    return _unrepeated(text) if text else None


def _unrepeated(text: str) -> str:
    """Return a text that was not put together from itself.

    LangChain adds up the chunks of a stream, and with them the model's name, where an integration repeats it on each.
    """
    length = (text + text).find(text, 1)
    return text[:length]
