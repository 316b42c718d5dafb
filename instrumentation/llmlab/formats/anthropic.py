"""Anthropic's message format: usage, messages, and the events of a stream.

Sources: the types of `anthropic` 2.11 (`Usage`, `BetaUsage`, `MessageDeltaUsage`, `Message`, the events of
`RawMessageStreamEvent`) and, for what is billed outside of the totals, the documentation at platform.claude.com on
compaction and on the advisor tool. Read 2026-11-21.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from llmlab.counts import counts_of
from llmlab.providers import Reply
from llmlab.usage import NO_USAGE, Usage

_NO_FIELDS: Mapping[str, Any] = {}
_ANSWERS = frozenset({"message", "fallback_message"})


def read_message(message: Any) -> Reply:
    """Read a complete message."""
    fields = _fields(message)
    return _reply(fields, fields.get("stop_reason"), _fields(fields.get("usage")))


class MessageEvents:
    """Reads the events of a streamed message.

    The first one carries the whole input. Later ones repeat what has grown since: all counts are running totals, so of
    each field the last value wins.
    """

    __slots__ = ("_ended", "_message", "_stop_reason", "_usage")

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._stop_reason: Any = None
        self._usage: dict[str, Any] = {}
        self._ended = False

    def read(self, chunk: Any) -> bool:
        """Take note of an event."""
        kind = chunk.type
        if kind == "content_block_delta":
            return False
        if kind == "message_start":
            fields = _fields(chunk.message)
            self._message = {name: fields.get(name) for name in ("id", "model")}
            self._grow(fields.get("usage"))
        elif kind == "message_delta":
            self._stop_reason = chunk.delta.stop_reason
            self._grow(chunk.usage)
        elif kind == "message_stop":
            self._ended = True
        elif kind == "content_block_start" and chunk.content_block.type == "fallback":
            # The model that was asked refused, and another one answers from here on.
            self._message["model"] = _fields(_fields(chunk.content_block).get("to")).get("model")
        return False

    def reply(self) -> Reply:
        """Return what the events reported."""
        # A server that is shut down ends the body without an error, and without the last event.
        return _reply(self._message, self._stop_reason, self._usage).changed(ended=self._ended)

    def _grow(self, usage: Any) -> None:
        self._usage.update({name: value for name, value in _fields(usage).items() if value is not None})


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Convert Anthropic's usage, which counts the tokens of the prompt cache beside the input.

    A pass that compacts the conversation is billed like a call of its own and left out of the totals, so it is added.
    """
    total = _tokens(usage)
    if total is NO_USAGE:
        return NO_USAGE
    for iteration in _iterations(usage):
        if iteration.get("type") == "compaction":
            total = _sum(total, _tokens(iteration))
    return total._replace(
        reasoning=_count(_fields(usage.get("output_tokens_details")), "thinking_tokens"),
        web_searches=_count(_fields(usage.get("server_tool_use")), "web_search_requests"),
    )


def _reply(message: Mapping[str, Any], stop_reason: Any, usage: Mapping[str, Any]) -> Reply:
    message_id = message.get("id")
    # Fast mode has prices of its own, as a tier has.
    tier = "fast" if usage.get("speed") == "fast" else usage.get("service_tier")
    return Reply(
        model=message.get("model"),
        id=message_id,
        finish_reasons=(stop_reason,) if stop_reason else (),
        counts=counts_of(read_usage(usage)),
        tier=tier,
        further=tuple(
            # An id of its own, the same each time, so that results that are fetched twice are billed once.
            Reply(
                model=iteration["model"],
                id=message_id and f"{message_id}/{number}",
                counts=counts_of(_tokens(iteration)),
                tier=tier,
            )
            for number, iteration in _of_other_models(_iterations(usage))
        ),
    )


def _of_other_models(iterations: list[Mapping[str, Any]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield, with its number, each pass that is billed at the price of another model and left out of the totals.

    That is the advice of an advisor, and what a model had said when it declined and another one took over. A model that
    declined before it said anything is not billed.
    """
    served = next((each.get("model") for each in reversed(iterations) if each.get("type") == "fallback_message"), None)
    for number, iteration in enumerate(iterations):
        model, kind = iteration.get("model"), iteration.get("type")
        declined = served is not None and kind in _ANSWERS and model != served and iteration.get("output_tokens")
        if model and (kind == "advisor_message" or declined):
            yield number, iteration


def _tokens(usage: Mapping[str, Any]) -> Usage:
    """Read the counts that a whole call and each of its iterations have in common."""
    beside = _count(usage, "input_tokens")
    output = _count(usage, "output_tokens")
    if beside is None and output is None:
        return NO_USAGE
    lifetimes = _fields(usage.get("cache_creation"))
    cache_read = _count(usage, "cache_read_input_tokens")
    cache_write = _count(usage, "cache_creation_input_tokens")
    return Usage(
        input=None if beside is None else beside + (cache_read or 0) + (cache_write or 0),
        output=output,
        cache_read=cache_read,
        cache_write=cache_write,
        cache_write_5m=_count(lifetimes, "ephemeral_5m_input_tokens"),
        cache_write_1h=_count(lifetimes, "ephemeral_1h_input_tokens"),
    )


def _iterations(usage: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [_fields(iteration) for iteration in usage.get("iterations") or ()]


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(*(a if b is None else b if a is None else a + b for a, b in zip(one, other, strict=True)))


def _count(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    return value if type(value) is int and value >= 0 else None


def _fields(holder: Any) -> Mapping[str, Any]:
    """Return the fields of an SDK's object, those that its version does not know yet included."""
    if holder is None:
        return _NO_FIELDS
    if isinstance(holder, dict):
        return holder
    unknown: Mapping[str, Any] | None = getattr(holder, "__pydantic_extra__", None)  # `model_extra`, and cheaper
    return {**vars(holder), **unknown} if unknown else vars(holder)
