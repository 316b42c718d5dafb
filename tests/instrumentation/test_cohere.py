"""Calls to Cohere: exact usage on one span per request, and nothing changed for the caller."""

import asyncio
import gc
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import cohere
import httpx
import pytest
from cohere.core import ApiError
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import StatusCode
from packaging.version import Version

from fake_provider.testing import FakeProvider
from instrumentation.cells import Cells, every_failure, every_stream, every_way
from instrumentation.cohere_ways import CHAT_1, CHAT_2, CHATS, EMBED_1, OTHERS, RERANK, Way, call
from instrumentation.reading import leave_early
from instrumentation.spans import Spans
from llmlab.formats.cohere import read_response
from llmlab.instrumentor import LLMLabInstrumentor
from llmlab.providers.cohere import PROVIDER
from llmlab.usage import NO_USAGE, Usage

DICTATED = {
    "billed_units": {"input_tokens": 1873.0, "output_tokens": 317.0},
    "tokens": {"input_tokens": 2369.0, "output_tokens": 319.0},
    "cached_tokens": 1024.0,
}

CHAT_CELLS, OTHER_CELLS = Cells("cohere", CHATS), Cells("cohere", OTHERS)

both_sides = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
both_streams = pytest.mark.parametrize("version", [1, 2], ids=["v1", "v2"])


@pytest.fixture(autouse=True)
def patched(instrumentor: LLMLabInstrumentor) -> LLMLabInstrumentor:
    return instrumentor


@pytest.fixture
def client(provider: FakeProvider) -> Iterator[Any]:
    with cohere.Client("fake", base_url=provider.url, timeout=10) as client:
        yield client


def stream_of(client: Any, version: int, model: str) -> Any:
    """Begin a stream of either version of the API."""
    if version == 1:
        return client.chat_stream(**{**CHAT_1, "model": model})
    return client.v2.chat_stream(**{**CHAT_2, "model": model})


@every_way(CHAT_CELLS)
def test_the_span_carries_what_the_provider_billed(
    way: Way, asynchronous: bool, provider: FakeProvider, spans: Spans
) -> None:
    call(way, provider.url, asynchronous=asynchronous, usage=DICTATED)
    (request,) = provider.requests
    assert request.usage is not None
    assert DICTATED.items() <= request.usage.items()
    attributes = spans.attributes()
    assert spans.usage() == {
        "gen_ai.usage.input_tokens": 1873,
        "gen_ai.usage.output_tokens": 317,
        "gen_ai.usage.cache_read.input_tokens": 1024,
    }
    assert attributes["llmlab.usage.source"] == "reported"
    assert attributes["gen_ai.provider.name"] == "cohere"
    assert attributes["gen_ai.response.finish_reasons"] == ("complete",)
    assert attributes["gen_ai.response.id"]


@every_way(OTHER_CELLS)
def test_what_is_no_chat_carries_what_the_provider_billed(
    way: Way, asynchronous: bool, provider: FakeProvider, spans: Spans
) -> None:
    call(way, provider.url, asynchronous=asynchronous)
    billed = (provider.requests[0].usage or {})["billed_units"]
    names = {
        "input_tokens": "gen_ai.usage.input_tokens",
        "output_tokens": "gen_ai.usage.output_tokens",
        "search_units": "llmlab.usage.rerank_searches",
    }
    assert spans.usage() == {names[name]: count for name, count in billed.items()}
    assert spans.attributes()["llmlab.usage.source"] == "reported"


@every_stream(CHAT_CELLS)
def test_a_stream_that_is_left_early_is_partial(
    way: Way, asynchronous: bool, provider: FakeProvider, spans: Spans
) -> None:
    leave_early(call, way, provider.url, asynchronous=asynchronous)
    assert spans.is_partial()
    assert not spans.usage()  # it is reported at the end


@every_failure(CHAT_CELLS, OTHER_CELLS)
def test_a_call_that_fails_has_no_usage(way: Way, asynchronous: bool, provider: FakeProvider, spans: Spans) -> None:
    with pytest.raises(cohere.BadRequestError) as raised:
        call(way, provider.url, asynchronous=asynchronous, behaviour="error-400")
    assert spans.is_refused(raised.value)


@both_sides
@pytest.mark.parametrize("way", [*CHATS, *OTHERS], ids=lambda way: way.__name__)
def test_the_caller_sees_what_it_would_see_without_us(
    way: Way, asynchronous: bool, provider: FakeProvider, patched: LLMLabInstrumentor
) -> None:
    instrumented = call(way, provider.url, asynchronous=asynchronous)
    patched.uninstrument()
    assert instrumented == call(way, provider.url, asynchronous=asynchronous)
    with_us, without_us = (request.body for request in provider.requests)
    assert with_us == without_us


