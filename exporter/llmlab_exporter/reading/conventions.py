"""The GenAI semantic conventions: https://github.com/open-telemetry/semantic-conventions-genai, as of October 2026.

Only the present names are here; the old ones are for the dialect of those who still write them. The schema URL that a
library declares does not tell which it writes: 1.37.0 is declared beside attributes that are a year younger.
"""

from llmlab.usage import NO_USAGE
from llmlab_exporter.call import Reading
from llmlab_exporter.reading.counts import Counts, Table
from llmlab_exporter.reading.operations import INFERENCE, is_billed
from llmlab_exporter.reading.values import named, seconds, text, texts, truth
from llmlab_exporter.span import RawSpan

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


def read(span: RawSpan, counts: Counts) -> Reading | None:
    """Read one span whose counts are read already. None when it is not about inference.

    What a failed call leaves unsaid was not billed: it is billable only if there was an answer or some usage. An
    operation that nobody knows, of no model, is no call either.
    """
    said = span.attributes.get
    operation = text(said("gen_ai.operation.name"))
    request_model = named(said("gen_ai.request.model"))
    response_model = named(said("gen_ai.response.model"))
    response_id = text(said("gen_ai.response.id"))
    usage = counts.usage
    answered = bool(response_id or response_model or counts.flaws) or usage is not NO_USAGE
    if not (answered or operation or request_model):
        return None
    error = text(said("error.type")) or (UNNAMED_ERROR if span.failed else "")
    asked = bool(operation) and (bool(request_model) or operation in INFERENCE)
    return Reading(
        operation=operation,
        billable=is_billed(operation, span.name) and (answered or (asked and not error)),
        provider=text(said("gen_ai.provider.name")),
        host=text(said("server.address")),
        request_model=request_model,
        response_model=response_model,
        response_id=response_id,
        tier=text(said("openai.response.service_tier")) or text(said("openai.request.service_tier")),
        stream=truth(said("gen_ai.request.stream")),
        usage=usage,
        usage_source=None if usage is NO_USAGE else "reported",
        error=error,
        finish_reason=texts(said("gen_ai.response.finish_reasons")),
        first_chunk_s=seconds(said("gen_ai.response.time_to_first_chunk")),
        user=text(said("user.id")),
        session=text(said("gen_ai.conversation.id")) or text(said("session.id")),
        flaws=counts.flaws,
        usage_spoiled=counts.spoiled,
    )
