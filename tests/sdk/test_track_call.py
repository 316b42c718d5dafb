"""`sdk.track_call`: what is reported becomes a span, and what cannot be meant is refused."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace

import llmlab
from llmlab import sdk
from llmlab.usage import Usage
from sdk.conftest import Spans, attributes


def test_a_call_becomes_a_span(spans: Spans) -> None:
    before_ns = time.time_ns()
    sdk.track_call(
        provider="openai",
        model="gpt-4",
        input_tokens=1000,
        output_tokens=500,
        metadata={"feature": "summarization"},
    )
    (span,) = spans.calls()
    assert attributes(span) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 500,
        "llmlab.usage.source": "reported",
        "llmlab.feature": "summarization",
    }
    assert (span.name, span.kind) == ("chat gpt-4", trace.SpanKind.CLIENT)
    assert span.start_time == span.end_time
    assert before_ns <= (span.end_time or 0) <= time.time_ns()


def test_positional_arguments_mean_the_same(spans: Spans) -> None:
    sdk.track_call("openai", "gpt-4", 1000, 500, {"feature": "f"})
    sdk.track_call(provider="openai", model="gpt-4", input_tokens=1000, output_tokens=500, metadata={"feature": "f"})
    one, other = spans.calls()
    assert attributes(one) == attributes(other)


def test_parts_of_the_totals_go_along(spans: Spans) -> None:
    sdk.track_call("anthropic", "claude-sonnet-4-5", 6000, 300, cache_read=4096, cache_write_1h=500, cache_write=1500)
    found = attributes(spans.calls()[0])
    assert found["gen_ai.usage.cache_read.input_tokens"] == 4096
    assert found["gen_ai.usage.cache_write.input_tokens"] == 1500
    assert found["llmlab.usage.cache_write_1h.input_tokens"] == 500


def test_duration_id_and_tier_go_along(spans: Spans) -> None:
    sdk.track_call("openai", "gpt-4", 1, 1, response_id="chatcmpl-1", tier="flex", duration_s=2.5)
    (span,) = spans.calls()
    assert (span.end_time or 0) - (span.start_time or 0) == 2_500_000_000
    assert attributes(span)["gen_ai.response.id"] == "chatcmpl-1"
    assert attributes(span)["llmlab.tier"] == "flex"


def test_metadata_is_stronger_than_the_block_around(spans: Spans) -> None:
    with llmlab.attribute(feature="outer", user="u1"):
        sdk.track_call("openai", "gpt-4", 1, 1, metadata={"feature": "inner", "team": "core", "bad": object()})
    tags = {name: value for name, value in attributes(spans.calls()[0]).items() if name.startswith("llmlab.")}
    tags.pop("llmlab.usage.source")
    assert tags == {"llmlab.feature": "inner", "llmlab.user": "u1", "llmlab.tag.team": "core"}


def test_zero_is_a_count(spans: Spans) -> None:
    sdk.track_call("openai", "text-embedding-3-small", 10, 0)
    assert attributes(spans.calls()[0])["gen_ai.usage.output_tokens"] == 0


def test_what_is_not_billed_by_tokens_needs_none(spans: Spans) -> None:
    sdk.track_call("openai", "my-art", images=2, tier="hd 1024x1792")
    told = {name: value for name, value in attributes(spans.calls()[0]).items() if ".usage." in name}
    assert told == {"llmlab.usage.images": 2, "llmlab.usage.source": "reported"}
    assert spans.calls()[0].name == "image_generation my-art"


@pytest.mark.parametrize(
    ("report", "problem"),
    [
        (lambda: sdk.track_call("openai", "gpt-4"), "needs input_tokens; 0 says that there were none"),
        (lambda: sdk.track_call("openai", "gpt-4", 1000), "needs output_tokens"),
        (lambda: sdk.track_call("openai", "gpt-4", -1, 5), "input is -1"),
        (lambda: sdk.track_call("openai", "gpt-4", 5, -1), "output is -1"),
        (lambda: sdk.track_call("openai", "gpt-4", 10**12 + 1, 5), "from 0 to 1,000,000,000,000"),
        (lambda: sdk.track_call("openai", "gpt-4", 5, 5, cache_read=6), "cache_read 6 in input 5"),
        (lambda: sdk.track_call("openai", "gpt-4", 5, 5, cache_read=-6), "cache_read is -6"),
        (lambda: sdk.track_call("openai", "gpt-4", 5, 5, cached=6), "cached is no count; there are input, output"),
        (lambda: sdk.track_call("", "gpt-4", 5, 5), "needs the name of a provider, and got ''"),
        (lambda: sdk.track_call("openai", " ", 5, 5), "needs the name of a model"),
        (lambda: sdk.track_call("openai", "gpt-4", 5, 5, duration_s=-1), "time does not run backwards"),
    ],
)
def test_what_cannot_be_meant_is_refused(report: Callable[[], None], problem: str, spans: Spans) -> None:
    with pytest.raises(ValueError, match=problem):
        report()
    assert not spans.calls()


@pytest.mark.parametrize("count", [1.0, "5", True, [5]])
def test_a_count_is_a_whole_number(count: Any, spans: Spans) -> None:
    with pytest.raises(ValueError, match="a count is a whole number"):
        sdk.track_call("openai", "gpt-4", count, 5)
    assert not spans.calls()


def test_every_field_of_usage_can_be_reported(spans: Spans) -> None:
    parts: dict[str, Any] = {field: 0 for field in Usage._fields if field not in {"input", "output"}}
    sdk.track_call("openai", "gpt-4", 5, 5, **parts)
    assert len([name for name in attributes(spans.calls()[0]) if ".usage." in name]) == len(Usage._fields) + 1
