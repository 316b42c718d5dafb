from decimal import Decimal

import pytest

from llmlab import semconv
from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.call import Reading
from llmlab_exporter.span import Value
from normalise.spans import CHAT, call

OURS = "llmlab.instrumentation.openai"


def read(**tags: Value) -> Reading:
    said = {f"llmlab.{key.replace('__', '.')}": value for key, value in tags.items()}
    return call({**CHAT, **said}, scope=OURS).reading


def test_every_field_of_usage_is_read_from_the_attribute_that_carries_it() -> None:
    whole = Usage(**{field: number for number, field in enumerate(semconv.USAGE_ATTRIBUTES, 1)})
    said: dict[str, Value] = {key: getattr(whole, field) for field, key in semconv.USAGE_ATTRIBUTES.items()}
    assert call({**CHAT, **said}, scope=OURS).reading.usage == whole


def test_what_the_provider_says_it_costs_is_read() -> None:
    reading = read(cost__provider_usd="0.00123450")
    assert reading.provider_cost == Decimal("0.0012345")
    assert reading.claimed_cost is None


@pytest.mark.parametrize("cost", ["-1", "nan", "", "a lot", True])
def test_an_impossible_cost_is_none(cost: Value) -> None:
    assert read(cost__provider_usd=cost).provider_cost is None


def test_tags_are_read() -> None:
    reading = read(feature="search", user="u1", run="r7", session="s3", batch=True, tier="batch")
    assert (reading.feature, reading.user, reading.run, reading.session) == ("search", "u1", "r7", "s3")
    assert (reading.batch, reading.tier) == (True, "batch")


@pytest.mark.parametrize(
    ("usage", "tier"),
    [({"llmlab.usage.images": 2}, "hd 1024x1792"), ({"gen_ai.usage.output_tokens": 272}, ""), ({}, "")],
)
def test_quality_and_size_are_the_tier_of_images_that_are_billed_by_the_piece(
    usage: dict[str, Value], tier: str
) -> None:
    silent: dict[str, Value] = {key: value for key, value in CHAT.items() if ".usage." not in key}
    drawn: dict[str, Value] = {"gen_ai.operation.name": "image_generation", "llmlab.tier": "hd 1024x1792", **usage}
    assert call({**silent, **drawn}, scope=OURS).reading.tier == tier


def drawn(**said: Value) -> str:
    silent: dict[str, Value] = {key: value for key, value in CHAT.items() if ".usage." not in key}
    drawn: dict[str, Value] = {"gen_ai.operation.name": "image_generation", "llmlab.usage.images": 1}
    return call({**silent, **drawn, **said}, scope=OURS).reading.tier


@pytest.mark.parametrize(
    ("quality", "size", "tier"),
    [("hd", "1024x1792", "hd 1024x1792"), ("hd", None, "hd"), (None, "512x512", "512x512"), (None, None, "")],
)
def test_quality_and_size_have_attributes_of_their_own(quality: str | None, size: str | None, tier: str) -> None:
    assert drawn(**{"llmlab.image.quality": quality, "llmlab.image.size": size}) == tier


@pytest.mark.parametrize("size", ["1024x1024", "two words"])
def test_they_go_before_a_tier(size: str) -> None:
    assert drawn(**{"llmlab.image.quality": "hd", "llmlab.image.size": "512x512", "llmlab.tier": size}) == "hd 512x512"


@pytest.mark.parametrize(
    ("answered", "asked", "tier"),
    [
        ("medium 1024x1024", None, "medium 1024x1024"),
        ("medium 1024x1024", "high", "medium 1024x1024"),
        ("1024x1024", "high 512x512", "high 1024x1024"),
        ("medium", "1536x864", "medium 1536x864"),
        ("two words", "hd", "two words"),
    ],
)
def test_on_spans_of_older_versions_the_tier_that_was_served_goes_before_the_one_that_was_asked_for(
    answered: str, asked: str | None, tier: str
) -> None:
    assert drawn(**{"openai.response.service_tier": answered, "llmlab.tier": asked}) == tier


def test_without_tags_nothing_is_made_up() -> None:
    assert read() == call(CHAT, scope="opentelemetry.instrumentation.genai.openai").reading


@pytest.mark.parametrize("source", ["reported", "estimated", "partial"])
def test_where_the_usage_comes_from_is_said(source: str) -> None:
    assert read(usage__source=source).usage_source == source


def test_a_source_that_does_not_exist_is_not_believed() -> None:
    assert read(usage__source="dreamt").usage_source == "reported"


@pytest.mark.parametrize(("source", "expected"), [("partial", "partial"), ("reported", None), ("estimated", None)])
def test_a_stream_that_broke_off_is_partial_even_without_usage(source: str, expected: str | None) -> None:
    silent: dict[str, Value] = {key: value for key, value in CHAT.items() if ".usage." not in key}
    found = call({**silent, "llmlab.usage.source": source}, scope=OURS)
    assert (found.reading.usage, found.reading.usage_source) == (NO_USAGE, expected)
    assert found.outcome == ("partial" if expected else "ok")
