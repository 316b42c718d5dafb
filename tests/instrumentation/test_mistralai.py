"""The SDK `mistralai`: exact usage on one span however the call is made, and nothing changed for the caller."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from fake_provider.testing import FakeProvider
from instrumentation.cells import Cells, every_failure, every_stream, every_way, makes
from instrumentation.reading import leave_early, of_model, read_all, steady
from instrumentation.spans import Spans
from llmlab.instrumentor import LLMLabInstrumentor
from llmlab.providers.mistralai import PROVIDER
from llmlab.usage import Usage

pytestmark = pytest.mark.usefixtures("instrumentor")

try:  # 2.0 moved the client into a package of its own
    sdk: Any = import_module("mistralai.client.sdk")
except ModuleNotFoundError:
    sdk = import_module("mistralai.sdk")

MESSAGES = [{"role": "user", "content": "one two three four"}]
CHAT: dict[str, Any] = {"model": "mistral-small-latest", "messages": MESSAGES, "temperature": 0.5, "max_tokens": 50}
AGENT: dict[str, Any] = {"agent_id": "ag:7", "messages": MESSAGES}
FIM: dict[str, Any] = {"model": "codestral-latest", "prompt": "def add(a, b):", "suffix": "return c"}
EMBED: dict[str, Any] = {"model": "mistral-embed", "inputs": ["one", "two"]}
WAYS = {
    "chat.complete": CHAT,
    "chat.stream": CHAT,
    "agents.complete": AGENT,
    "agents.stream": AGENT,
    "fim.complete": FIM,
    "fim.stream": FIM,
    "embeddings.create": EMBED,
}
DICTATED = {
    "prompt_tokens": 1873,
    "completion_tokens": 317,
    "prompt_tokens_details": {"cached_tokens": 1024},
    "prompt_audio_seconds": 7,
}


@pytest.fixture(scope="module")
def shared(running: FakeProvider) -> Iterator[Any]:
    """One client for all, because making one takes 60 ms."""
    with sdk.Mistral(server_url=running.mistral_url, api_key="fake") as client:
        yield client


@pytest.fixture
def client(shared: Any, provider: FakeProvider) -> Any:
    """The client, with the provider's book empty."""
    return shared


def seen(value: Any) -> Any:
    return type(value), re.sub(
        r"\b[0-9a-f]{32}\b", "-", steady(re.sub(r"(?<=\"created\":)\d+", "-", value.model_dump_json()))
    )


for each in WAYS:
    makes(each, stream="stream" in each)(each)
CELLS = Cells("mistralai", tuple(WAYS))


def method(client: Any, way: str) -> Callable[..., Any]:
    resource, name = way.split(".")
    return getattr(getattr(client, resource), name)


def call(client: Any, way: str, asynchronous: bool, behaviour: str = "") -> Any:
    async def run() -> Any:
        if not asynchronous:
            return await show(method(client, way)(**request))
        url = client.sdk_configuration.get_server_details()[0]
        async with sdk.Mistral(server_url=url, api_key="fake") as own_client:  # its connections belong to this loop
            return await show(await method(own_client, f"{way}_async")(**request))

    async def show(result: Any) -> Any:
        if "stream" not in way:
            return seen(result)
        return result.__class__, [seen(event.data) for event in await read_all(result)]

    headers = {} if "embed" in way else {"x-fake-usage": json.dumps(DICTATED)}
    headers |= {"x-fake-behaviour": behaviour} if behaviour else {}
    request = {**WAYS[way], "http_headers": headers}
    return asyncio.run(run())


