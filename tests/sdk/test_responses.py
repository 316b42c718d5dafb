"""What is read from a response alone is what the instrumentation would have recorded of the call."""

from collections.abc import Callable
from typing import Any

import anthropic
import cohere
import groq
import openai
import pytest
from google import genai  # pyright: ignore[reportAttributeAccessIssue] - a namespace of many packages
from google.genai import types
from mistralai.client import Mistral

from fake_provider.testing import FakeProvider
from llmlab import semconv, track_cost
from llmlab.tracking.responses import read_response
from sdk.conftest import Spans, attributes

Ask = Callable[[FakeProvider], Any]

QUESTION: Any = [{"role": "user", "content": "one two three"}]


def ask_openai(provider: FakeProvider) -> Any:
    with openai.OpenAI(base_url=provider.openai_url, api_key="fake") as client:
        return client.chat.completions.create(model="gpt-5-mini", messages=QUESTION)


def ask_openai_for_a_response(provider: FakeProvider) -> Any:
    with openai.OpenAI(base_url=provider.openai_url, api_key="fake") as client:
        return client.responses.create(model="gpt-5-mini", input="one two three")


def ask_openai_for_embeddings(provider: FakeProvider) -> Any:
    with openai.OpenAI(base_url=provider.openai_url, api_key="fake") as client:
        return client.embeddings.create(model="text-embedding-3-small", input="one")


def ask_anthropic(provider: FakeProvider) -> Any:
    with anthropic.Anthropic(base_url=provider.anthropic_url, api_key="fake") as client:
        return client.messages.create(model="claude-haiku-4-5", max_tokens=50, messages=QUESTION)


def ask_gemini(provider: FakeProvider) -> Any:
    options = types.HttpOptions(base_url=provider.url)
    with genai.Client(api_key="fake", http_options=options) as client:
        return client.models.generate_content(model="gemini-2.5-flash", contents="one two three")


def ask_cohere(provider: FakeProvider) -> Any:
    with cohere.ClientV2("fake", base_url=provider.url) as client:
        return client.chat(model="command-a-03-2025", messages=QUESTION)


def ask_groq(provider: FakeProvider) -> Any:
    with groq.Groq(base_url=provider.groq_url, api_key="fake") as client:
        return client.chat.completions.create(model="llama-3.3-70b-versatile", messages=QUESTION)


def ask_mistral(provider: FakeProvider) -> Any:
    with Mistral(api_key="fake", server_url=provider.mistral_url) as client:
        return client.chat.complete(model="mistral-small-latest", messages=QUESTION)


@pytest.mark.parametrize(
    "ask",
    [
        ask_openai,
        ask_openai_for_a_response,
        ask_openai_for_embeddings,
        ask_anthropic,
        ask_gemini,
        ask_cohere,
        ask_groq,
        ask_mistral,
    ],
)
def test_a_response_tells_what_the_call_told(ask: Ask, provider: FakeProvider, spans: Spans) -> None:
    with track_cost(provider="acme"):
        response = ask(provider)
    (call,) = spans.calls()
    reply = read_response(response)
    assert reply is not None
    said = {
        semconv.USAGE_ATTRIBUTES[field]: count for field, count in reply.usage._asdict().items() if count is not None
    }
    recorded = attributes(call)
    assert said == {name: recorded.get(name) for name in semconv.USAGE_ATTRIBUTES.values() if name in recorded}
    assert (reply.id, reply.model) == (recorded.get("gen_ai.response.id"), recorded.get("gen_ai.response.model"))


def test_a_stream_is_left_alone(provider: FakeProvider) -> None:
    with openai.OpenAI(base_url=provider.openai_url, api_key="fake") as client:
        stream = client.chat.completions.create(model="gpt-4o", messages=QUESTION, stream=True)
        assert read_response(stream) is None
        assert len(list(stream)) > 3
