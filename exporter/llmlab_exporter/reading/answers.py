"""What a provider answered, as instrumentations keep it whole: the SDK's object as JSON, or LangChain's result."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple, cast

from llmlab.usage import NO_USAGE
from llmlab_exporter.reading.blobs import NOTHING, Fields, constructed, field_at, fields_of, list_at
from llmlab_exporter.reading.counts import Counts
from llmlab_exporter.reading.native import cost_in, read_native, seller_in
from llmlab_exporter.reading.values import text
from llmlab_exporter.span import Value

_USAGES = ("usage", "usage_metadata", "usageMetadata", "token_usage")
_IDS = ("id", "response_id", "responseId")
_MODELS = ("model", "model_version", "modelVersion", "model_name")
_FINISHES = ("finish_reason", "stop_reason", "finishReason", "stopReason")
_CHOICES = ("choices", "candidates")
_RUN_IDS = ("lc_run-", "run-")
"""Begin the ids that LangChain gives to messages of which it does not know the provider's."""


class Answer(NamedTuple):
    """What is known of an answer; "" and no usage where it does not say."""

    counts: Counts = Counts(NO_USAGE)
    id: str = ""
    model: str = ""
    tier: str = ""
    finish: str = ""
    """Why the model stopped."""
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
    fields = _unwrapped(fields)
    found = next((usage for name in _USAGES if (usage := field_at(fields, name))), NOTHING)
    return Answer(
        counts=read_native(found),
        id=_first(fields, _IDS),
        model=_first(fields, _MODELS),
        tier=text(fields.get("service_tier")) or text(found.get("service_tier")),
        finish=_finish(fields),
        seller=seller_in(found),
        cost=cost_in(found),
    )


def _unwrapped(fields: Fields) -> Fields:
    """Return the answer out of an event of a stream, or out of what a framework made of it."""
    printed = fields.get("raw")
    if isinstance(printed, str) and (raw := constructed(printed)):
        return raw
    event = field_at(fields, "data")
    return event if "choices" in event else fields


def _finish(fields: Fields) -> str:
    """Return why the model stopped, by the words of the provider; "" where it does not say."""
    said = _first(fields, _FINISHES)
    listed = (each for name in _CHOICES for each in list_at(fields, name))
    return said or _first(next(listed, NOTHING), _FINISHES)


def _langchain(result: Fields) -> Answer:
    """Read LangChain's `LLMResult`: the provider's numbers if they are in it, else LangChain's."""
    generation = _first_generation(result)
    message = field_at(generation, "message", "kwargs") or field_at(generation, "message")
    provider = _answer(field_at(message, "response_metadata") or field_at(generation, "generation_info"))
    additional = field_at(message, "additional_kwargs")
    overall = _answer(field_at(result, "llm_output"))
    own = _answer(message)
    known = next((each for each in (provider, overall, own) if each.counts.usage.known), NO_ANSWER)
    return Answer(
        counts=known.counts,
        id=provider.id or overall.id or ("" if own.id.startswith(_RUN_IDS) else own.id),
        model=provider.model or overall.model,
        tier=provider.tier or overall.tier,
        finish=provider.finish or _finish(field_at(generation, "generation_info")) or _finish(additional),
        seller=known.seller,
        cost=known.cost,
    )


def class_of_message(result: Fields) -> tuple[str, ...]:
    """Return the class of the message in a result of LangChain, with its package; empty if there is none."""
    path = field_at(_first_generation(result), "message").get("id")
    return tuple(map(text, cast("Sequence[Value]", path))) if isinstance(path, list | tuple) else ()


def _first_generation(result: Fields) -> Fields:
    prompts = result.get("generations")
    if not isinstance(prompts, list | tuple) or not prompts:
        return NOTHING
    listed = list_at({"generations": prompts[0]}, "generations")
    return listed[0] if listed else NOTHING


def _first(fields: Fields, names: tuple[str, ...]) -> str:
    return next(filter(None, (text(fields.get(name)) for name in names)), "")