@every_way(CELLS)
def test_the_span_carries_what_the_provider_billed(
    way: str, asynchronous: bool, client: Any, provider: FakeProvider, spans: Spans
) -> None:
    call(client, way, asynchronous)
    (request,) = provider.requests
    usage, attributes = spans.usage(), spans.attributes()
    if "embed" in way:
        assert usage == {"gen_ai.usage.input_tokens": 2, "gen_ai.usage.output_tokens": 0}
    else:
        assert usage == {
            "gen_ai.usage.input_tokens": 1873,
            "gen_ai.usage.output_tokens": 317,
            "gen_ai.usage.cache_read.input_tokens": 1024,
            "llmlab.usage.audio_ms": 7000,
        }
        assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert request.usage is not None
    assert usage["gen_ai.usage.input_tokens"] == request.usage["prompt_tokens"]
    assert attributes["llmlab.usage.source"] == "reported"
    assert attributes["gen_ai.response.model"] == request.model
    assert attributes.get("gen_ai.request.stream") == ("stream" in way or None)


@every_stream(CELLS)
def test_a_stream_that_is_left_early_is_partial(way: str, asynchronous: bool, client: Any, spans: Spans) -> None:
    leave_early(call, client, way, asynchronous)
    assert spans.is_partial()
    assert not spans.usage()  # it is reported at the end


@every_failure(CELLS)
def test_a_call_that_fails_has_no_usage(way: str, asynchronous: bool, client: Any, spans: Spans) -> None:
    with pytest.raises(Exception, match="API error occurred") as raised:
        call(client, way, asynchronous, "error-401")
    assert spans.is_refused(raised.value)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_the_caller_sees_what_it_would_see_without_us(
    way: str, asynchronous: bool, client: Any, provider: FakeProvider, instrumentor: LLMLabInstrumentor
) -> None:
    instrumented = call(client, way, asynchronous)
    instrumentor.uninstrument()
    assert instrumented == call(client, way, asynchronous)
    assert provider.requests[0].body == provider.requests[1].body


def test_the_span_describes_the_call(client: Any, provider: FakeProvider, spans: Spans) -> None:
    completion = client.chat.complete(**CHAT, top_p=0.9)
    span, attributes = spans.one(), spans.attributes()
    assert (span.name, span.kind, span.status.status_code) == (
        "chat mistral-small-latest",
        SpanKind.CLIENT,
        StatusCode.UNSET,
    )
    tier = attributes.pop("llmlab.tier")
    assert tier == provider.requests[0].tier == "standard"
    assert {name: value for name, value in attributes.items() if ".usage." not in name} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "mistral_ai",
        "gen_ai.request.model": "mistral-small-latest",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.response.model": "mistral-small-latest",
        "gen_ai.response.id": completion.id,
        "gen_ai.response.finish_reasons": ("stop",),
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.rsplit(":", 1)[1]),
    }


def test_an_agent_names_its_model_in_the_response(client: Any, spans: Spans) -> None:
    client.agents.complete(**AGENT)
    assert spans.one().name == "chat"
    assert "gen_ai.request.model" not in spans.attributes()
    assert spans.attributes()["gen_ai.response.model"] == "mistral-medium-2508"


def on_azure(url: str) -> Any:
    return pytest.importorskip("mistralai.azure.client", exc_type=ImportError).MistralAzure("fake", server_url=url)


def on_vertex(url: str) -> Any:
    package: Any = pytest.importorskip("mistralai.gcp.client", exc_type=ImportError)
    return package.MistralGCP("project", access_token="fake", server_url=url)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("connect", "name"), [(on_azure, "azure.ai.inference"), (on_vertex, "gcp.vertex_ai")])
def test_the_clients_for_other_clouds_are_recorded_too(
    connect: Callable[[str], Any], name: str, stream: bool, provider: FakeProvider, spans: Spans
) -> None:
    with connect(provider.mistral_url) as client:
        if stream:
            list(client.chat.stream(**CHAT))
        else:
            client.chat.complete(**CHAT)
    (request,) = provider.requests
    assert request.usage is not None
    assert spans.usage()["gen_ai.usage.input_tokens"] == request.usage["prompt_tokens"]
    assert spans.attributes()["gen_ai.provider.name"] == name


