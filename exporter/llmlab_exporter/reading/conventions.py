"""The GenAI semantic conventions: https://github.com/open-telemetry/semantic-conventions-genai, as of October 2026.

Only the present names are here; the old ones are for the dialect of those who still write them. The schema URL that a
library declares does not tell which it writes: 1.37.0 is declared beside attributes that are a year younger.
"""

from typing import NamedTuple

from llmlab.usage import NO_USAGE
from llmlab_exporter.call import Reading
from llmlab_exporter.reading.counts import Counts, Table
from llmlab_exporter.reading.operations import INFERENCE, is_billed
from llmlab_exporter.reading.values import named, seconds, text, texts, truth
from llmlab_exporter.span import RawSpan, Value

UNNAMED_ERROR = "_OTHER"
"""What the conventions call an error without `error.type`."""

NEEDLE = "gen_ai."
"""All their attributes begin so."""

MARKERS = (
    "gen_ai.operation.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
)
"""A span that has none of these is not about inference: `gen_ai.conversation.id` alone may be on any span."""

ATTRIBUTES = (
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "server.address",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "gen_ai.response.id",
    "gen_ai.response.finish_reasons",
    "openai.request.service_tier",
    "openai.response.service_tier",
    "gen_ai.request.stream",
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.conversation.id",
    "session.id",
    "user.id",
    "error.type",
)
"""What `read` wants, beside the counts."""

COUNTS: Table = (
    ("gen_ai.usage.input_tokens", "input"),
    ("gen_ai.usage.output_tokens", "output"),
    ("gen_ai.usage.cache_read.input_tokens", "cache_read"),
    ("gen_ai.usage.cache_write.input_tokens", "cache_write"),
    ("gen_ai.usage.reasoning.output_tokens", "reasoning"),
    ("gen_ai.usage.audio.input_tokens", "audio_in"),
    ("gen_ai.usage.audio.output_tokens", "audio_out"),
    ("gen_ai.usage.audio.cache_read.input_tokens", "cache_read_audio"),
    ("gen_ai.usage.image.input_tokens", "image_in"),
    ("gen_ai.usage.image.output_tokens", "image_out"),
    ("gen_ai.usage.image.cache_read.input_tokens", "cache_read_image"),
)


class _Frame(NamedTuple):
    """What calls have in common that are made alike."""

    operation: str
    provider: str
    host: str
    request_model: str
    response_model: str
    tier: str
    error: str
    finish_reason: str
    is_billed: bool | None
    """None where the name of the span decides."""
    is_asked: bool


_FRAME_KEYS = (
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "server.address",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "openai.response.service_tier",
    "openai.request.service_tier",
    "error.type",
    "gen_ai.response.finish_reasons",
)
_FRAMES = 4_096
_FRAME_CHARS = 500
"""Of what a frame says, to be remembered."""


class _Frames(dict[tuple[Value, ...], _Frame]):
    """Frames by the values of `_FRAME_KEYS`. It forgets everything when it is full."""

    def __missing__(self, said: tuple[Value, ...]) -> _Frame:
        frame = _frame(*said)
        if sum(map(len, map(str, said))) <= _FRAME_CHARS:
            if len(self) >= _FRAMES:
                self.clear()
            self[said] = frame
        return frame


_frames = _Frames()


def _frame(
    operation: Value,
    provider: Value,
    host: Value,
    request_model: Value,
    response_model: Value,
    tier: Value,
    asked_tier: Value,
    error: Value,
    finish_reasons: Value,
) -> _Frame:
    named_operation = text(operation)
    asked_model = named(request_model)
    return _Frame(
        operation=named_operation,
        provider=text(provider),
        host=text(host),
        request_model=asked_model,
        response_model=named(response_model),
        tier=text(tier) or text(asked_tier),
        error=text(error),
        finish_reason=texts(finish_reasons),
        is_billed=is_billed(named_operation, "") if named_operation else None,
        is_asked=bool(named_operation) and (bool(asked_model) or named_operation in INFERENCE),
    )


def read(span: RawSpan, counts: Counts) -> Reading | None:
    """Read one span whose counts are read already. None when it is not about inference.

    What a failed call leaves unsaid was not billed: it is billable only if there was an answer or some usage. An
    operation that nobody knows, of no model, is no call either.
    """
    said = span.attributes.get
    values = tuple(map(said, _FRAME_KEYS))
    try:
        frame = _frames[values]
    except TypeError:  # a value that has no hash: a mapping where a text should be
        frame = _frame(*values)
    operation, provider, host, request_model, response_model, tier, error, finish_reason, billed, asked = frame
    response_id = text(said("gen_ai.response.id"))
    usage = counts.usage
    answered = bool(response_id or response_model or counts.flaws) or usage is not NO_USAGE
    if not (answered or operation or request_model):
        return None
    error = error or (UNNAMED_ERROR if span.failed else "")
    if billed is None:
        billed = is_billed(operation, span.name)
    return Reading(  # by position: names take twice as long
        operation,
        billed and (answered or (asked and not error)),
        provider,
        host,
        request_model,
        response_model,
        response_id,
        tier,
        False,
        truth(said("gen_ai.request.stream")),
        usage,
        None if usage is NO_USAGE else "reported",
        error,
        finish_reason,
        seconds(said("gen_ai.response.time_to_first_chunk")),
        user=text(said("user.id")),
        session=text(said("gen_ai.conversation.id")) or text(said("session.id")),
        flaws=counts.flaws,
        usage_spoiled=counts.spoiled,
    )
