"""The SDK `groq`: exact usage on one span however the call is made, and nothing changed for the caller."""

import asyncio
import json
import ssl
from collections.abc import Iterator
from typing import Any

import groq
import httpx
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from fake_provider.testing import FakeProvider
from instrumentation.cells import Cells, every_failure, every_stream, every_way
from instrumentation.groq_ways import CHAT, EMBED, STREAM, WAYS
from instrumentation.reading import Way, leave_early, of_model
from instrumentation.spans import Spans
from llmlab.instrumentor import LLMLabInstrumentor

pytestmark = pytest.mark.usefixtures("instrumentor")

DICTATED = {
    "prompt_tokens": 1873,
    "completion_tokens": 317,
    "prompt_tokens_details": {"cached_tokens": 1024},
    "completion_tokens_details": {"reasoning_tokens": 192},
}
CLIENTS = (groq.Groq, groq.AsyncGroq)
CELLS = Cells("groq", WAYS, CLIENTS, "kind")
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Saves the time to load them for each client."""


@pytest.fixture
def client(provider: FakeProvider) -> Iterator[groq.Groq]:
    with groq.Groq(base_url=provider.groq_url, api_key="fake", max_retries=0) as client:
        yield client


def call(kind: type[Any], url: str, way: Way, **more: str) -> Any:
    async def run() -> Any:
        headers = more | ({"x-fake-usage": json.dumps(DICTATED)} if "embed" not in way.__name__ else {})
        http: Any = groq.DefaultHttpxClient if kind is groq.Groq else groq.DefaultAsyncHttpxClient
        client = kind(
            base_url=url,
            api_key="fake",
            max_retries=0,
            default_headers=headers,
            http_client=http(verify=NO_CERTIFICATES),
        )
        try:
            return await way(client)
        finally:
            closed = client.close()
            if closed is not None:
                await closed

    return asyncio.run(run())


@every_way(CELLS)
def test_the_span_carries_what_the_provider_billed(
    kind: type[Any], way: Way, provider: FakeProvider, spans: Spans
) -> None:
    call(kind, provider.groq_url, way)
    (request,) = provider.requests
    billed = request.usage or {}
    usage = spans.usage()
    assert usage["gen_ai.usage.input_tokens"] == billed["prompt_tokens"]
    assert usage.get("gen_ai.usage.output_tokens") == billed.get("completion_tokens")
    if "embed" not in way.__name__:
        assert usage["gen_ai.usage.input_tokens"] == 1873
        assert usage["gen_ai.usage.cache_read.input_tokens"] == 1024
        assert usage["gen_ai.usage.reasoning.output_tokens"] == 192
    assert spans.attributes()["llmlab.usage.source"] == "reported"
    assert spans.attributes()["gen_ai.response.model"] == request.model


@every_stream(CELLS)
def test_a_stream_that_is_left_early_is_partial(
    kind: type[Any], way: Way, provider: FakeProvider, spans: Spans
) -> None:
    leave_early(call, kind, provider.groq_url, way)
    assert spans.is_partial()
    assert not spans.usage()  # it is reported at the end


@every_failure(CELLS)
def test_a_call_that_fails_has_no_usage(kind: type[Any], way: Way, provider: FakeProvider, spans: Spans) -> None:
    with pytest.raises(groq.RateLimitError) as raised:
        call(kind, provider.groq_url, way, **{"x-fake-behaviour": "error-429"})
    assert spans.is_refused(raised.value)


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_caller_sees_what_it_would_see_without_us(
    kind: type[Any], way: Way, provider: FakeProvider, instrumentor: LLMLabInstrumentor
) -> None:
    instrumented = call(kind, provider.groq_url, way)
    instrumentor.uninstrument()
    assert instrumented == call(kind, provider.groq_url, way)
    assert provider.requests[0].body == provider.requests[1].body


def test_the_span_describes_the_call(client: groq.Groq, provider: FakeProvider, spans: Spans) -> None:
    completion = client.chat.completions.create(**CHAT, service_tier="flex", top_p=0.9, n=1)
    span, attributes = spans.one(), spans.attributes()
    assert (span.name, span.kind, span.status.status_code) == (
        "chat llama-3.3-70b-versatile",
        SpanKind.CLIENT,
        StatusCode.UNSET,
    )
    assert {name: value for name, value in attributes.items() if ".usage." not in name} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "groq",
        "gen_ai.request.model": "llama-3.3-70b-versatile",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.choice.count": 1,
        "gen_ai.response.model": "llama-3.3-70b-versatile",
        "gen_ai.response.id": completion.id,
        "gen_ai.response.finish_reasons": ("stop",),
        "llmlab.tier": "flex",
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.rsplit(":", 1)[1]),
    }


def test_embeddings_count_what_goes_in_alone(client: groq.Groq, spans: Spans) -> None:
    client.embeddings.create(**EMBED)
    assert spans.one().name == "embeddings nomic-embed-text-v1_5"
    assert spans.usage() == {"gen_ai.usage.input_tokens": 2}


def test_a_gateway_in_between_does_not_hide_groq(spans: Spans) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"id": "x", "model": "m", "choices": [], "usage": None})

    with groq.Groq(
        base_url="https://gateway.example/groq",
        api_key="x",
        http_client=httpx.Client(transport=httpx.MockTransport(answer)),
    ) as client:
        client.chat.completions.create(**CHAT)
    attributes = spans.attributes()
    assert attributes["gen_ai.provider.name"] == "groq"
    assert (attributes["server.address"], attributes["server.port"]) == ("gateway.example", 443)
    assert "llmlab.usage.source" not in attributes


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("error-401", groq.AuthenticationError),
        ("error-429", groq.RateLimitError),
        ("error-500", groq.InternalServerError),
    ],
)
def test_an_error_is_the_callers_and_on_the_span(
    model: str, error: type[groq.APIStatusError], stream: bool, client: groq.Groq, spans: Spans
) -> None:
    with pytest.raises(error) as raised:
        client.chat.completions.create(**of_model(model, CHAT), stream=stream)
    assert raised.value.__context__ is None or isinstance(raised.value.__context__, httpx.HTTPStatusError)
    assert spans.attributes()["error.type"] == error.__name__
    assert spans.one().status.status_code is StatusCode.ERROR
    assert not spans.usage()


def test_the_sdks_retries_are_one_call(provider: FakeProvider, spans: Spans) -> None:
    with groq.Groq(base_url=provider.groq_url, api_key="fake", max_retries=2) as client:
        client.chat.completions.create(**of_model("error-once", CHAT), extra_headers={"x-fake-behaviour": "flaky"})
    assert len(provider.requests) == 2
    assert spans.attributes()["llmlab.usage.source"] == "reported"


def test_content_is_never_recorded(client: groq.Groq, spans: Spans) -> None:
    messages: Any = [{"role": "user", "content": "xyzzy"}]
    assert "xyzzy" in str(client.chat.completions.create(model="m", messages=messages, user="xyzzy"))
    assert "xyzzy" not in spans.one().to_json()


class TestStreamsThatDoNotEnd:
    def assert_partial(self, spans: Spans) -> None:
        assert spans.attributes()["llmlab.usage.source"] == "partial"
        assert not spans.usage()

    @pytest.mark.parametrize(
        ("model", "error"), [("truncated", httpx.RemoteProtocolError), ("error-in-stream", groq.APIError)]
    )
    def test_a_broken_stream_is_partial(
        self, model: str, error: type[Exception], client: groq.Groq, spans: Spans
    ) -> None:
        stream = client.chat.completions.create(**of_model(model, STREAM))
        with pytest.raises(error):
            list(stream)
        self.assert_partial(spans)
        assert spans.attributes()["error.type"] == error.__name__

    def test_a_stream_left_by_its_with_block_is_partial(self, client: groq.Groq, spans: Spans) -> None:
        with client.chat.completions.create(**of_model("slow", STREAM)) as stream:
            next(stream)
        self.assert_partial(spans)

    def test_a_closed_asynchronous_stream_is_partial(self, provider: FakeProvider, spans: Spans) -> None:
        async def run() -> None:
            async with groq.AsyncGroq(base_url=provider.groq_url, api_key="fake") as client:
                stream = await client.chat.completions.create(**of_model("slow", STREAM))
                async for _ in stream:
                    break
                await stream.close()

        asyncio.run(run())
        self.assert_partial(spans)

    def test_a_stream_that_nobody_holds_is_partial(self, client: groq.Groq, spans: Spans) -> None:
        stream = client.chat.completions.create(**of_model("slow", STREAM))
        next(stream)
        stream.response.close()
        del stream
        self.assert_partial(spans)
