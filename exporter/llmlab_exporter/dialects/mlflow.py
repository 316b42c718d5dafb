"""MLflow's tracing.

Every attribute is JSON, texts included. The usage contains the cached tokens; the provider's own is in the outputs. A
framework and the SDK below it are recorded under one scope, and told apart by the format of their messages. Recorded:
3.17.2 with OpenAI, Anthropic and LangChain.
"""

import json

from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, doubts, spellings
from llmlab_exporter.reading.answers import Answer, read_answer
from llmlab_exporter.reading.blobs import Fields, fields_of
from llmlab_exporter.reading.counts import Counts, Table, agree, completed, read_counts
from llmlab_exporter.reading.gaps import with_conventions
from llmlab_exporter.reading.values import amount_usd, named, text
from llmlab_exporter.span import RawSpan, Scope, Value

_TYPE = "mlflow.spanType"
_OPERATIONS = {"CHAT_MODEL": "chat", "LLM": "chat", "EMBEDDING": "embeddings"}
"""By type of span; agents, chains, tools, retrievers, parsers and rerankers of documents are no model calls."""
_USAGE = "mlflow.chat.tokenUsage"
_OUTPUTS = "mlflow.spanOutputs"
_MODEL = "mlflow.llm.model"
_REQUEST_MODEL = "model"
_PROVIDER = "mlflow.llm.provider"
_FORMAT = "mlflow.message.format"
_COST = "mlflow.llm.cost"

_COUNTS: Table = (
    ("input_tokens", "input"),
    ("output_tokens", "output"),
    ("cache_read_input_tokens", "cache_read"),
    ("cache_creation_input_tokens", "cache_write"),
    ("cache_creation_input_tokens_above_1hr", "cache_write_1h"),
)


def read(span: RawSpan, _scope: Scope) -> Reading | None:
    """Read one span. None for the types that are no model calls."""
    said = span.attributes
    operation = _OPERATIONS.get(_unquoted(said.get(_TYPE)))
    if operation is None:
        return None
    usage = fields_of(said.get(_USAGE))
    answer = read_answer(said.get(_OUTPUTS))
    counts = _counts(usage, answer)
    error = text(said.get("error.type")) or (conventions.UNNAMED_ERROR if span.failed else "")
    answered = bool(answer.id or counts.flaws) or counts.usage.known
    reading = Reading(
        operation=operation,
        billable=answered or not error,
        provider=answer.seller or _unquoted(said.get(_PROVIDER)),
        request_model=_unquoted(said.get(_REQUEST_MODEL)),
        response_model=answer.model or _unquoted(said.get(_MODEL)),
        response_id=answer.id,
        tier=answer.tier,
        usage=counts.usage,
        usage_source="reported" if counts.usage.known else None,
        error=error,
        finish_reason=answer.finish,
        provider_cost=answer.cost,
        claimed_cost=amount_usd(fields_of(said.get(_COST)).get("total_cost")),
        user=_unquoted(said.get("user.id")),
        session=_unquoted(said.get("session.id")),
        flaws=counts.flaws,
        usage_spoiled=counts.spoiled,
        layer=_unquoted(said.get(_FORMAT)),
    )
    reading = doubts.with_doubtful_input(reading, {spellings.TOTALS[0]: usage.get("total_tokens")})
    return with_conventions(reading, span)


def _counts(said: Fields, answer: Answer) -> Counts:
    """Return what the provider counted, if that is what MLflow made of it; else MLflow's."""
    own = read_counts(_COUNTS, said)
    usage, native = own.usage, answer.counts.usage
    if usage.cache_write and usage.cache_write_1h:
        usage = usage._replace(cache_write_5m=max(usage.cache_write - usage.cache_write_1h, 0))
    if native.known and (agree(native, usage) or not usage.known):
        return answer.counts._replace(usage=completed(native, usage))
    return own._replace(usage=usage)


def _unquoted(value: Value) -> str:
    """Return a text that was written as JSON; one that was not, as it is."""
    said = text(value)
    if not said.startswith('"'):
        return named(said)
    try:
        return named(json.loads(said))
    except ValueError:
        return named(said)


DIALECT = Dialect(
    name="mlflow",
    scopes=("mlflow",),
    markers=(_TYPE, _USAGE),
    rank=22,
    needles=("mlflow.spanType",),
    attributes=(
        *spellings.ATTRIBUTES,
        _TYPE,
        _USAGE,
        _OUTPUTS,
        _MODEL,
        _REQUEST_MODEL,
        _PROVIDER,
        _FORMAT,
        _COST,
    ),
    read=read,
)
