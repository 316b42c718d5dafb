"""However the caller makes the call: exact usage on one span, and nothing changed for the caller."""

import asyncio
import json
from typing import Any

import anthropic
import pytest
from anthropic.lib.bedrock import AnthropicBedrock, AsyncAnthropicBedrock
from anthropic.lib.vertex import AnthropicVertex, AsyncAnthropicVertex

from fake_provider.testing import FakeProvider
from instrumentation.anthropic_ways import WAYS, plain, streamed
from instrumentation.cells import Cells, every_failure, every_stream, every_way
from instrumentation.reading import Way, have, leave_early
from instrumentation.spans import Spans
from llmlab.instrumentor import LLMLabInstrumentor

DICTATED = {
    "input_tokens": 211,
    "cache_creation_input_tokens": 1500,
    "cache_read_input_tokens": 4096,
    "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 500},
    "output_tokens": 389,
    "output_tokens_details": {"thinking_tokens": 128},
    "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 2},
    "service_tier": "priority",
}
"""Every count that the API knows, each one different, so that none can pass for another."""

EXPECTED = {
    "gen_ai.usage.input_tokens": 211 + 1500 + 4096,
    "gen_ai.usage.output_tokens": 389,
    "gen_ai.usage.cache_read.input_tokens": 4096,
    "gen_ai.usage.cache_write.input_tokens": 1500,
    "llmlab.usage.cache_write_5m.input_tokens": 1000,
    "llmlab.usage.cache_write_1h.input_tokens": 500,
    "gen_ai.usage.reasoning.output_tokens": 128,
    "llmlab.usage.web_searches": 3,
}

EARLY = {
    "gen_ai.usage.input_tokens": 105 + 1500 + 4096,
    "gen_ai.usage.output_tokens": 1,
    "gen_ai.usage.cache_read.input_tokens": 4096,
    "gen_ai.usage.cache_write.input_tokens": 1500,
    "llmlab.usage.cache_write_5m.input_tokens": 1000,
    "llmlab.usage.cache_write_1h.input_tokens": 500,
}
"""What a stream reports at its start, before its web searches come on top."""

CLIENTS = (anthropic.Anthropic, anthropic.AsyncAnthropic)
CELLS = Cells("anthropic", WAYS, CLIENTS, "kind")
BEDROCK = Cells("anthropic", (plain, streamed), (AnthropicBedrock, AsyncAnthropicBedrock), "kind", at="Amazon Bedrock")
VERTEX = Cells("anthropic", (plain, streamed), (AnthropicVertex, AsyncAnthropicVertex), "kind", at="Vertex AI")


def connect(kind: type[Any], provider: FakeProvider, **options: Any) -> Any:
    if "Bedrock" in kind.__name__:
        credentials = {"aws_access_key": "fake", "aws_secret_key": "fake", "aws_region": "eu-west-1"}
        return kind(base_url=provider.anthropic_bedrock_url, **credentials, **options)
    if "Vertex" in kind.__name__:
        project = {"access_token": "fake", "region": "europe-west1", "project_id": "p"}
        return kind(base_url=provider.anthropic_vertex_url, **project, **options)
    return kind(base_url=provider.anthropic_url, api_key="fake", **options)


def call(kind: type[Any], provider: FakeProvider, way: Way, **headers: str) -> Any:
    async def run() -> Any:
        dictated = {"x-fake-usage": json.dumps(DICTATED)}
        client = connect(kind, provider, max_retries=0, default_headers=dictated | headers)
        try:
            return await way(client)
        finally:
            await have(client.close())

    return asyncio.run(run())


@every_way(CELLS, BEDROCK, VERTEX)
def test_the_span_carries_what_the_provider_billed(
    kind: type[Any], way: Way, provider: FakeProvider, instrumentor: LLMLabInstrumentor, spans: Spans
) -> None:
    call(kind, provider, way)
    attributes = spans.attributes()
    (request,) = provider.requests
    assert request.usage is not None
    assert DICTATED.items() <= request.usage.items()
    assert spans.usage() == EXPECTED
    assert attributes["llmlab.usage.source"] == "reported"
    assert attributes["llmlab.tier"] == "priority"
    assert attributes["gen_ai.response.model"] == request.model
    assert attributes["gen_ai.response.finish_reasons"] == ("end_turn",)


@every_stream(CELLS, BEDROCK, VERTEX)
def test_a_stream_that_is_left_early_is_partial(
    kind: type[Any], way: Way, provider: FakeProvider, instrumentor: LLMLabInstrumentor, spans: Spans
) -> None:
    leave_early(call, kind, provider, way)
    assert spans.is_partial()
    assert spans.usage() == EARLY


@every_failure(CELLS, BEDROCK, VERTEX)
def test_a_call_that_fails_has_no_usage(
    kind: type[Any], way: Way, provider: FakeProvider, instrumentor: LLMLabInstrumentor, spans: Spans
) -> None:
    with pytest.raises(anthropic.RateLimitError) as raised:
        call(kind, provider, way, **{"x-fake-behaviour": "error-429"})
    assert spans.is_refused(raised.value)


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_caller_sees_what_it_would_see_without_us(
    kind: type[Any], way: Way, provider: FakeProvider, instrumentor: LLMLabInstrumentor
) -> None:
    instrumented = call(kind, provider, way)
    instrumentor.uninstrument()
    assert instrumented == call(kind, provider, way)
    with_us, without_us = (request.body for request in provider.requests)
    assert with_us == without_us
