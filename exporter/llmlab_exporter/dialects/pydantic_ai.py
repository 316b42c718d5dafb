"""Pydantic AI.

It follows the conventions. `gen_ai.usage.details.*` has parts under the names of its own usage object; the sums that an
agent's span carries are called `gen_ai.aggregated_usage.*` since 2.0, and before that like those of a call.
Recorded: 0.2.12, 1.0.10 and 2.68.0.
"""

from llmlab.usage import NO_USAGE
from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, doubts, spellings
from llmlab_exporter.reading.counts import Table, completed, keys, read_counts, with_cache_inside
from llmlab_exporter.span import RawSpan, Scope

_DETAILS: Table = (
    # as Anthropic says them: cached tokens beside the input
    ("gen_ai.usage.details.input_tokens", "input"),
    ("gen_ai.usage.details.output_tokens", "output"),
    ("gen_ai.usage.details.cache_read_input_tokens", "cache_read"),
    ("gen_ai.usage.details.cache_creation_input_tokens", "cache_write"),
)
_TWICE = "the first and the last event of an Anthropic stream are added up, though each has the whole input"
_AGENT_SPANS = ("agent run", "invoke_agent")


def read(span: RawSpan, scope: Scope) -> Reading | None:
    """Read one span."""
    reading = spellings.read(span)
    if reading is None:
        return None
    if span.name.startswith(_AGENT_SPANS):
        return reading._replace(billable=False)
    if reading.usage.input is None:
        said = with_cache_inside(read_counts(_DETAILS, span.attributes).usage)
        usage = completed(said, reading.usage)
        reading = reading._replace(
            usage=usage if usage.known else NO_USAGE, usage_source="reported" if usage.known else None
        )
    usage = reading.usage
    if usage.cache_write and usage.cache_write_1h and usage.cache_write_5m is None:
        rest = max(usage.cache_write - usage.cache_write_1h, 0)
        reading = reading._replace(usage=usage._replace(cache_write_5m=rest))
    if _is_counted_twice(reading, scope):
        reading = reading._replace(usage_source="estimated", usage_spoiled=True, flaws=(*reading.flaws, _TWICE))
    return doubts.with_untold_cache(doubts.with_doubtful_input(reading, span.attributes), span.attributes)


def _is_counted_twice(reading: Reading, scope: Scope) -> bool:
    """Whether this is a stream of Anthropic before 1.0, which knows only the model that was asked for."""
    unconfirmed = reading.response_model in ("", reading.request_model)
    early = scope.version.startswith("0.") or not scope.version
    return early and reading.provider == "anthropic" and unconfirmed and reading.usage.known and not reading.response_id


DIALECT = Dialect(
    name="pydantic_ai",
    scopes=("pydantic-ai", "pydantic_ai"),
    markers=("model_request_parameters",),
    rank=50,
    needles=(conventions.NEEDLE,),
    attributes=(*spellings.ATTRIBUTES, *keys(_DETAILS)),
    read=read,
)
