"""However the caller makes the call: exact usage on one span, and nothing changed for the caller."""

import asyncio
import json
from typing import Any

import anthropic
import pytest

from fake_provider.testing import FakeProvider
from instrumentation.anthropic_ways import WAYS
from instrumentation.spans import Spans
from instrumentation.ways import Way, have
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

CLIENTS = (anthropic.Anthropic, anthropic.AsyncAnthropic)


def call(kind: type[Any], url: str, way: Way) -> Any:
    async def run() -> Any:
        headers = {"x-fake-usage": json.dumps(DICTATED)}
        client = kind(base_url=url, api_key="fake", max_retries=0, default_headers=headers)
        try:
            return await way(client)
        finally:
            await have(client.close())

    return asyncio.run(run())


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_span_carries_what_the_provider_billed(
    kind: type[Any], way: Way, provider: FakeProvider, instrumentor: LLMLabInstrumentor, spans: Spans
) -> None:
    call(kind, provider.anthropic_url, way)
    attributes = spans.attributes()
    assert spans.usage() == {
        "gen_ai.usage.input_tokens": 211 + 1500 + 4096,
        "gen_ai.usage.output_tokens": 389,
        "gen_ai.usage.cache_read.input_tokens": 4096,
        "gen_ai.usage.cache_write.input_tokens": 1500,
        "llmlab.usage.cache_write_5m.input_tokens": 1000,
        "llmlab.usage.cache_write_1h.input_tokens": 500,
        "gen_ai.usage.reasoning.output_tokens": 128,
        "llmlab.usage.web_searches": 3,
    }
    assert attributes["llmlab.usage.source"] == "reported"
    assert attributes["llmlab.tier"] == "priority"
    assert attributes["gen_ai.response.model"] == provider.requests[0].model
    assert attributes["gen_ai.response.finish_reasons"] == ("end_turn",)


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_caller_sees_what_it_would_see_without_us(
    kind: type[Any], way: Way, provider: FakeProvider, instrumentor: LLMLabInstrumentor
) -> None:
    instrumented = call(kind, provider.anthropic_url, way)
    instrumentor.uninstrument()
    assert instrumented == call(kind, provider.anthropic_url, way)
    with_us, without_us = (request.body for request in provider.requests)
    assert with_us == without_us
