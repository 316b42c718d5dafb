"""Since 1.14 the SDK `anthropic` makes spans of its own. Each call has one span, and it is ours."""

import asyncio
import json
from collections.abc import Callable, Iterator
from inspect import signature
from typing import Any

import anthropic
import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fake_provider.testing import FakeProvider
from instrumentation.anthropic_ways import COMPACTED, MESSAGE, STREAM, of_model
from instrumentation.spans import Spans
from llmlab.instrumentor import LLMLabInstrumentor

pytestmark = pytest.mark.usefixtures("instrumentor")


@pytest.mark.skipif("open_telemetry" not in signature(anthropic.Anthropic).parameters, reason="it makes no spans yet")
class TestOwnSpans:
    """Since 1.14 the SDK makes spans of its own, to the same place as ours unless the application says otherwise."""

    @pytest.fixture
    def traced(self, provider: FakeProvider) -> Iterator[Callable[[TracerProvider], anthropic.Anthropic]]:
        clients: list[anthropic.Anthropic] = []

        def connect(destination: TracerProvider) -> anthropic.Anthropic:
            options: Any = {"open_telemetry": {"tracer_provider": destination}}
            clients.append(anthropic.Anthropic(base_url=provider.anthropic_url, api_key="fake", **options))
            return clients[-1]

        yield connect
        for client in clients:
            client.close()

    @pytest.fixture
    def client(
        self, traced: Callable[[TracerProvider], anthropic.Anthropic], tracer_provider: TracerProvider
    ) -> anthropic.Anthropic:
        return traced(tracer_provider)

    def scopes(self, spans: Spans) -> list[str]:
        return [span.instrumentation_scope.name for span in spans.all() if span.instrumentation_scope]

    @pytest.mark.parametrize("beta", [False, True])
    @pytest.mark.parametrize("stream", [False, True])
    def test_a_call_has_one_span(self, beta: bool, stream: bool, client: anthropic.Anthropic, spans: Spans) -> None:
        resource = client.beta.messages if beta else client.messages
        created = resource.create(**MESSAGE, stream=stream)
        if stream:
            list(created)
        assert self.scopes(spans) == ["llmlab.instrumentation.anthropic"]

    def test_a_failed_call_has_one_span(self, client: anthropic.Anthropic, spans: Spans) -> None:
        with pytest.raises(anthropic.BadRequestError):
            client.messages.create(**of_model("error-400", MESSAGE))
        assert self.scopes(spans) == ["llmlab.instrumentation.anthropic"]

    def test_the_helper_has_one_span(self, client: anthropic.Anthropic, spans: Spans) -> None:
        with client.messages.stream(**MESSAGE) as stream:
            stream.until_done()
        assert self.scopes(spans) == ["llmlab.instrumentation.anthropic"]

    def test_an_asynchronous_call_has_one_span(
        self, provider: FakeProvider, tracer_provider: TracerProvider, spans: Spans
    ) -> None:
        options: Any = {"open_telemetry": {"tracer_provider": tracer_provider}}

        async def run() -> None:
            async with anthropic.AsyncAnthropic(base_url=provider.anthropic_url, api_key="fake", **options) as client:
                await client.messages.create(**MESSAGE)
                [_ async for _ in await client.messages.create(**STREAM)]

        asyncio.run(run())
        assert self.scopes(spans) == ["llmlab.instrumentation.anthropic"] * 2

    @pytest.mark.parametrize("stream", [False, True])
    def test_the_sdks_own_span_is_back_without_us(
        self, stream: bool, client: anthropic.Anthropic, instrumentor: LLMLabInstrumentor, spans: Spans
    ) -> None:
        client.messages.create(**MESSAGE)
        instrumentor.uninstrument()
        created = client.messages.create(**MESSAGE, stream=stream)
        if stream:
            list(created)
        assert self.scopes(spans) == ["llmlab.instrumentation.anthropic", "com.anthropic.sdk.python"]

    def test_both_spans_tell_the_same_bill(
        self, client: anthropic.Anthropic, instrumentor: LLMLabInstrumentor, spans: Spans
    ) -> None:
        headers = {"x-fake-usage": json.dumps(COMPACTED)}
        client.beta.messages.create(**MESSAGE, extra_headers=headers)
        instrumentor.uninstrument()
        client.beta.messages.create(**MESSAGE, extra_headers=headers)
        ours, theirs = (span.attributes or {} for span in spans.all())
        for kind in ("input", "output"):
            totals: Any = theirs[f"gen_ai.usage.{kind}_tokens"], theirs[f"anthropic.usage.compaction.{kind}_tokens"]
            assert ours[f"gen_ai.usage.{kind}_tokens"] == sum(totals)

    def test_a_call_that_we_leave_alone_keeps_the_sdks_span(self, client: anthropic.Anthropic, spans: Spans) -> None:
        with suppress_instrumentation():
            client.messages.create(**MESSAGE)
        assert self.scopes(spans) in (["com.anthropic.sdk.python"], [])  # newer versions of OpenTelemetry heed it too

    def test_other_spans_of_the_sdk_stay(self, client: anthropic.Anthropic, spans: Spans) -> None:
        client.messages.count_tokens(model="claude-haiku-4-5", messages=MESSAGE["messages"])
        assert spans.one().name == "anthropic.messages.count_tokens"

    def test_the_request_still_carries_the_trace(
        self, client: anthropic.Anthropic, provider: FakeProvider, spans: Spans
    ) -> None:
        client.messages.create(**MESSAGE)
        context = spans.one().get_span_context()
        assert context is not None
        sent = provider.requests[0].headers["traceparent"]
        assert sent.split("-")[1:3] == [f"{context.trace_id:032x}", f"{context.span_id:016x}"]

    def test_spans_that_go_elsewhere_are_the_applications_own(
        self, traced: Callable[[TracerProvider], anthropic.Anthropic], spans: Spans
    ) -> None:
        elsewhere = TracerProvider()
        there = Spans(InMemorySpanExporter())
        elsewhere.add_span_processor(SimpleSpanProcessor(there.exporter))
        traced(elsewhere).messages.create(**MESSAGE)
        assert self.scopes(spans) == ["llmlab.instrumentation.anthropic"]
        assert self.scopes(there) == ["com.anthropic.sdk.python"]
