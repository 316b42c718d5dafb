"""What a span says of a call to OpenAI or a host that speaks its API, and what becomes of the call."""

import asyncio
import json
from collections.abc import Coroutine, Generator
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

import openai
import pytest
from opentelemetry import context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from fake_provider.testing import FakeProvider
from instrumentation.reading import of_model
from instrumentation.sdk_versions import http_library
from instrumentation.spans import Spans
from instrumentation.ways import CHAT, EMBED, STREAM
from llmlab import __version__
from llmlab.formats import openai_streams
from llmlab.instrumentor import LLMLabInstrumentor

if TYPE_CHECKING:
    import httpx2
else:
    httpx2 = http_library(openai.DefaultHttpxClient)  # older versions are on httpx

pytestmark = pytest.mark.usefixtures("instrumentor")


def test_the_span_describes_the_call(client: openai.OpenAI, provider: FakeProvider, spans: Spans) -> None:
    completion = client.chat.completions.create(**CHAT, service_tier="flex", reasoning_effort="low")
    span, attributes = spans.one(), spans.attributes()
    assert (span.name, span.kind, span.status.status_code) == ("chat gpt-4o", SpanKind.CLIENT, StatusCode.UNSET)
    assert span.instrumentation_scope is not None
    assert (span.instrumentation_scope.name, span.instrumentation_scope.version) == (
        "llmlab.instrumentation.openai",
        __version__,
    )
    assert {name: value for name, value in attributes.items() if ".usage." not in name} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.reasoning.level": "low",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.id": completion.id,
        "gen_ai.response.finish_reasons": ("stop",),
        "openai.api.type": "chat_completions",
        "openai.request.service_tier": "flex",
        "openai.response.service_tier": "flex",
        "server.address": "127.0.0.1",
        "server.port": int(provider.openai_url.split(":")[2].split("/")[0]),
    }


def test_the_span_describes_embeddings(client: openai.OpenAI, spans: Spans) -> None:
    client.embeddings.create(**EMBED)
    attributes = spans.attributes()
    assert spans.one().name == "embeddings text-embedding-3-small"
    assert attributes["gen_ai.operation.name"] == "embeddings"
    assert attributes["gen_ai.embeddings.dimension.count"] == 4
    assert "openai.api.type" not in attributes


def test_content_is_never_recorded(client: openai.OpenAI, spans: Spans) -> None:
    secret = "xyzzy"  # noqa: S105 - no password, but nothing that may be seen either
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": secret}], user=secret)
    with pytest.raises(openai.BadRequestError, match=secret):
        client.chat.completions.create(**CHAT, extra_headers={"x-fake-usage": f'"{secret}"'})
    assert secret not in "".join(span.to_json() for span in spans.all())


def chain(error: BaseException | None) -> list[type[BaseException]]:
    """Return the classes of an error and of the errors that it came from."""
    return [] if error is None else [type(error), *chain(error.__context__)]


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("error-400", openai.BadRequestError),
        ("error-401", openai.AuthenticationError),
        ("error-429", openai.RateLimitError),
        ("error-500", openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_is_the_callers_and_on_the_span(
    model: str,
    error: type[openai.APIStatusError],
    stream: bool,
    client: openai.OpenAI,
    instrumentor: LLMLabInstrumentor,
    spans: Spans,
) -> None:
    with pytest.raises(error) as raised:
        client.chat.completions.create(**of_model(model, CHAT), stream=stream)
    instrumentor.uninstrument()
    with pytest.raises(error) as raised_without_us:
        client.chat.completions.create(**of_model(model, CHAT), stream=stream)
    assert str(raised.value) == str(raised_without_us.value)
    assert chain(raised.value) == chain(raised_without_us.value)
    frames = [(str(frame.path), frame.name) for frame in raised.traceback if "/llmlab/" not in str(frame.path)]
    assert frames == [(str(frame.path), frame.name) for frame in raised_without_us.traceback]
    assert spans.attributes()["error.type"] == error.__name__
    assert spans.one().status.status_code is StatusCode.ERROR
    assert spans.one().status.description is None
    assert not spans.one().events
    assert not spans.usage()
    assert "llmlab.usage.source" not in spans.attributes()


def test_the_sdks_retries_are_one_call(provider: FakeProvider, spans: Spans) -> None:
    with openai.OpenAI(base_url=provider.openai_url, api_key="fake", max_retries=2) as client:
        client.chat.completions.create(**of_model("flaky", CHAT))
    assert len(provider.requests) == 2
    assert spans.attributes()["llmlab.usage.source"] == "reported"


def test_a_cancelled_call_is_an_error(provider: FakeProvider, spans: Spans) -> None:
    async def run() -> None:
        async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="fake") as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.chat.completions.create(**of_model("slow", CHAT)), 0.01)

    asyncio.run(run())
    assert spans.attributes()["error.type"] == "CancelledError"


