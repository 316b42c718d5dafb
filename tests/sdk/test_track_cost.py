"""Every call inside a block counts once, whoever records it, and nothing else does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import anthropic
import openai
import pytest
import wrapt
from openai.resources.chat.completions import Completions
from openai.types.chat import ChatCompletion
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import llmlab
from fake_provider.testing import FakeProvider
from llmlab import track_cost
from llmlab.instrumentor import LLMLabInstrumentor
from llmlab.tracking import block_calls, delivery
from llmlab.tracking.deliveries import SpanDelivery
from sdk.conftest import Spans, attributes

ASK: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "one two three"}]}
FAIL: dict[str, Any] = {**ASK, "model": "error-429"}


def ids(span: ReadableSpan) -> trace.SpanContext:
    context = span.get_span_context()
    assert context is not None
    return context


def parent_id(span: ReadableSpan) -> int:
    assert span.parent is not None
    return span.parent.span_id


@pytest.fixture(params=["alone", "instrumented before", "instrumented later"])
def instrumented(request: pytest.FixtureRequest, spans: Spans, tracer_provider: TracerProvider) -> Iterator[None]:
    """Run a test without LLMLab's instrumentation, and with it, whichever of them comes first."""
    instrumentor = LLMLabInstrumentor()
    if request.param == "instrumented later":
        with track_cost(provider="openai"):
            assert not spans.calls()
    if request.param != "alone":
        instrumentor.instrument(tracer_provider=tracer_provider)
    yield
    if request.param == "instrumented before":
        block_calls.stop_recording()  # last on, first off: nothing may stay wrapped for the tests after this one
    if request.param != "alone":
        instrumentor.uninstrument()


