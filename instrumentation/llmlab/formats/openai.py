"""OpenAI's chat format, which many SDKs and hosts speak: usage, completions, and the chunks of a stream.

Sources: the types of `openai` 3.52 (`CompletionUsage`, `ChatCompletion`, `ChatCompletionChunk`), and what is said at
each exception below. Read 2026-11-20.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from llmlab.capture.faults import READ_CHUNK, note
from llmlab.providers import LoopingReader, Reply
from llmlab.usage import NO_USAGE, Usage

_NO_FIELDS: Mapping[str, Any] = {}


def read_completion(completion: Any) -> Reply:
    """Read a chat completion, or an embeddings response."""
    fields = fields_of(completion)
    reasons = [fields_of(choice).get("finish_reason") for choice in fields.get("choices") or ()]
    return _reply(fields, tuple([reason for reason in reasons if reason]), fields.get("usage"))


class ChatChunks:
    """Reads the chunks of a streamed chat completion. Usage is accepted on any chunk, and the last one wins."""

    __slots__ = ("_hide_usage", "_last", "_model", "_reasons", "_tier", "_usage")

    def __init__(self, *, hide_usage: bool) -> None:
        """`hide_usage`: the stream reports its usage only because we asked, so the caller must see no trace of it."""
        self._hide_usage = hide_usage
        self._last: Any = None
        self._reasons: dict[int, str] = {}
        self._usage: Any = None

    def read(self, chunk: Any) -> bool:
        """Take note of a chunk."""
        self._last = chunk
        for choice in chunk.choices or ():
            if choice.finish_reason is not None:
                self._reasons[choice.index] = choice.finish_reason
        usage = chunk.usage
        if usage is not None:
            self._usage = usage
            return self._hide_usage and not chunk.choices
        if self._hide_usage:
            # Asked for usage, the server writes `"usage": null` on every chunk. Forgetting that the field was set
            # makes `model_dump(exclude_unset=True)` and `to_dict()` what they would be without us.
            chunk.model_fields_set.discard("usage")
        return False

    def reply(self) -> Reply:
        """Return what the chunks reported."""
        last, reasons = self._last, tuple([reason for _, reason in sorted(self._reasons.items())])
        # Some hosts count on every chunk, but a chunk of nothing but usage is always the last one.
        is_over = last is not None and last.usage is not None and not last.choices
        return _reply(fields_of(last), reasons, self._usage, True if is_over else None)


class PlainChatChunks(ChatChunks, LoopingReader):
    """Reads the chunks of hosts that put nothing beside what OpenAI puts there."""

    __slots__ = ()

    def pass_on(self, stream: Iterable[Any]) -> Iterator[Any]:
        """Yield the chunks that the caller may see. Only those that report something are worth a call of `read`."""
        asked_by_us = self._hide_usage
        for chunk in stream:
            try:
                choices = chunk.choices
                if choices and len(choices) == 1 and choices[0].finish_reason is None and chunk.usage is None:
                    self._last = chunk
                    if asked_by_us:
                        chunk.model_fields_set.discard("usage")
                elif self.read(chunk):
                    continue
            except Exception as error:  # noqa: BLE001 - noted; a Guard would cost more than the reading
                note(error, READ_CHUNK)
            yield chunk


def _reply(fields: Mapping[str, Any], finish_reasons: tuple[str, ...], usage: Any, ended: bool | None = None) -> Reply:
    counts = fields_of(usage)
    cost_usd = _cost_usd(counts["cost"]) if "cost" in counts else None
    tier = fields.get("service_tier")
    return Reply(fields.get("model"), fields.get("id"), finish_reasons, read_usage(counts), tier, cost_usd, ended)


def read_usage(usage: Any) -> Usage:
    """Convert OpenAI's usage: cached, audio and image tokens inside the prompt, reasoning inside the completion."""
    fields = fields_of(usage)
    if not fields:
        return NO_USAGE
    prompt = fields_of(fields.get("prompt_tokens_details"))
    completion = fields_of(fields.get("completion_tokens_details"))
    reasoning = count_of(completion, "reasoning_tokens")
    return Usage(
        input=count_of(fields, "prompt_tokens"),
        output=_output(fields, reasoning),
        cache_read=count_of(prompt, "cached_tokens"),
        cache_write=count_of(prompt, "cache_write_tokens"),
        audio_in=count_of(prompt, "audio_tokens"),
        image_in=count_of(prompt, "image_tokens"),
        reasoning=reasoning,
        audio_out=count_of(completion, "audio_tokens"),
    )


def _output(usage: Mapping[str, Any], reasoning: int | None) -> int | None:
    """Return all output tokens.

    xAI has counted reasoning beside the completion, where everybody else counts it inside. The total gives it away:
    prompt, completion and reasoning add up to it.
    """
    output = count_of(usage, "completion_tokens")
    if not reasoning or output is None:
        return output
    prompt, total = count_of(usage, "prompt_tokens"), count_of(usage, "total_tokens")
    return output + reasoning if prompt is not None and total == prompt + output + reasoning else output


def _cost_usd(cost: Any) -> str | None:
    """Return the cost in USD that OpenRouter (`usage.cost`) and Perplexity (`usage.cost.total_cost`) report."""
    if cost is None:
        return None
    amount: Any = cost.get("total_cost") if isinstance(cost, dict) else cost
    return f"{Decimal(repr(amount)):f}" if type(amount) in {int, float} and amount >= 0 else None


def count_of(fields: Mapping[str, Any], name: str) -> int | None:
    """Return a count, None when the field is absent or no count."""
    value = fields.get(name)
    return value if type(value) is int and value >= 0 else None


def fields_of(holder: Any) -> Mapping[str, Any]:
    """Return the fields of an SDK's object, those included that only newer versions of the SDK know.

    What is inside a field that the SDK does not know arrives as a plain dictionary. (Asking a pydantic model for an
    attribute that it lacks would take 3 us.)
    """
    if holder is None:
        return _NO_FIELDS
    if isinstance(holder, dict):
        return holder
    unknown = getattr(holder, "__pydantic_extra__", None)  # `model_extra`, without the call of a property
    return {**vars(holder), **unknown} if unknown else vars(holder)
