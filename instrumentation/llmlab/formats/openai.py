"""OpenAI's chat format, which many SDKs and hosts speak: usage, completions, and the chunks of a stream.

Sources: the types of `openai` 3.52 (`CompletionUsage`, `ChatCompletion`, `ChatCompletionChunk`), and what is said at
each exception below. Read 2026-11-20.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from llmlab.capture.faults import READ_CHUNK, note
from llmlab.capture.streams import source_of
from llmlab.counts import NO_COUNTS, Counts, usage_of
from llmlab.providers import LoopingReader, Reply
from llmlab.semconv import USAGE_ATTRIBUTES
from llmlab.usage import Usage

if TYPE_CHECKING:
    from llmlab.capture.recording import Recording

_NO_FIELDS: Mapping[str, Any] = {}

_SEVERAL = 2
_INPUT, _OUTPUT, _REASONING = (USAGE_ATTRIBUTES[field] for field in ("input", "output", "reasoning"))
_CACHE_READ, _CACHE_WRITE, _AUDIO_IN, _IMAGE_IN, _AUDIO_OUT = (
    USAGE_ATTRIBUTES[field] for field in ("cache_read", "cache_write", "audio_in", "image_in", "audio_out")
)


def read_completion(completion: Any) -> Reply:
    """Read a chat completion, or an embeddings response."""
    fields = fields_of(completion)
    reasons: list[str] = []
    for choice in fields.get("choices") or ():
        reason = fields_of(choice).get("finish_reason")
        if reason:
            reasons.append(reason)
    return _reply(fields, tuple(reasons), fields.get("usage"))


class ChatChunks:
    """Reads the chunks of a streamed chat completion. Usage is accepted on any chunk, and the last one wins."""

    __slots__ = ("_hide_usage", "_last", "_reasons", "_usage")

    def __init__(self, *, hide_usage: bool) -> None:
        """`hide_usage`: the stream reports its usage only because we asked, so the caller must see no trace of it."""
        self._hide_usage = hide_usage
        self._last: Any = None
        self._reasons: dict[int, str] = {}
        self._usage: Any = None

    def read(self, chunk: Any) -> bool:
        """Take note of a chunk."""
        self._last = chunk
        self._read_reasons(chunk)
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
        if not self._reasons:  # a loop of its own may leave that to the end
            self._read_reasons(self._last)
        fields, reasons = fields_of(self._last), self._reasons
        in_order = reasons.values() if len(reasons) < _SEVERAL else [reasons[index] for index in sorted(reasons)]
        # Some hosts count on every chunk, but a chunk of nothing but usage is always the last one.
        is_over = fields.get("usage") is not None and not fields.get("choices")
        return _reply(fields, tuple(in_order), self._usage, True if is_over else None)

    def _read_reasons(self, chunk: Any) -> None:
        """Take note of the finish reasons on a chunk. It raises nothing: usage is worth more than a reason."""
        choices: Any = getattr(chunk, "choices", None)
        if type(choices) is list:
            for choice in choices:
                reason = getattr(choice, "finish_reason", None)
                if reason is not None:
                    self._reasons[getattr(choice, "index", 0)] = reason


class PlainChatChunks(ChatChunks, LoopingReader):
    """Reads the chunks of hosts that put nothing beside what OpenAI puts there, with one choice to a chunk at most."""

    __slots__ = ()

    def pass_on(self, stream: Iterable[Any], recording: "Recording") -> Iterator[Any]:
        """Yield the chunks that the caller may see. Only those that report something are worth a call of `read`."""
        is_fresh, asked_by_us = True, self._hide_usage
        try:
            for chunk in source_of(stream):
                if is_fresh:
                    is_fresh = False
                    recording.first_chunk()
                try:
                    if chunk.usage is None and (choices := chunk.choices) and choices[0].finish_reason is None:
                        self._last = chunk
                        if asked_by_us:
                            chunk.model_fields_set.discard("usage")
                    elif self.read(chunk):
                        continue
                except Exception as error:  # noqa: BLE001 - noted; a Guard would cost more than the reading
                    note(error, READ_CHUNK)
                yield chunk
        except BaseException as error:
            recording.settle_stream(error=error)
            raise
        recording.settle_stream(complete=True)


class OpenAIChatChunks(ChatChunks, LoopingReader):
    """Reads OpenAI's own chunks: after the one with the finish reason comes nothing but the usage.

    That spares looking for it on each chunk. Elsewhere more may come: Azure's content filter speaks last.
    """

    __slots__ = ()

    def pass_on(self, stream: Iterable[Any], recording: "Recording") -> Iterator[Any]:
        """Yield the chunks that the caller may see. All before the one with the usage are alike."""
        is_fresh, asked_by_us = True, self._hide_usage
        try:
            for chunk in source_of(stream):
                if is_fresh:
                    is_fresh = False
                    recording.first_chunk()
                try:
                    if chunk.usage is None:
                        self._last = chunk
                        if asked_by_us:
                            chunk.model_fields_set.discard("usage")
                    else:
                        before, hidden = self._last, self.read(chunk)
                        self._read_reasons(before)
                        if hidden:
                            continue
                except Exception as error:  # noqa: BLE001 - as above
                    note(error, READ_CHUNK)
                yield chunk
        except BaseException as error:
            recording.settle_stream(error=error)
            raise
        recording.settle_stream(complete=True)


def _reply(fields: Mapping[str, Any], finish_reasons: tuple[str, ...], usage: Any, ended: bool | None = None) -> Reply:
    used = fields_of(usage)
    counts = read_counts(used) if used else NO_COUNTS
    cost_usd = _cost_usd(used["cost"]) if "cost" in used else None
    return Reply(
        fields.get("model"), fields.get("id"), finish_reasons, counts, fields.get("service_tier"), cost_usd, ended
    )


def read_usage(usage: Any) -> Usage:
    """Convert OpenAI's usage: cached, audio and image tokens inside the prompt, reasoning inside the completion."""
    return usage_of(read_counts(fields_of(usage)))


def read_counts(usage: Mapping[str, Any]) -> Counts:
    """Read what `read_usage` does from the fields of a usage."""
    asked = fields_of(usage.get("prompt_tokens_details"))
    answered = fields_of(usage.get("completion_tokens_details"))
    counts: dict[str, int] = {}
    for name, count in (
        (_INPUT, usage.get("prompt_tokens")),
        (_OUTPUT, usage.get("completion_tokens")),
        (_CACHE_READ, asked.get("cached_tokens")),
        (_CACHE_WRITE, asked.get("cache_write_tokens")),
        (_AUDIO_IN, asked.get("audio_tokens")),
        (_IMAGE_IN, asked.get("image_tokens")),
        (_REASONING, answered.get("reasoning_tokens")),
        (_AUDIO_OUT, answered.get("audio_tokens")),
    ):
        if type(count) is int and count >= 0:
            counts[name] = count  # noqa: PERF403 - a comprehension would be one call more
    reasoning = counts.get(_REASONING)
    # xAI has counted reasoning beside the completion, where everybody else counts it inside. The total gives it away:
    # prompt, completion and reasoning add up to it.
    if reasoning and _INPUT in counts and _OUTPUT in counts:
        together = counts[_OUTPUT] + reasoning
        if usage.get("total_tokens") == counts[_INPUT] + together:
            counts[_OUTPUT] = together
    return counts


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