@pytest.mark.usefixtures("instrumented")
class TestCountsOnce:
    """A billed call is one span with usage, below the span of its block."""

    def check(self, spans: Spans, provider: FakeProvider, calls: int = 1) -> None:
        billed = [exchange.usage for exchange in provider.requests]
        recorded = spans.calls()
        assert len(recorded) == len(billed) == calls
        for span, usage in zip(recorded, billed, strict=True):
            assert usage is not None
            assert attributes(span)["gen_ai.usage.input_tokens"] == usage["prompt_tokens"]
            assert parent_id(span) in {ids(block).span_id for block in spans.blocks()}
        for block in spans.blocks():
            assert block.kind is trace.SpanKind.INTERNAL
            assert not [name for name in attributes(block) if name.startswith("gen_ai.")]

    def test_in_a_function(self, client: openai.OpenAI, spans: Spans, provider: FakeProvider) -> None:
        @track_cost(provider="openai")
        def generate_summary(text: str) -> ChatCompletion:
            return client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}])

        response = generate_summary("one two three")
        assert type(response) is ChatCompletion
        self.check(spans, provider)
        assert spans.blocks()[-1].name.endswith("generate_summary")

    def test_in_a_block(self, client: openai.OpenAI, spans: Spans, provider: FakeProvider) -> None:
        with track_cost(provider="openai"):
            client.chat.completions.create(**ASK)
        self.check(spans, provider)

    def test_in_a_coroutine(self, provider: FakeProvider, spans: Spans) -> None:
        @track_cost(provider="openai")
        async def ask() -> ChatCompletion:
            async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="fake") as client:
                return await client.chat.completions.create(**ASK)

        asyncio.run(ask())
        self.check(spans, provider)

    def test_in_a_plain_function_of_an_asynchronous_client(self, provider: FakeProvider, spans: Spans) -> None:
        async def main() -> None:
            async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="fake") as client:

                @track_cost(provider="openai")
                def ask() -> Any:
                    return client.chat.completions.create(**ASK)

                await ask()

        asyncio.run(main())
        self.check(spans, provider)

    def test_in_a_generator(self, client: openai.OpenAI, spans: Spans, provider: FakeProvider) -> None:
        @track_cost(provider="openai")
        def pieces() -> Iterator[str]:
            for chunk in client.chat.completions.create(**ASK, stream=True):
                yield chunk.choices[0].delta.content or ""

        assert "".join(pieces())
        self.check(spans, provider)

    def test_in_an_async_generator(self, provider: FakeProvider, spans: Spans) -> None:
        @track_cost(provider="openai")
        async def pieces() -> AsyncIterator[str]:
            async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="fake") as client:
                async for chunk in await client.chat.completions.create(**ASK, stream=True):
                    yield chunk.choices[0].delta.content or ""

        async def main() -> None:
            assert "".join([piece async for piece in pieces()])

        asyncio.run(main())
        self.check(spans, provider)

    def test_a_stream_that_is_read_outside(self, client: openai.OpenAI, spans: Spans, provider: FakeProvider) -> None:
        @track_cost(provider="openai")
        def ask() -> Any:
            return client.chat.completions.create(**ASK, stream=True)

        assert list(ask())
        self.check(spans, provider)

    def test_several_calls(self, client: openai.OpenAI, spans: Spans, provider: FakeProvider) -> None:
        @track_cost(provider="openai")
        def ask_twice() -> ChatCompletion:
            client.embeddings.create(model="text-embedding-3-small", input="one")
            return client.chat.completions.create(**ASK)

        ask_twice()
        self.check(spans, provider, 2)

    def test_nested_blocks_that_return_the_same_response(
        self, client: openai.OpenAI, spans: Spans, provider: FakeProvider
    ) -> None:
        @track_cost(provider="openai")
        def inner() -> ChatCompletion:
            return client.chat.completions.create(**ASK)

        @track_cost(provider="openai")
        def outer() -> ChatCompletion:
            return inner()

        with track_cost(provider="openai") as block:
            block.record(outer())
        self.check(spans, provider)

    def test_calls_in_an_executor(self, client: openai.OpenAI, spans: Spans, provider: FakeProvider) -> None:
        @track_cost(provider="openai", feature="search")
        def ask() -> list[ChatCompletion]:
            with ThreadPoolExecutor(2) as executor:
                asked = [executor.submit(client.chat.completions.create, **ASK) for _ in range(3)]
            return [each.result() for each in asked]

        ask()
        assert len(spans.calls()) == len(provider.requests) == 3
        assert {attributes(span)["llmlab.feature"] for span in spans.calls()} == {"search"}

    def test_a_response_out_of_a_cache_is_no_call(
        self, client: openai.OpenAI, spans: Spans, provider: FakeProvider
    ) -> None:
        @track_cost(provider="openai")
        @cache
        def ask() -> ChatCompletion:
            return client.chat.completions.create(**ASK)

        assert ask() is ask()
        self.check(spans, provider)

    def test_a_failed_call(self, client: openai.OpenAI, spans: Spans) -> None:
        @track_cost(provider="openai")
        def ask() -> ChatCompletion:
            return client.chat.completions.create(**FAIL)

        with pytest.raises(openai.RateLimitError):
            ask()
        assert not spans.calls()
        assert spans.blocks()[-1].status.status_code is trace.StatusCode.ERROR
        assert attributes(spans.blocks()[-1]) == {"error.type": "RateLimitError"}
        assert not spans.blocks()[-1].events


def test_calls_outside_of_blocks_are_left_alone(client: openai.OpenAI, spans: Spans, provider: FakeProvider) -> None:
    with track_cost(provider="openai"):
        client.chat.completions.create(**ASK)
    stream = client.chat.completions.create(**ASK, stream=True)
    assert [chunk for chunk in stream if chunk.usage] == []
    assert "stream_options" not in provider.requests[1].body
    assert len(spans.calls()) == 1


def test_one_tracker_serves_blocks_that_overlap(provider: FakeProvider, spans: Spans) -> None:
    tracker = track_cost(provider="openai")

    async def ask(client: openai.AsyncOpenAI, others: asyncio.Barrier) -> None:
        with tracker as outer, tracker as inner:
            assert outer is not inner
            await others.wait()
            await client.chat.completions.create(**ASK)

    async def main() -> None:
        async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="fake") as client:
            others = asyncio.Barrier(4)
            await asyncio.gather(*(ask(client, others) for _ in range(4)))

    asyncio.run(main())
    assert len(spans.calls()) == 4
    assert len(spans.blocks()) == 8
    assert len({ids(span).trace_id for span in spans.blocks()}) == 4