def test_concurrent_calls_do_not_mix(provider: FakeProvider, spans: Spans) -> None:
    async def run() -> None:
        async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="fake") as client:
            await asyncio.gather(*(one(client, tokens) for tokens in range(1, 21)))

    async def one(client: openai.AsyncOpenAI, tokens: int) -> None:
        headers = {"x-fake-usage": json.dumps({"prompt_tokens": tokens})}
        create = client.chat.completions.create
        if tokens % 2:
            await create(**of_model(f"m{tokens}", CHAT), extra_headers=headers)
        else:
            [_ async for _ in await create(**of_model(f"m{tokens}", STREAM), extra_headers=headers)]

    asyncio.run(run())
    counted = {(span.attributes or {})["gen_ai.response.model"]: span.attributes for span in spans.all()}
    assert {model: (seen or {})["gen_ai.usage.input_tokens"] for model, seen in counted.items()} == {
        f"m{tokens}": tokens for tokens in range(1, 21)
    }


def test_what_runs_inside_the_call_is_below_its_span(
    provider: FakeProvider, tracer_provider: TracerProvider, spans: Spans
) -> None:
    class TracedTransport(httpx2.HTTPTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            with tracer_provider.get_tracer("http").start_as_current_span("POST"):
                return super().handle_request(request)

    with openai.OpenAI(
        base_url=provider.openai_url, api_key="fake", http_client=httpx2.Client(transport=TracedTransport())
    ) as client:
        client.chat.completions.create(**CHAT)
    below, call = spans.all()
    assert below.parent is not None
    assert below.parent == call.get_span_context()
    assert context.get_current() == {}


def test_nothing_of_ours_stays_on_a_response_that_was_read(client: openai.OpenAI, spans: Spans) -> None:
    with client.chat.completions.with_streaming_response.create(**CHAT) as response:
        http = response.http_response
        response.read()
        assert len(spans.all()) == 1
        assert not {"iter_bytes", "aiter_bytes"} & set(vars(http))


def test_a_response_that_is_not_read_has_no_known_usage(client: openai.OpenAI, spans: Spans) -> None:
    with client.chat.completions.with_streaming_response.create(**CHAT) as response:
        assert response.status_code == 200
    assert spans.attributes()["llmlab.usage.source"] == "partial"
    assert not spans.usage()


class TestSuppression:
    def test_an_outer_inference_span_of_opentelemetrys_own_is_enough(self, client: openai.OpenAI, spans: Spans) -> None:
        token = context.attach(context.set_value("opentelemetry.genai.client.inference.context", object()))
        client.chat.completions.create(**CHAT)
        list(client.chat.completions.create(**STREAM, stream_options={"include_usage": True}))
        context.detach(token)
        assert not spans.all()

    def test_an_outer_span_that_would_lack_the_usage_of_a_stream_is_not_enough(
        self, client: openai.OpenAI, spans: Spans
    ) -> None:
        token = context.attach(context.set_value("opentelemetry.genai.client.inference.context", object()))
        list(client.chat.completions.create(**STREAM))
        context.detach(token)
        assert spans.attributes()["llmlab.usage.source"] == "reported"

    def test_suppressed_instrumentation_stays_silent(self, client: openai.OpenAI, spans: Spans) -> None:
        with suppress_instrumentation():
            client.chat.completions.create(**CHAT)
        assert not spans.all()

    def test_a_call_inside_a_recorded_call_is_the_same_call(self, provider: FakeProvider, spans: Spans) -> None:
        class Gateway(httpx2.BaseTransport):
            """Answers a call by making another one with the SDK, as a framework would."""

            def handle_request(self, request: httpx2.Request) -> httpx2.Response:
                with openai.OpenAI(base_url=provider.openai_url, api_key="fake") as inner:
                    completion = inner.chat.completions.create(**CHAT)
                return httpx2.Response(200, json=completion.to_dict())

        with openai.OpenAI(
            base_url="http://gateway/v1", api_key="fake", http_client=httpx2.Client(transport=Gateway())
        ) as client:
            client.chat.completions.create(**CHAT)
        assert spans.attributes()["server.address"] == "gateway"


def test_a_call_that_is_not_sampled_is_left_alone(
    client: openai.OpenAI, provider: FakeProvider, instrumentor: LLMLabInstrumentor
) -> None:
    instrumentor.uninstrument()
    instrumentor.instrument(tracer_provider=TracerProvider(sampler=ALWAYS_OFF))
    stream = client.chat.completions.create(**STREAM)
    assert type(stream) is openai.Stream
    list(stream)
    assert "stream_options" not in provider.requests[0].body


class TestAskingForUsage:
    def body(self, provider: FakeProvider) -> dict[str, Any]:
        return provider.requests[0].body

    def test_it_can_be_turned_off(
        self, client: openai.OpenAI, provider: FakeProvider, spans: Spans, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LLMLAB_STREAM_USAGE", "false")
        list(client.chat.completions.create(**STREAM))
        assert "stream_options" not in self.body(provider)
        assert not spans.usage()
        assert "llmlab.usage.source" not in spans.attributes()

    def test_other_stream_options_are_kept(self, client: openai.OpenAI, provider: FakeProvider, spans: Spans) -> None:
        options: Any = {"include_obfuscation": False}
        chunks = list(client.chat.completions.create(**STREAM, stream_options=options))
        assert self.body(provider)["stream_options"] == {"include_obfuscation": False, "include_usage": True}
        assert options == {"include_obfuscation": False}
        assert all(chunk.choices for chunk in chunks)
        assert spans.usage()

    @pytest.mark.parametrize(
        "decided",
        [
            {"stream_options": {"include_usage": False}},
            {"extra_body": {"stream_options": {"include_usage": False}}},
            {"extra_body": {"stream_options": {}}},
        ],
    )
    def test_the_callers_decision_stands(
        self, decided: dict[str, Any], client: openai.OpenAI, provider: FakeProvider, spans: Spans
    ) -> None:
        list(client.chat.completions.create(**STREAM, **decided))
        expected = decided.get("stream_options", decided.get("extra_body", {}).get("stream_options"))
        assert self.body(provider)["stream_options"] == expected
        assert not spans.usage()

    def test_usage_asked_for_in_the_extra_body_is_the_callers(self, client: openai.OpenAI, spans: Spans) -> None:
        extra_body = {"stream_options": {"include_usage": True}}
        chunks = list(client.chat.completions.create(**STREAM, extra_body=extra_body))
        assert chunks[-1].usage is not None
        assert spans.usage()

    def test_nothing_is_added_where_the_caller_reads_bytes(
        self, client: openai.OpenAI, provider: FakeProvider, spans: Spans
    ) -> None:
        with client.chat.completions.with_streaming_response.create(**STREAM) as response:
            lines = list(response.iter_lines())
        assert "stream_options" not in self.body(provider)
        assert not any("usage" in line for line in lines)
        assert spans.attributes()["llmlab.usage.source"] == "partial"


class StrictHost(httpx2.HTTPTransport):
    """A host that knows no `stream_options`, in front of the provider."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__()
        self.refusals = 0
        self._status, self._message = status, message

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if "stream_options" in json.loads(request.read()):
            self.refusals += 1
            return httpx2.Response(self._status, json={"error": {"message": self._message}})
        return super().handle_request(request)


class AsyncStrictHost(httpx2.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if "stream_options" in json.loads(await request.aread()):
            return httpx2.Response(400, json={"error": {"message": "unknown field stream_options"}})
        return await super().handle_async_request(request)


class TestRefusedStreamOptions:
    @pytest.fixture(autouse=True)
    def forget(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(openai_streams, "refusing", set())

    def client(self, provider: FakeProvider, host: httpx2.BaseTransport) -> openai.OpenAI:
        http_client = httpx2.Client(transport=host)
        return openai.OpenAI(base_url=provider.openai_url, api_key="fake", max_retries=0, http_client=http_client)

    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (400, "Unrecognized request argument supplied: stream_options"),
            (422, "[{'type': 'extra_forbidden', 'loc': ['body', 'stream_options']}]"),
        ],
    )
    def test_a_call_is_made_again_as_the_caller_wrote_it(
        self, status: int, message: str, provider: FakeProvider, spans: Spans, caplog: pytest.LogCaptureFixture
    ) -> None:
        host = StrictHost(status, message)
        with self.client(provider, host) as client:
            for _ in range(3):
                assert len(list(client.chat.completions.create(**STREAM))) > 1
        assert host.refusals == 1
        assert len(caplog.records) == 1
        assert "127.0.0.1 refuses stream_options for gpt-4o" in caplog.text
        assert [span.status.status_code for span in spans.all()] == [StatusCode.UNSET] * 3

    def test_another_model_at_that_host_is_asked_again(self, provider: FakeProvider) -> None:
        host = StrictHost(400, "unknown field stream_options")
        with self.client(provider, host) as client:
            for model in ("one", "two", "one"):
                list(client.chat.completions.create(**of_model(model, STREAM)))
        assert host.refusals == 2

    def test_any_other_refusal_is_the_callers(self, provider: FakeProvider, spans: Spans) -> None:
        host = StrictHost(400, "unknown model")
        with self.client(provider, host) as client, pytest.raises(openai.BadRequestError, match="unknown model"):
            client.chat.completions.create(**STREAM)
        assert host.refusals == 1
        assert spans.attributes()["error.type"] == "BadRequestError"

    def test_options_of_the_callers_are_never_taken_back(self, provider: FakeProvider) -> None:
        host = StrictHost(400, "unknown field stream_options")
        options: Any = {"include_usage": True}
        with self.client(provider, host) as client, pytest.raises(openai.BadRequestError):
            client.chat.completions.create(**STREAM, stream_options=options)
        assert host.refusals == 1

    def test_the_asynchronous_client_falls_back_too(self, provider: FakeProvider, spans: Spans) -> None:
        async def run() -> int:
            http_client = httpx2.AsyncClient(transport=AsyncStrictHost())
            async with openai.AsyncOpenAI(
                base_url=provider.openai_url, api_key="fake", http_client=http_client
            ) as client:
                return len([chunk async for chunk in await client.chat.completions.create(**STREAM)])

        assert asyncio.run(run()) > 1
        assert spans.one().status.status_code is StatusCode.UNSET


def test_a_call_may_be_carried_on_in_other_contexts(provider: FakeProvider, spans: Spans) -> None:
    """Some schedulers run each step of a coroutine in a context of its own, where the way back is unknown."""

    class StepByStep:
        def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
            self._coroutine = coroutine

        def __await__(self) -> Generator[Any, Any, Any]:
            go_on = partial(self._coroutine.send, None)
            while True:
                try:
                    waiting = copy_context().run(go_on)
                except StopIteration as end:
                    return end.value
                try:
                    yield waiting
                    go_on = partial(self._coroutine.send, None)
                except BaseException as error:  # noqa: BLE001 - handed on
                    go_on = partial(self._coroutine.throw, error)

    async def run() -> Any:
        async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="fake") as client:
            return await StepByStep(client.chat.completions.create(**CHAT))

    assert asyncio.run(run()).choices
    assert spans.attributes()["llmlab.usage.source"] == "reported"


class TestProviders:
    def test_azure_is_told_by_its_client(self, provider: FakeProvider, spans: Spans) -> None:
        with openai.AzureOpenAI(
            azure_endpoint=provider.url, api_version="2024-10-21", azure_deployment="prod-gpt-4o-mini", api_key="fake"
        ) as client:
            chunks = list(client.chat.completions.create(**of_model("prod-gpt-4o-mini", STREAM)))
        assert chunks[0].choices == []  # Azure's verdict on the prompt, which is the caller's to see
        attributes = spans.attributes()
        assert attributes["gen_ai.provider.name"] == "azure.ai.openai"
        assert attributes["gen_ai.request.model"] == "prod-gpt-4o-mini"
        assert attributes["gen_ai.response.model"] == "gpt-4o-mini-2024-07-18"
        assert attributes["llmlab.usage.source"] == "reported"

    def test_other_hosts_are_told_by_their_name(self, spans: Spans) -> None:
        def answer(request: httpx2.Request) -> httpx2.Response:
            usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12, "cost": 1.83e-05}
            return httpx2.Response(200, json={"id": "gen-1", "model": "x", "choices": [], "usage": usage})

        http_client = httpx2.Client(transport=httpx2.MockTransport(answer))
        with openai.OpenAI(base_url="https://openrouter.ai/api/v1", api_key="fake", http_client=http_client) as client:
            client.chat.completions.create(**CHAT)
        attributes = spans.attributes()
        assert attributes["gen_ai.provider.name"] == "openrouter"
        assert (attributes["server.address"], attributes["server.port"]) == ("openrouter.ai", 443)
        assert attributes["llmlab.cost.provider_usd"] == "0.0000183"
