"""Claude Code's spans of its requests: bare attribute names, cached tokens beside the input. From its documentation."""

from llmlab.usage import NO_USAGE
from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, spellings
from llmlab_exporter.reading.counts import Table, keys, read_counts, with_cache_inside
from llmlab_exporter.reading.values import seconds, text, truth
from llmlab_exporter.span import RawSpan, Scope

_SPAN = "claude_code.llm_request"
_COUNTS: Table = (
    ("input_tokens", "input"),
    ("output_tokens", "output"),
    ("cache_read_tokens", "cache_read"),
    ("cache_creation_tokens", "cache_write"),
)
_MODELS = ("gen_ai.request.model", "model")
_IDS = ("gen_ai.response.id", "request_id")
_FINISH = "stop_reason"
_FIRST_CHUNK_MS = "ttft_ms"


def read(span: RawSpan, _scope: Scope) -> Reading | None:
    """Read one span. None for all but requests to the model."""
    if span.name != _SPAN:
        return None
    said = span.attributes
    counts = read_counts(_COUNTS, said)
    usage = with_cache_inside(counts.usage)
    failed = span.failed or truth(said.get("success")) is False
    error = text(said.get("error.type")) or (conventions.UNNAMED_ERROR if failed else "")
    first_chunk_ms = seconds(said.get(_FIRST_CHUNK_MS))
    return Reading(
        operation="chat",
        billable=usage is not NO_USAGE or bool(counts.flaws) or not error,
        provider=text(said.get("gen_ai.system")) or "anthropic",
        request_model=spellings.first_text(said, _MODELS),
        response_model=text(said.get("gen_ai.response.model")),
        response_id=spellings.first_text(said, _IDS),
        usage=usage,
        usage_source=None if usage is NO_USAGE else "reported",
        error=error,
        finish_reason=text(said.get(_FINISH)),
        first_chunk_s=None if first_chunk_ms is None else first_chunk_ms / 1000,
        user=text(said.get("user.id")),
        session=text(said.get("session.id")),
        flaws=counts.flaws,
        usage_spoiled=counts.spoiled,
    )


DIALECT = Dialect(
    name="claude_code",
    scopes=("com.anthropic.claude_code",),
    markers=("cache_read_tokens", "cache_creation_tokens"),
    rank=40,
    needles=(_SPAN,),
    attributes=(
        *keys(_COUNTS),
        *_MODELS,
        *_IDS,
        "gen_ai.system",
        "gen_ai.response.model",
        _FINISH,
        _FIRST_CHUNK_MS,
        "success",
        "error.type",
        "user.id",
        "session.id",
    ),
    read=read,
)