class TestAttribution:
    def test_the_arguments_attribute_the_calls_inside(self, client: openai.OpenAI, spans: Spans) -> None:
        with (
            llmlab.attribute(user="u1", feature="outer"),
            track_cost(provider="openai", feature="search", team="core"),
        ):
            client.chat.completions.create(**ASK)
        for span in (*spans.calls(), *spans.blocks()):
            tags = {name: value for name, value in attributes(span).items() if name.startswith("llmlab.")}
            tags.pop("llmlab.usage.source", None)
            assert tags == {"llmlab.user": "u1", "llmlab.feature": "search", "llmlab.tag.team": "core"}

    def test_they_attribute_a_response_that_only_the_function_returns(self, spans: Spans) -> None:
        @track_cost(provider="acme", feature="search")
        def ask() -> dict[str, Any]:
            return {"model": "m", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}

        with llmlab.attribute(user="u1"):
            ask()
        (call,) = spans.calls()
        assert attributes(call)["llmlab.feature"] == "search"
        assert attributes(call)["llmlab.user"] == "u1"


OPENAI = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 10,
        "completion_tokens": 4,
        "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 6},
    },
}
ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "model": "claude-sonnet-4-5-20250929",
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 4, "cache_read_input_tokens": 6, "output_tokens": 4},
}
GEMINI = {
    "responseId": "r1",
    "modelVersion": "gemini-2.5-flash",
    "candidates": [{"finishReason": "STOP"}],
    "usageMetadata": {
        "promptTokenCount": 10,
        "cachedContentTokenCount": 6,
        "candidatesTokenCount": 3,
        "thoughtsTokenCount": 1,
    },
}


RESPONSES = {
    "id": "resp_1",
    "object": "response",
    "model": "gpt-5-mini-2025-08-07",
    "status": "completed",
    "usage": {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 6}, "output_tokens": 4},
}


class TestResponsesThatNobodyRecorded:
    """Over plain HTTP, or with an SDK that nobody instruments, the response is all there is."""

    @pytest.mark.parametrize(
        "response", [OPENAI, RESPONSES, ANTHROPIC, GEMINI], ids=["openai", "responses", "anthropic", "gemini"]
    )
    def test_the_returned_response_counts(self, response: dict[str, Any], spans: Spans) -> None:
        @track_cost(provider="acme")
        def ask() -> dict[str, Any]:
            return response

        assert ask() is response
        (call,) = spans.calls()
        (block,) = spans.blocks()
        found = attributes(call)
        assert (found["gen_ai.provider.name"], found["gen_ai.operation.name"]) == ("acme", "chat")
        assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (10, 4)
        assert found["gen_ai.usage.cache_read.input_tokens"] == 6
        assert found["gen_ai.response.model"] == response.get("model", "gemini-2.5-flash")
        assert found["llmlab.usage.source"] == "reported"
        assert call.kind is trace.SpanKind.CLIENT
        assert parent_id(call) == ids(block).span_id
        assert call.start_time is not None
        assert block.start_time is not None
        assert call.start_time <= block.start_time < (call.end_time or 0)

    def test_a_block_can_be_handed_the_response(self, spans: Spans) -> None:
        with track_cost(provider="acme") as block:
            block.record(OPENAI)
            block.record({**OPENAI, "id": "chatcmpl-2"})
            block.record(OPENAI)
        assert [attributes(span)["gen_ai.response.id"] for span in spans.calls()] == ["chatcmpl-1", "chatcmpl-2"]

    def test_an_sdk_that_may_not_be_instrumented_is_read_by_its_responses(
        self, client: openai.OpenAI, spans: Spans, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "llmlab-openai")

        @track_cost(provider="openai")
        def ask() -> ChatCompletion:
            return client.chat.completions.create(**ASK)

        ask()
        (call,) = spans.calls()
        usage = provider.requests[0].usage
        assert usage is not None
        assert attributes(call)["gen_ai.usage.input_tokens"] == usage["prompt_tokens"]
        assert call.instrumentation_scope is not None
        assert call.instrumentation_scope.name == "llmlab.track"

    def test_embeddings_are_called_so(self, spans: Spans) -> None:
        with track_cost(provider="acme") as block:
            block.record({"model": "e", "usage": {"prompt_tokens": 5, "total_tokens": 5}})
        assert attributes(spans.calls()[0])["gen_ai.operation.name"] == "embeddings"

    @pytest.mark.parametrize(
        "value",
        [
            None,
            "text",
            5,
            [OPENAI],
            {},
            {"usage": None},
            {"usage": {}},
            {"usage": "many"},
            {"usage": {"prompt_tokens": -1}},
            {"type": "message", "usage": 5},
            {"usage_metadata": [1]},
            object(),
            iter("abc"),
        ],
        ids=repr,
    )
    def test_anything_else_is_returned_and_not_counted(
        self, value: object, spans: Spans, caplog: pytest.LogCaptureFixture
    ) -> None:
        @track_cost(provider="acme")
        def ask() -> object:
            return value

        assert ask() is value
        assert not spans.calls()
        assert len(spans.blocks()) == 1
        assert not caplog.records