def test_the_span_describes_the_call(client: Any, provider: FakeProvider, spans: Spans) -> None:
    response = client.v2.chat(**CHAT_2)
    span, attributes = spans.one(), spans.attributes()
    assert span.name == "chat command-r-plus"
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "llmlab.instrumentation.cohere"
    assert {name: value for name, value in attributes.items() if ".usage." not in name} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "cohere",
        "gen_ai.request.model": "command-r-plus",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.response.id": response.id,
        "gen_ai.response.finish_reasons": ("complete",),
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.rpartition(":")[2]),
    }


def test_the_operations_have_names(client: Any, spans: Spans) -> None:
    client.generate(prompt="one")
    client.embed(**EMBED_1)
    client.rerank(**RERANK)
    assert [span.name for span in spans.all()] == [
        "text_completion",
        "embeddings embed-v4.0",
        "rerank rerank-v3.5",
    ]


def test_the_second_client_is_the_same_api(provider: FakeProvider, spans: Spans) -> None:
    client: Any
    with cohere.ClientV2("fake", base_url=provider.url) as client:
        client.chat(**CHAT_2)
        list(client.chat_stream(**CHAT_2))
    assert [span.name for span in spans.all()] == ["chat command-r-plus"] * 2


def test_a_parameter_left_out_is_not_recorded(client: Any, spans: Spans) -> None:
    client.chat(message="one")
    assert spans.one().name == "chat"
    assert not [name for name in spans.attributes() if name.startswith("gen_ai.request.")]


def test_every_request_of_a_long_embedding_is_billed(client: Any, provider: FakeProvider, spans: Spans) -> None:
    client.embed(**{**EMBED_1, "texts": ["word"] * 200})
    assert len(provider.requests) == 3
    counted = [(span.attributes or {})["gen_ai.usage.input_tokens"] for span in spans.all()]
    assert sum(count for count in counted if isinstance(count, int)) == 200


class TestUsage:
    def read(self, usage: dict[str, Any]) -> Usage:
        return read_response({"usage": usage}).usage

    def test_tokens_that_were_processed_count_where_none_are_billed(self) -> None:
        assert self.read({"tokens": {"input_tokens": 7.0, "output_tokens": 3.0}}) == Usage(input=7, output=3)

    def test_a_cached_prompt_larger_than_what_is_billed_is_no_part_of_it(self) -> None:
        usage: dict[str, Any] = {"billed_units": {"input_tokens": 7.0}, "cached_tokens": 8.0}
        assert self.read(usage) == Usage(input=7)
        assert self.read({**usage, "cached_tokens": 7.0}) == Usage(input=7, cache_read=7)

    def test_images_are_part_of_the_input(self) -> None:
        assert self.read({"billed_units": {"input_tokens": 9.0, "image_tokens": 6.0}}) == Usage(input=9, image_in=6)
        assert self.read({"billed_units": {"text_tokens": 3.0, "image_tokens": 6.0}}) == Usage(input=9, image_in=6)

    def test_minus_one_is_unknown(self) -> None:
        nothing = {"input_tokens": -1.0, "output_tokens": -1.0}
        assert self.read({"billed_units": nothing, "tokens": nothing}) == NO_USAGE


def test_a_response_without_usage_is_not_one_of_zero(client: Any, spans: Spans) -> None:
    client.v2.chat(**{**CHAT_2, "model": "no-usage"})
    assert not spans.usage()
    assert "llmlab.usage.source" not in spans.attributes()


def test_content_is_never_recorded(client: Any, spans: Spans) -> None:
    secret = "xyzzy"  # noqa: S105 - no password, but nothing that may be seen either
    client.chat(message=secret)
    list(client.chat_stream(message=secret))
    client.embed(model="embed-v4.0", texts=[secret], input_type="search_query")
    client.rerank(query=secret, documents=[secret])
    assert len(spans.all()) == 4
    assert secret not in "".join(span.to_json() for span in spans.all())


@both_sides
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("error-400", cohere.BadRequestError),
        ("error-401", cohere.UnauthorizedError),
        ("error-429", cohere.TooManyRequestsError),
        ("error-500", cohere.InternalServerError),
    ],
)
def test_an_error_is_the_callers_and_on_the_span(
    model: str, error: type[ApiError], stream: bool, asynchronous: bool, provider: FakeProvider, spans: Spans
) -> None:
    async def ask(client: Any) -> None:
        request = {**CHAT_2, "model": model, "request_options": {"max_retries": 0}}
        if not stream:
            result = client.v2.chat(**request)
            _ = await result if asynchronous else result
        elif asynchronous:
            _ = [chunk async for chunk in client.v2.chat_stream(**request)]
        else:
            _ = list(client.v2.chat_stream(**request))

    with pytest.raises(error):
        call(ask, provider.url, asynchronous=asynchronous)
    assert spans.attributes()["error.type"] == error.__name__
    assert spans.one().status.status_code is StatusCode.ERROR
    assert not spans.usage()