def test_filling_in_the_middle_is_a_text_completion(client: Any, spans: Spans) -> None:
    client.fim.complete(**FIM)
    assert spans.one().name == "text_completion codestral-latest"


def test_a_server_named_for_one_call_is_the_one_on_the_span(provider: FakeProvider, spans: Spans) -> None:
    with sdk.Mistral(api_key="fake") as client:
        client.chat.complete(**CHAT, server_url=provider.mistral_url)
    assert spans.attributes()["server.address"] == "127.0.0.1"


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("way", ["chat.complete", "chat.stream"])
@pytest.mark.parametrize("model", ["error-401", "error-429", "error-500"])
def test_an_error_is_the_callers_and_on_the_span(
    model: str, way: str, asynchronous: bool, client: Any, spans: Spans
) -> None:
    with pytest.raises(Exception, match="API error occurred") as raised:
        call(client, way, asynchronous, model)
    assert getattr(raised.value, "status_code", None) == int(model.removeprefix("error-"))
    assert spans.attributes()["error.type"] == type(raised.value).__name__
    assert spans.one().status.status_code is StatusCode.ERROR
    assert not spans.usage()


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ({"total_tokens": 15}, Usage()),
        ({"prompt_tokens": 10, "num_cached_tokens": 4}, Usage(input=10, cache_read=4)),
        ({"prompt_tokens": 10, "prompt_tokens_details": {}, "num_cached_tokens": 4}, Usage(input=10, cache_read=4)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(input=0, output=0)),
        ({"prompt_tokens": 10, "prompt_audio_seconds": None}, Usage(input=10)),
    ],
)
def test_what_the_provider_did_not_report_is_not_zero(reported: dict[str, int], expected: Usage) -> None:
    models: Any = import_module(sdk.__name__.removesuffix("sdk") + "models")
    if models.UsageInfo.model_fields["prompt_tokens"].is_required():
        pytest.skip("this version of the SDK insists on every count")
    fields = {"id": "x", "object": "chat.completion", "model": "m", "created": 1, "choices": []}
    response = models.ChatCompletionResponse.model_validate({**fields, "usage": reported})
    assert PROVIDER.calls[0].reply(response).usage == expected


def test_content_is_never_recorded(client: Any, spans: Spans) -> None:
    messages = [{"role": "user", "content": "xyzzy"}]
    assert "xyzzy" in str(client.chat.complete(model="m", messages=messages))
    assert "xyzzy" not in spans.one().to_json()


class TestStreamsThatDoNotEnd:
    def assert_partial(self, spans: Spans) -> None:
        assert spans.attributes()["llmlab.usage.source"] == "partial"
        assert not spans.usage()

    def test_a_broken_stream_is_partial(self, client: Any, spans: Spans) -> None:
        stream = client.chat.stream(**of_model("truncated", CHAT))
        with pytest.raises(Exception, match="peer closed connection") as raised:
            list(stream)
        self.assert_partial(spans)
        assert spans.attributes()["error.type"] == type(raised.value).__name__

    def test_a_stream_left_by_its_with_block_is_partial(self, client: Any, spans: Spans) -> None:
        with client.chat.stream(**of_model("slow", CHAT)) as stream:
            next(stream)
        self.assert_partial(spans)

    def test_an_asynchronous_stream_left_by_its_with_block_is_partial(
        self, provider: FakeProvider, spans: Spans
    ) -> None:
        async def run() -> None:
            async with (
                sdk.Mistral(server_url=provider.mistral_url, api_key="fake") as client,
                await client.chat.stream_async(**of_model("slow", CHAT)) as stream,
            ):
                await anext(stream)

        asyncio.run(run())
        self.assert_partial(spans)

    def test_a_stream_that_nobody_holds_is_partial(self, client: Any, spans: Spans) -> None:
        stream = client.chat.stream(**of_model("slow", CHAT))
        next(stream)
        stream.response.close()
        del stream
        self.assert_partial(spans)