class TestOtherInstrumentations:
    def test_what_others_record_is_not_counted_again(
        self, client: openai.OpenAI, spans: Spans, tracer_provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tracer = tracer_provider.get_tracer("opentelemetry.instrumentation.openai.v1")

        def theirs(wrapped: Callable[..., Any], _instance: Any, args: Any, keywords: Any) -> Any:
            with tracer.start_as_current_span("openai.chat") as span:
                response = wrapped(*args, **keywords)
                span.set_attribute("gen_ai.usage.input_tokens", response.usage.prompt_tokens)
                span.set_attribute("gen_ai.response.id", response.id)
                return response

        monkeypatch.setattr(Completions, "create", wrapt.FunctionWrapper(vars(Completions)["create"], theirs))

        @track_cost(provider="openai")
        @cache
        def ask() -> ChatCompletion:
            return client.chat.completions.create(**ASK)

        ask()
        ask()
        (call,) = spans.calls()
        assert call.name == "openai.chat"

    def test_an_sdk_that_makes_its_own_spans_is_not_counted_again(
        self,
        provider: FakeProvider,
        spans: Spans,
        tracer_provider: TracerProvider,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "llmlab-anthropic")
        client = anthropic.Anthropic(
            base_url=provider.anthropic_url, api_key="fake", open_telemetry={"tracer_provider": tracer_provider}
        )

        @track_cost(provider="anthropic")
        def ask() -> anthropic.types.Message:
            return client.messages.create(model="claude-haiku-4-5", max_tokens=50, messages=ASK["messages"])

        with client:
            ask()
        (call,) = spans.calls()
        assert call.instrumentation_scope is not None
        assert call.instrumentation_scope.name == "com.anthropic.sdk.python"

    def test_a_call_that_is_reported_by_hand_inside_counts_once(self, spans: Spans) -> None:
        @track_cost(provider="acme")
        def ask() -> dict[str, Any]:
            llmlab.sdk.track_call("acme", "m", 10, 4)
            return OPENAI

        ask()
        assert [attributes(span).get("gen_ai.request.model") for span in spans.calls()] == ["m"]


class TestFailuresOfOurs:
    def test_a_wrong_setting_does_not_reach_the_function(
        self, client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("LLMLAB_URL", "nonsense")

        @track_cost(provider="openai")
        def ask() -> ChatCompletion:
            return client.chat.completions.create(**ASK)

        for _ in range(2):
            assert ask().choices
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert record.getMessage() == "llmlab could not begin to track a block; your call is not affected"

    @pytest.mark.usefixtures("spans")
    def test_a_delivery_that_fails_does_not_either(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError("no")

        monkeypatch.setattr(SpanDelivery, "deliver", fail)
        with track_cost(provider="acme") as block:
            block.record(OPENAI)
        assert "could not read what a tracked function returned" in caplog.text

    def test_what_was_sampled_out_is_not_made_up_again(
        self, client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sampled_out = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
        exporter = InMemorySpanExporter()
        sampled_out.add_span_processor(SimpleSpanProcessor(exporter))
        monkeypatch.setattr(delivery, "_chosen", SpanDelivery(sampled_out, is_ours=False))

        @track_cost(provider="openai")
        def ask() -> ChatCompletion:
            return client.chat.completions.create(**ASK)

        assert ask().choices
        assert not exporter.get_finished_spans()
