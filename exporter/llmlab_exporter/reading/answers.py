"""What a provider answered, as instrumentations keep it whole: the SDK's object as JSON, or LangChain's result."""

from decimal import Decimal
from typing import NamedTuple

from llmlab.usage import NO_USAGE
from llmlab_exporter.reading.blobs import NOTHING, Fields, field_at, fields_of, list_at
from llmlab_exporter.reading.counts import Counts
from llmlab_exporter.reading.native import cost_in, read_native, seller_in
from llmlab_exporter.reading.values import text
from llmlab_exporter.span import Value

_USAGES = ("usage", "usage_metadata", "usageMetadata", "token_usage")
_IDS = ("id", "response_id", "responseId")
_MODELS = ("model", "model_version", "modelVersion", "model_name")
_RUN_ID = "lc_run"
"""Begins the ids that LangChain gives to messages of which it does not know the provider's."""


class Answer(NamedTuple):
    """What is known of an answer; "" and no usage where it does not say."""

    counts: Counts = Counts(NO_USAGE)
    id: str = ""
    model: str = ""
    tier: str = ""
    seller: str = ""
    cost: Decimal | None = None
    """USD that the provider itself charged."""


NO_ANSWER = Answer()


def read_answer(blob: Value) -> Answer:
    """Read an attribute that carries an answer; `NO_ANSWER` if it carries none."""
    fields = fields_of(blob)
    if not fields:
        return NO_ANSWER
    return _langchain(fields) if "generations" in fields else _answer(fields)


def _answer(fields: Fields) -> Answer:
    found = next((usage for name in _USAGES if (usage := field_at(fields, name))), NOTHING)
    return Answer(
        counts=read_native(found),
        id=_first(fields, _IDS),
        model=_first(fields, _MODELS),
        tier=text(fields.get("service_tier")) or text(found.get("service_tier")),
        seller=seller_in(found),
        cost=cost_in(found),
    )


def _langchain(result: Fields) -> Answer:
    """Read LangChain's `LLMResult`: the provider's numbers if they are in it, else LangChain's."""
    generation = _first_generation(result)
    message = field_at(generation, "message", "kwargs") or field_at(generation, "message")
    provider = _answer(field_at(message, "response_metadata") or field_at(generation, "generation_info"))
    overall = _answer(field_at(result, "llm_output"))
    own = _answer(message)
    known = next((each for each in (provider, overall, own) if each.counts.usage.known), NO_ANSWER)
    return Answer(
        counts=known.counts,
        id=provider.id or overall.id or ("" if own.id.startswith(_RUN_ID) else own.id),
        model=provider.model or overall.model,
        tier=provider.tier or overall.tier,
        seller=known.seller,
        cost=known.cost,
    )


def _first_generation(result: Fields) -> Fields:
    prompts = result.get("generations")
    if not isinstance(prompts, list | tuple) or not prompts:
        return NOTHING
    listed = list_at({"generations": prompts[0]}, "generations")
    return listed[0] if listed else NOTHING


def _first(fields: Fields, names: tuple[str, ...]) -> str:
    return next(filter(None, (text(fields.get(name)) for name in names)), "")
