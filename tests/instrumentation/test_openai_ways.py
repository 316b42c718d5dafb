"""However the caller makes the call: exact usage on one span, and nothing changed for the caller."""

import asyncio
import json
from typing import Any

import openai
import pytest

from fake_provider.testing import FakeProvider
from instrumentation.cells import Cells, every_failure, every_stream, every_way
from instrumentation.reading import Way, leave_early
from instrumentation.spans import Spans
from instrumentation.ways import WAYS, continued, continued_streamed, plain, streamed, streamed_choices
from llmlab.instrumentor import LLMLabInstrumentor

DICTATED = {
    "prompt_tokens": 1873,
    "completion_tokens": 317,
    "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 512, "audio_tokens": 7, "image_tokens": 9},
    "completion_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 5},
}
"""Every count that the API knows, each one different, so that none can pass for another."""

CLIENTS = (openai.OpenAI, openai.AsyncOpenAI)
CELLS = Cells("openai", WAYS, CLIENTS, "kind")
AZURE = Cells(
    "openai",
    (plain, streamed, continued, continued_streamed),
    (openai.AzureOpenAI, openai.AsyncAzureOpenAI),
    "kind",
    at="Azure",
)


def call(kind: type[Any], url: str, way: Way, **options: Any) -> Any:
    if "Azure" in kind.__name__:
        address = {"azure_endpoint": url, "azure_deployment": "prod-gpt-4o", "api_version": "2024-10-21"}
    else:
        address = {"base_url": f"{url}/v1"}
    headers = {"x-fake-usage": json.dumps(DICTATED)} if "embed" not in way.__name__ else {}

    async def run() -> Any:
        client = kind(**address, api_key="fake", max_retries=0, default_headers=headers | options)
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


@every_way(CELLS, AZURE)
def test_the_span_carries_what_the_provider_billed(
    kind: type[Any], way: Way, provider: FakeProvider, instrumentor: LLMLabInstrumentor, spans: Spans
) -> None:
    call(kind, provider.url, way)
    attributes = spans.attributes()
    assert spans.usage() == billed(provider)
    assert attributes["llmlab.usage.source"] == "reported"
    assert attributes["gen_ai.response.model"] == provider.requests[0].model
    assert attributes.get("openai.response.service_tier") == provider.requests[0].tier


@every_stream(CELLS, AZURE)
def test_a_stream_that_is_left_early_is_partial(
    kind: type[Any], way: Way, provider: FakeProvider, instrumentor: LLMLabInstrumentor, spans: Spans
) -> None:
    leave_early(call, kind, provider.url, way)
    assert spans.is_partial()
    assert not spans.usage()  # OpenAI reports it at the end


@every_failure(CELLS, AZURE)
def test_a_call_that_fails_has_no_usage(
    kind: type[Any], way: Way, provider: FakeProvider, instrumentor: LLMLabInstrumentor, spans: Spans
) -> None:
    with pytest.raises(openai.RateLimitError) as raised:
        call(kind, provider.url, way, **{"x-fake-behaviour": "error-429"})
    assert spans.is_refused(raised.value)


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_caller_sees_what_it_would_see_without_us(
    kind: type[Any], way: Way, provider: FakeProvider, instrumentor: LLMLabInstrumentor
) -> None:
    instrumented = call(kind, provider.url, way)
    instrumentor.uninstrument()
    assert instrumented == call(kind, provider.url, way)


def test_the_usage_was_asked_for_in_that_comparison(provider: FakeProvider, instrumentor: LLMLabInstrumentor) -> None:
    call(openai.OpenAI, provider.url, streamed)
    instrumentor.uninstrument()
    call(openai.OpenAI, provider.url, streamed)
    with_us, without_us = (request.body for request in provider.requests)
    assert with_us.pop("stream_options") == {"include_usage": True}
    assert with_us == without_us


@pytest.mark.parametrize("kind", CLIENTS)
def test_all_choices_report_why_they_ended(
    kind: type[Any], provider: FakeProvider, instrumentor: LLMLabInstrumentor, spans: Spans
) -> None:
    call(kind, provider.url, streamed_choices)
    assert spans.attributes()["gen_ai.response.finish_reasons"] == ("stop", "stop", "stop")
    assert spans.attributes()["gen_ai.request.choice.count"] == 3
