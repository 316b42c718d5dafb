"""What LangChain's results say: generations with their messages, and `llm_output`.

Sources: `langchain_core.messages.ai.UsageMetadata` of 1.7, and what is said at each exception below. Read 2026-11-21.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from llmlab.counts import counts_of
from llmlab.formats.openai import count_of, fields_of, read_usage
from llmlab.providers import Reply
from llmlab.usage import NO_USAGE, Usage

_PARTS_IN = {"cache_read": "cache_read", "audio": "audio_in", "image": "image_in", "video": "video_in"}
_PARTS_OUT = {"reasoning": "reasoning", "audio": "audio_out", "image": "image_out", "video": "video_out"}
_WRITTEN = {
    "cache_creation": "cache_write",
    "ephemeral_5m_input_tokens": "cache_write_5m",
    "ephemeral_1h_input_tokens": "cache_write_1h",
}
"""Names of parts, and the fields of `Usage`."""


def _with_tiers(fields: Mapping[str, str]) -> Mapping[str, str]:
    """Add the names under which `langchain_openai` counts what another tier served."""
    return {tier + name: field for name, field in fields.items() for tier in ("", "flex_", "priority_")}


_GIVEN = {**_with_tiers(_PARTS_IN), **_WRITTEN}
_ANSWERED = _with_tiers(_PARTS_OUT)
_OWN_IDS = ("run-", "lc_")
"""Begin the ids that LangChain gives to messages whose provider gave none."""
_NOTHING: Mapping[str, Any] = {}


def read_generations(generations: Sequence[Any], llm_output: Any) -> Reply:
    """Read what a model answered to one prompt. Several generations are choices, and each repeats the usage of all."""
    output = fields_of(llm_output)
    if not generations:
        return Reply(counts=counts_of(_usage_of_output(output)))
    answers = [_answer(generation, output) for generation in generations]
    said, message = answers[0]
    usage = next((message["usage_metadata"] for _, message in answers if message.get("usage_metadata")), None)
    return Reply(
        model=_first_text(said, ("model_name", "model", "model_id")),
        id=_id(message, said),
        finish_reasons=tuple(
            filter(None, (_first_text(said, ("finish_reason", "stop_reason")) for said, _ in answers))
        ),
        counts=counts_of(_usage_of_output(said) if usage is None else read_usage_metadata(usage)),
        tier=_first_text(said, ("service_tier",)),
    )


def _answer(generation: Any, output: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return what is said of a generation, and its message."""
    fields = fields_of(generation)
    message = fields_of(fields.get("message"))
    return {
        **output,
        **(fields.get("generation_info") or _NOTHING),
        **(message.get("response_metadata") or _NOTHING),
    }, message


def read_usage_metadata(usage: Mapping[str, Any]) -> Usage:
    """Convert `UsageMetadata`, whose totals include their parts."""
    parts = _parts(usage.get("input_token_details"), _GIVEN) | _parts(usage.get("output_token_details"), _ANSWERED)
    if "cache_write_5m" in parts or "cache_write_1h" in parts:
        # `langchain_anthropic` sets `cache_creation` to 0 when it tells the lifetimes apart; others repeat the total.
        lifetimes = parts.get("cache_write_5m", 0) + parts.get("cache_write_1h", 0)
        parts["cache_write"] = max(parts.get("cache_write", 0), lifetimes)
    return Usage(input=count_of(usage, "input_tokens"), output=count_of(usage, "output_tokens"), **parts)


def _parts(details: Mapping[str, Any] | None, fields: Mapping[str, str]) -> dict[str, int]:
    if not details:
        return {}
    return {
        fields[name]: count for name, count in details.items() if name in fields and type(count) is int and count >= 0
    }


def _usage_of_output(output: Mapping[str, Any]) -> Usage:
    usage = output.get("token_usage") or output.get("usage")
    return read_usage(usage) if isinstance(usage, dict) and "prompt_tokens" in usage else NO_USAGE


def _id(message: Mapping[str, Any], said: Mapping[str, Any]) -> str | None:
    """Return the provider's own id of the answer."""
    for value in (said.get("id"), message.get("id")):
        if isinstance(value, str) and value and not value.startswith(_OWN_IDS):
            return _unrepeated(value)
    return None


def _first_text(fields: Mapping[str, Any], names: Sequence[str]) -> str | None:
    for name in names:
        text = fields.get(name)
        if text and isinstance(text, str):
            return _unrepeated(text)
    return None


def _unrepeated(text: str) -> str:
    """Return a text that was not put together from itself.

    LangChain adds up the chunks of a stream, and with them the model's name, where an integration repeats it on each.
    """
    length = (text + text).find(text, 1)
    return text[:length]
