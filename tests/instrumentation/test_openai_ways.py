"""However the caller makes the call: exact usage on one span, and nothing changed for the caller."""

import asyncio
import json
from typing import Any

import openai
import pytest

from fake_provider.testing import FakeProvider
from instrumentation.spans import Spans
from instrumentation.ways import WAYS, Way, streamed, streamed_choices
from llmlab.instrumentor import LLMLabInstrumentor

DICTATED = {
    "prompt_tokens": 1873,
    "completion_tokens": 317,
    "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 512, "audio_tokens": 7, "image_tokens": 9},
    "completion_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 5},
}
"""Every count that the API knows, each one different, so that none can pass for another."""

CLIENTS = (openai.OpenAI, openai.AsyncOpenAI)


def call(kind: type[Any], url: str, way: Way) -> Any:
    async def run() -> Any:
        headers = {"x-fake-usage": json.dumps(DICTATED)} if "embed" not in way.__name__ else {}
        client = kind(base_url=url, api_key="fake", max_retries=0, default_headers=headers)
        try:
            return await way(client)
        finally:
            closed = client.close()
            if closed is not None:
                await closed

    return asyncio.run(run())


def billed(provider: FakeProvider) -> dict[str, int]:
    """Return what the provider billed for the only request, under the names of the conventions."""
    (request,) = provider.requests
    usage = request.usage
    assert usage is not None
    prompt, completion = usage.get("prompt_tokens_details", {}), usage.get("completion_tokens_details", {})
    counts = {
        "gen_ai.usage.input_tokens": usage.get("prompt_tokens"),
        "gen_ai.usage.output_tokens": usage.get("completion_tokens"),
        "gen_ai.usage.cache_read.input_tokens": prompt.get("cached_tokens"),
        "gen_ai.usage.cache_write.input_tokens": prompt.get("cache_write_tokens"),
        "gen_ai.usage.audio.input_tokens": prompt.get("audio_tokens"),
        "gen_ai.usage.image.input_tokens": prompt.get("image_tokens"),
        "gen_ai.usage.reasoning.output_tokens": completion.get("reasoning_tokens"),
        "gen_ai.usage.audio.output_tokens": completion.get("audio_tokens"),
    }
    return {name: count for name, count in counts.items() if count is not None}


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_span_carries_what_the_provider_billed(
    kind: type[Any], way: Way, provider: FakeProvider, instrumentor: LLMLabInstrumentor, spans: Spans
) -> None:
    call(kind, provider.openai_url, way)
    attributes = spans.attributes()
    assert spans.usage() == billed(provider)
    assert attributes["llmlab.usage.source"] == "reported"
    assert attributes["gen_ai.response.model"] == provider.requests[0].model
    assert attributes.get("openai.response.service_tier") == provider.requests[0].tier


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_caller_sees_what_it_would_see_without_us(
    kind: type[Any], way: Way, provider: FakeProvider, instrumentor: LLMLabInstrumentor
) -> None:
    instrumented = call(kind, provider.openai_url, way)
    instrumentor.uninstrument()
    assert instrumented == call(kind, provider.openai_url, way)


def test_the_usage_was_asked_for_in_that_comparison(provider: FakeProvider, instrumentor: LLMLabInstrumentor) -> None:
    call(openai.OpenAI, provider.openai_url, streamed)
    instrumentor.uninstrument()
    call(openai.OpenAI, provider.openai_url, streamed)
    with_us, without_us = (request.body for request in provider.requests)
    assert with_us.pop("stream_options") == {"include_usage": True}
    assert with_us == without_us


@pytest.mark.parametrize("kind", CLIENTS)
def test_all_choices_report_why_they_ended(
    kind: type[Any], provider: FakeProvider, instrumentor: LLMLabInstrumentor, spans: Spans
) -> None:
    call(kind, provider.openai_url, streamed_choices)
    assert spans.attributes()["gen_ai.response.finish_reasons"] == ("stop", "stop", "stop")
    assert spans.attributes()["gen_ai.request.choice.count"] == 3