def test_the_sdks_retries_are_one_call(client: Any, provider: FakeProvider, spans: Spans) -> None:
    with pytest.raises(cohere.TooManyRequestsError):
        client.v2.chat(**{**CHAT_2, "model": "error-429"}, request_options={"max_retries": 2})
    if Version(version("cohere")) < Version("6"):
        pytest.skip("this version does not retry by itself")
    assert len(provider.requests) >= 2
    assert spans.attributes()["error.type"] == "TooManyRequestsError"


class TestStreams:
    @both_streams
    def test_nothing_is_sent_before_the_stream_is_read(
        self, version: int, client: Any, provider: FakeProvider, spans: Spans
    ) -> None:
        stream = stream_of(client, version, "command-r")
        assert isinstance(stream, Iterator)
        del stream
        gc.collect()
        assert not provider.requests
        assert not spans.all()

    @both_streams
    def test_a_stream_that_is_closed_early_is_partial(self, version: int, client: Any, spans: Spans) -> None:
        stream = stream_of(client, version, "command-r")
        next(stream)
        stream.close()
        assert spans.attributes()["llmlab.usage.source"] == "partial"
        assert spans.attributes()["gen_ai.response.id"]
        assert not spans.usage()

    @both_streams
    def test_a_stream_that_is_thrown_away_is_partial(self, version: int, client: Any, spans: Spans) -> None:
        stream = stream_of(client, version, "command-r")
        next(stream)
        del stream
        gc.collect()
        assert spans.attributes()["llmlab.usage.source"] == "partial"

    def test_a_raw_stream_that_is_left_early_is_partial(self, client: Any, spans: Spans) -> None:
        with client.v2.with_raw_response.chat_stream(**CHAT_2) as response:
            next(response.data)
        assert spans.attributes()["llmlab.usage.source"] == "partial"

    def test_a_raw_stream_that_is_never_entered_is_no_call(
        self, client: Any, provider: FakeProvider, spans: Spans
    ) -> None:
        client.v2.with_raw_response.chat_stream(**CHAT_2)
        assert not provider.requests
        assert not spans.all()

    def test_an_asynchronous_stream_that_is_closed_early_is_partial(self, provider: FakeProvider, spans: Spans) -> None:
        async def ask(client: Any) -> None:
            stream = client.v2.chat_stream(**CHAT_2)
            await anext(stream)
            await stream.aclose()
            await asyncio.get_running_loop().shutdown_asyncgens()

        call(ask, provider.url, asynchronous=True)
        assert spans.attributes()["llmlab.usage.source"] == "partial"

    @both_streams
    def test_a_stream_that_breaks_off_is_partial_and_an_error(self, version: int, client: Any, spans: Spans) -> None:
        with pytest.raises(httpx.RemoteProtocolError):
            list(stream_of(client, version, "truncated"))
        assert spans.attributes()["error.type"] == "RemoteProtocolError"
        assert spans.attributes()["llmlab.usage.source"] == "partial"

    @both_streams
    def test_a_stream_without_its_last_event_is_partial(self, version: int, client: Any, spans: Spans) -> None:
        assert list(stream_of(client, version, "ends-early"))
        assert spans.attributes()["llmlab.usage.source"] == "partial"
        assert "error.type" not in spans.attributes()

    @both_streams
    def test_the_first_event_is_timed(self, version: int, client: Any, spans: Spans) -> None:
        list(stream_of(client, version, "command-r"))
        assert isinstance(spans.attributes()["gen_ai.response.time_to_first_chunk"], float)


def test_what_runs_inside_the_call_is_below_its_span(
    provider: FakeProvider, tracer_provider: TracerProvider, spans: Spans
) -> None:
    def note(_: httpx.Request) -> None:
        tracer_provider.get_tracer("http").start_span("POST").end()

    client: Any
    with (
        httpx.Client(event_hooks={"request": [note]}) as http,
        cohere.Client("fake", base_url=provider.url, httpx_client=http) as client,
    ):
        client.v2.chat(**CHAT_2)
        list(client.v2.chat_stream(**CHAT_2))
    inner, outer, inner_of_stream, stream = spans.all()
    assert inner.parent == outer.get_span_context()
    assert inner_of_stream.parent == stream.get_span_context()


@pytest.mark.parametrize("service", ["bedrock", "sagemaker"])
def test_a_client_for_aws_is_told_by_what_it_does_with_a_request(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "fake")
    kind = {"bedrock": cohere.BedrockClient, "sagemaker": cohere.SagemakerClient}[service]
    try:
        client: Any = kind(aws_region="eu-central-1")
    except ImportError:
        pytest.skip("this version wants packages of AWS's that are not installed")
    (chat,) = (each for each in PROVIDER.calls if each.attribute == "RawBaseCohere.chat")
    request = chat.request(client._raw_client, (), {"model": "cohere.command-r-v1:0"})
    assert request is not None
    assert request.endpoint.attributes == {"gen_ai.provider.name": f"aws.{service}"}
