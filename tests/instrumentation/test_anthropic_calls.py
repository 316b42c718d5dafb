"""What a span says of a call to Anthropic, directly or through a platform, and what becomes of the call."""

import asyncio
import gc
import json
from collections.abc import Callable, Iterator
from inspect import signature
from typing import TYPE_CHECKING, Any

import anthropic
import pydantic
import pytest
from anthropic.lib.bedrock import AnthropicBedrock
from anthropic.lib.vertex import AsyncAnthropicVertex
from anthropic.resources import Messages
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from fake_provider.testing import FakeProvider
from instrumentation.anthropic_ways import MESSAGE, STREAM, Form, of_model
from instrumentation.sdk_versions import http_library
from instrumentation.spans import Spans
from llmlab import __version__
from llmlab.instrumentor import LLMLabInstrumentor

if TYPE_CHECKING:
    import httpx2
else:
    httpx2 = http_library(anthropic.DefaultHttpxClient)  # older versions are on httpx

pytestmark = pytest.mark.usefixtures("instrumentor")


@pytest.fixture
def claude(provider: FakeProvider) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=provider.anthropic_url, api_key="fake", max_retries=0) as client:
        yield client


def test_the_span_describes_the_call(claude: anthropic.Anthropic, provider: FakeProvider, spans: Spans) -> None:
    extra_body = {"temperature": 0.5, "top_p": 0.9, "speed": "fast"}
    message = claude.messages.create(**MESSAGE, extra_body=extra_body)
    span, attributes = spans.one(), spans.attributes()
    assert (span.name, span.kind, span.status.status_code) == (
        "chat claude-haiku-4-5",
        SpanKind.CLIENT,
        StatusCode.UNSET,
    )
    assert span.instrumentation_scope is not None
    assert (span.instrumentation_scope.name, span.instrumentation_scope.version) == (
        "llmlab.instrumentation.anthropic",
        __version__,
    )
    assert {name: value for name, value in attributes.items() if ".usage." not in name} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-haiku-4-5",
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.response.model": "claude-haiku-4-5-20251001",
        "gen_ai.response.id": message.id,
        "gen_ai.response.finish_reasons": ("end_turn",),
        "llmlab.tier": "fast",
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.split(":")[2]),
    }


def test_the_effort_is_recorded(claude: anthropic.Anthropic, spans: Spans) -> None:
    claude.messages.create(**MESSAGE, extra_body={"output_config": {"effort": "low"}})
    assert spans.attributes()["gen_ai.request.reasoning.level"] == "low"


def test_content_is_never_recorded(claude: anthropic.Anthropic, spans: Spans) -> None:
    secret = "xyzzy"  # noqa: S105 - no password, but nothing that may be seen either
    claude.messages.create(
        model="claude-haiku-4-5",
        max_tokens=50,
        system=secret,
        messages=[{"role": "user", "content": secret}],
        metadata={"user_id": secret},
    )
    with pytest.raises(anthropic.BadRequestError, match=secret):
        claude.messages.create(**MESSAGE, extra_headers={"x-fake-usage": f'"{secret}"'})
    assert secret not in "".join(span.to_json() for span in spans.all())


def test_counting_tokens_is_no_call(claude: anthropic.Anthropic, spans: Spans) -> None:
    counted = claude.messages.count_tokens(model="claude-haiku-4-5", messages=MESSAGE["messages"])
    assert counted.input_tokens > 0
    assert not spans.all()


def test_prompts_in_the_cache_are_part_of_the_input(claude: anthropic.Anthropic, spans: Spans) -> None:
    handbook: Any = [{"type": "text", "text": "x" * 8000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    for _ in range(2):
        claude.messages.create(**MESSAGE, system=handbook)
    written, read = (span.attributes or {} for span in spans.all())
    assert written["llmlab.usage.cache_write_1h.input_tokens"] == 2003
    assert read["gen_ai.usage.cache_read.input_tokens"] == 2003
    assert written["gen_ai.usage.input_tokens"] == read["gen_ai.usage.input_tokens"] == 2003 + 8


class TestErrors:
    @pytest.mark.parametrize(
        ("model", "error"),
        [
            ("error-400", anthropic.BadRequestError),
            ("error-401", anthropic.AuthenticationError),
            ("error-429", anthropic.RateLimitError),
            ("error-500", anthropic.InternalServerError),
        ],
    )
    @pytest.mark.parametrize("stream", [False, True])
    def test_an_error_is_the_callers_and_on_the_span(
        self,
        model: str,
        error: type[anthropic.APIStatusError],
        stream: bool,
        claude: anthropic.Anthropic,
        instrumentor: LLMLabInstrumentor,
        spans: Spans,
    ) -> None:
        with pytest.raises(error) as raised:
            claude.messages.create(**of_model(model, MESSAGE), stream=stream)
        instrumentor.uninstrument()
        with pytest.raises(error) as raised_without_us:
            claude.messages.create(**of_model(model, MESSAGE), stream=stream)
        assert str(raised.value) == str(raised_without_us.value)
        frames = [(str(frame.path), frame.name) for frame in raised.traceback if "/llmlab/" not in str(frame.path)]
        assert frames == [(str(frame.path), frame.name) for frame in raised_without_us.traceback]
        assert spans.attributes()["error.type"] == error.__name__
        assert spans.one().status.status_code is StatusCode.ERROR
        assert spans.one().status.description is None
        assert not spans.usage()

    def test_the_sdks_retries_are_one_call(self, provider: FakeProvider, spans: Spans) -> None:
        with anthropic.Anthropic(base_url=provider.anthropic_url, api_key="fake", max_retries=2) as client:
            client.messages.create(**of_model("flaky", MESSAGE))
        assert len(provider.requests) == 2
        assert spans.attributes()["llmlab.usage.source"] == "reported"

    def test_a_cancelled_call_is_an_error(self, provider: FakeProvider, spans: Spans) -> None:
        async def run() -> None:
            async with anthropic.AsyncAnthropic(base_url=provider.anthropic_url, api_key="fake") as client:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(client.messages.create(**of_model("slow", MESSAGE)), 0.01)

        asyncio.run(run())
        assert spans.attributes()["error.type"] == "CancelledError"

    @pytest.mark.skipif(not hasattr(Messages, "parse"), reason="this version has no parse")
    def test_an_answer_of_the_wrong_form_is_billed_all_the_same(
        self, claude: anthropic.Anthropic, provider: FakeProvider, spans: Spans
    ) -> None:
        with pytest.raises(pydantic.ValidationError):
            claude.messages.parse(**MESSAGE, output_format=Form)
        assert provider.requests[0].usage is not None
        assert spans.attributes()["error.type"] == "ValidationError"
        assert spans.attributes()["gen_ai.usage.output_tokens"] == provider.requests[0].usage["output_tokens"]
        assert spans.attributes()["llmlab.usage.source"] == "reported"


def is_partial(spans: Spans) -> bool:
    """Say whether the one span is a partial one that knows the whole input."""
    attributes = spans.attributes()
    return (attributes["llmlab.usage.source"], attributes["gen_ai.usage.input_tokens"]) == ("partial", 11)


class TestBrokenStreams:
    def test_a_closed_stream_knows_its_input(self, claude: anthropic.Anthropic, spans: Spans) -> None:
        stream = claude.messages.create(**of_model("slow", STREAM))
        next(iter(stream))
        assert not spans.all()
        stream.close()
        assert is_partial(spans)

    def test_a_stream_that_nobody_holds_any_more_is_settled(self, claude: anthropic.Anthropic, spans: Spans) -> None:
        stream = claude.messages.create(**of_model("slow", STREAM))
        next(iter(stream))
        del stream
        gc.collect()
        assert is_partial(spans)

    def test_leaving_the_helper_early_settles(self, claude: anthropic.Anthropic, spans: Spans) -> None:
        with claude.messages.stream(**of_model("slow", MESSAGE)) as stream:
            next(stream.text_stream)
            assert not spans.all()
        assert is_partial(spans)

    def test_leaving_the_asynchronous_helper_early_settles(self, provider: FakeProvider, spans: Spans) -> None:
        async def run() -> None:
            async with (
                anthropic.AsyncAnthropic(base_url=provider.anthropic_url, api_key="fake") as client,
                client.messages.stream(**of_model("slow", MESSAGE)) as stream,
            ):
                await anext(stream.text_stream)

        asyncio.run(run())
        assert is_partial(spans)

    def test_a_helper_that_is_never_entered_is_no_call(
        self, claude: anthropic.Anthropic, provider: FakeProvider, spans: Spans
    ) -> None:
        claude.messages.stream(**MESSAGE)
        assert not spans.all()
        assert not provider.requests

    @pytest.mark.parametrize("model", ["truncated", "error-in-stream"])
    def test_a_stream_that_fails_is_an_error_with_what_is_known(
        self, model: str, claude: anthropic.Anthropic, spans: Spans
    ) -> None:
        stream = claude.messages.create(**of_model(model, STREAM))
        with pytest.raises(Exception, match=r"Overloaded|peer closed"):
            list(stream)
        assert is_partial(spans)
        assert spans.one().status.status_code is StatusCode.ERROR

    def test_a_stream_that_just_ends_is_not_taken_for_complete(self, claude: anthropic.Anthropic, spans: Spans) -> None:
        list(claude.messages.create(**of_model("ends-early", STREAM)))
        assert is_partial(spans)


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


class TestBatches:
    REQUESTS = (
        {"custom_id": "one", "params": MESSAGE},
        {"custom_id": "two", "params": of_model("expired", MESSAGE)},
        {"custom_id": "three", "params": of_model("error-400", MESSAGE)},
        {"custom_id": "four", "params": {**of_model("claude-opus-4-5", MESSAGE), "max_tokens": 2}},
    )

    def bills(self, provider: FakeProvider) -> list[tuple[str, int]]:
        return [(bill["model"], bill["usage"]["output_tokens"]) for bill in provider.book.bills()]

    def counted(self, spans: Spans) -> list[tuple[Any, Any]]:
        attributes = [span.attributes or {} for span in spans.all()]
        return [(each["gen_ai.response.model"], each["gen_ai.usage.output_tokens"]) for each in attributes]

    @pytest.mark.parametrize(
        "beta",
        [
            pytest.param(False, marks=pytest.mark.cell("anthropic", "messages.batches.results", "sync")),
            pytest.param(True, marks=pytest.mark.cell("anthropic", "beta.messages.batches.results", "sync")),
        ],
    )
    def test_each_result_that_succeeded_is_a_call(
        self, beta: bool, claude: anthropic.Anthropic, provider: FakeProvider, spans: Spans
    ) -> None:
        batches: Any = (claude.beta if beta else claude).messages.batches
        batch = batches.create(requests=self.REQUESTS)
        assert not spans.all()
        results = batches.results(batch.id)
        assert not spans.all()
        assert [result.custom_id for result in results] == ["one", "two", "three", "four"]
        assert self.counted(spans) == self.bills(provider)
        assert len(spans.all()) == 2
        for span in spans.all():
            attributes = span.attributes or {}
            assert attributes["llmlab.batch"] is True
            assert attributes["llmlab.usage.source"] == "reported"
            assert attributes["gen_ai.operation.name"] == "chat"

    @pytest.mark.parametrize(
        "beta",
        [
            pytest.param(False, marks=pytest.mark.cell("anthropic", "messages.batches.results", "async")),
            pytest.param(True, marks=pytest.mark.cell("anthropic", "beta.messages.batches.results", "async")),
        ],
    )
    def test_the_asynchronous_client_records_them_too(self, beta: bool, provider: FakeProvider, spans: Spans) -> None:
        async def run() -> int:
            async with anthropic.AsyncAnthropic(base_url=provider.anthropic_url, api_key="fake") as client:
                batches: Any = (client.beta if beta else client).messages.batches
                batch = await batches.create(requests=self.REQUESTS)
                return len([result async for result in await batches.results(batch.id)])

        assert asyncio.run(run()) == 4
        assert self.counted(spans) == self.bills(provider)

    def test_results_that_are_fetched_again_have_the_same_ids(self, claude: anthropic.Anthropic, spans: Spans) -> None:
        batches: Any = claude.messages.batches
        batch = batches.create(requests=self.REQUESTS[:1])
        for _ in range(2):
            list(batches.results(batch.id))
        ids = [(span.attributes or {})["gen_ai.response.id"] for span in spans.all()]
        assert len(ids) == 2
        assert len(set(ids)) == 1

    def test_raw_results_are_recorded_when_they_are_parsed(
        self, claude: anthropic.Anthropic, provider: FakeProvider, spans: Spans
    ) -> None:
        batches: Any = claude.messages.batches
        batch = batches.create(requests=self.REQUESTS)
        if not hasattr(batches.with_raw_response, "results"):
            pytest.skip("this version has no raw results")
        response = batches.with_raw_response.results(batch.id)
        assert not spans.all()
        list(response.parse())
        assert self.counted(spans) == self.bills(provider)

    def test_the_caller_gets_the_sdks_own_object(
        self, claude: anthropic.Anthropic, instrumentor: LLMLabInstrumentor
    ) -> None:
        batches: Any = claude.messages.batches
        batch = batches.create(requests=self.REQUESTS)
        results = batches.results(batch.id)
        instrumentor.uninstrument()
        without_us = batches.results(batch.id)
        assert isinstance(results, type(without_us))
        assert list(results) == list(without_us)


COMPACTION = {
    "type": "compaction",
    "input_tokens": 1000,
    "cache_read_input_tokens": 300,
    "cache_creation_input_tokens": 40,
    "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 70,
}
COMPACTED = {
    "input_tokens": 20,
    "cache_read_input_tokens": 500,
    "cache_creation_input_tokens": 0,
    "output_tokens": 9,
    "iterations": [COMPACTION, {**COMPACTION, "type": "message", "input_tokens": 20, "output_tokens": 9}],
}


@pytest.mark.parametrize("stream", [False, True])
def test_a_pass_that_compacts_is_billed_on_top(stream: bool, claude: anthropic.Anthropic, spans: Spans) -> None:
    headers = {"x-fake-usage": json.dumps(COMPACTED)}
    created = claude.beta.messages.create(**MESSAGE, stream=stream, extra_headers=headers)
    if stream:
        list(created)
    usage = spans.usage()
    assert usage["gen_ai.usage.input_tokens"] == (20 + 500) + (1000 + 300 + 40)
    assert usage["gen_ai.usage.output_tokens"] == 9 + 70
    assert usage["gen_ai.usage.cache_read.input_tokens"] == 500 + 300
    assert usage["gen_ai.usage.cache_write.input_tokens"] == 40
    assert usage["llmlab.usage.cache_write_5m.input_tokens"] == 40


def counted(**counts: Any) -> dict[str, Any]:
    return {"cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, **counts}


class TestFurtherModels:
    """What other models did within a call is left out of its totals, and billed by their own prices."""

    def spans_by_model(self, spans: Spans) -> dict[Any, tuple[Any, Any]]:
        attributes = [span.attributes or {} for span in spans.all()]
        return {
            each["gen_ai.response.model"]: (each["gen_ai.usage.input_tokens"], each["gen_ai.usage.output_tokens"])
            for each in attributes
        }

    @pytest.mark.parametrize("stream", [False, True])
    def test_advice_is_a_call_of_its_own(self, stream: bool, claude: anthropic.Anthropic, spans: Spans) -> None:
        own = counted(input_tokens=20, output_tokens=9)
        advice = counted(
            type="advisor_message",
            model="claude-opus-4-5",
            input_tokens=800,
            cache_read_input_tokens=23,
            output_tokens=40,
        )
        usage = {**own, "iterations": [{**own, "type": "message"}, advice]}
        headers = {"x-fake-usage": json.dumps(usage)}
        created = claude.beta.messages.create(**MESSAGE, stream=stream, extra_headers=headers)
        if stream:
            list(created)
        assert self.spans_by_model(spans) == {"claude-haiku-4-5-20251001": (20, 9), "claude-opus-4-5": (823, 40)}
        ids = [(span.attributes or {})["gen_ai.response.id"] for span in spans.all()]
        assert len(set(ids)) == 2

    def test_what_a_model_said_before_it_declined_is_billed(self, claude: anthropic.Anthropic, spans: Spans) -> None:
        iterations = [
            counted(type="message", model="claude-opus-4-8", input_tokens=30, output_tokens=0),
            counted(type="message", model="claude-opus-4-7", input_tokens=30, output_tokens=5),
            counted(type="message", model="claude-haiku-4-5-20251001", input_tokens=10, output_tokens=2),
            counted(type="fallback_message", model="claude-haiku-4-5-20251001", input_tokens=20, output_tokens=7),
        ]
        usage = counted(input_tokens=30, output_tokens=9, iterations=iterations)
        claude.beta.messages.create(**MESSAGE, extra_headers={"x-fake-usage": json.dumps(usage)})
        assert self.spans_by_model(spans) == {"claude-haiku-4-5-20251001": (30, 9), "claude-opus-4-7": (30, 5)}

    def test_in_a_batch_it_is_part_of_the_batch(self, claude: anthropic.Anthropic, spans: Spans) -> None:
        advice = counted(type="advisor_message", model="claude-opus-4-5", input_tokens=800, output_tokens=40)
        headers = {"x-fake-usage": json.dumps({"iterations": [advice]})}
        batches: Any = claude.beta.messages.batches
        batch = batches.create(requests=TestBatches.REQUESTS[:1], extra_headers=headers)
        list(batches.results(batch.id))
        assert [(span.attributes or {})["llmlab.batch"] for span in spans.all()] == [True, True]
        assert self.spans_by_model(spans)["claude-opus-4-5"] == (800, 40)


class TestPlatforms:
    BEDROCK = of_model("us.anthropic.claude-haiku-4-5-20251001-v1:0", MESSAGE)
    VERTEX = of_model("claude-haiku-4-5@20251001", MESSAGE)

    def told(self, spans: Spans, provider: FakeProvider) -> bool:
        attributes, (request,) = spans.attributes(), provider.requests
        assert request.usage is not None
        return (
            attributes["gen_ai.response.model"] == request.model == "claude-haiku-4-5-20251001"
            and attributes["gen_ai.usage.output_tokens"] == request.usage["output_tokens"]
            and attributes["llmlab.usage.source"] == "reported"
        )

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize("beta", [False, True])
    def test_bedrock_is_told_by_its_client(
        self, stream: bool, beta: bool, provider: FakeProvider, spans: Spans
    ) -> None:
        client = AnthropicBedrock(
            base_url=provider.anthropic_bedrock_url,
            aws_access_key="fake",
            aws_secret_key="fake",
            aws_region="eu-west-1",
        )
        with client:
            created = (client.beta if beta else client).messages.create(**self.BEDROCK, stream=stream)
            if stream:
                list(created)
        assert spans.attributes()["gen_ai.provider.name"] == "aws.bedrock"
        assert spans.attributes()["gen_ai.request.model"] == self.BEDROCK["model"]
        assert self.told(spans, provider)

    @pytest.mark.parametrize("stream", [False, True])
    def test_vertex_is_told_by_its_client(self, stream: bool, provider: FakeProvider, spans: Spans) -> None:
        async def run() -> None:
            async with AsyncAnthropicVertex(
                base_url=provider.anthropic_vertex_url, access_token="fake", region="europe-west1", project_id="p"
            ) as client:
                created: Any = await client.messages.create(**self.VERTEX, stream=stream)
                if stream:
                    [_ async for _ in created]

        asyncio.run(run())
        assert spans.attributes()["gen_ai.provider.name"] == "gcp.vertex_ai"
        assert spans.attributes()["gen_ai.request.model"] == self.VERTEX["model"]
        assert self.told(spans, provider)

    def test_foundry_serves_at_a_host_of_azures_by_anthropics_prices(self, spans: Spans) -> None:
        foundry = pytest.importorskip("anthropic.lib.foundry", reason="this version knows no Foundry")

        def answer(_: httpx2.Request) -> httpx2.Response:
            usage = {"input_tokens": 3, "output_tokens": 2}
            return httpx2.Response(200, json={"id": "msg_1", "model": "m", "content": [], "usage": usage})

        http_client = httpx2.Client(transport=httpx2.MockTransport(answer))
        with foundry.AnthropicFoundry(resource="shop", api_key="fake", http_client=http_client) as client:
            client.messages.create(**MESSAGE)
        attributes = spans.attributes()
        assert attributes["gen_ai.provider.name"] == "anthropic"
        assert (attributes["server.address"], attributes["server.port"]) == ("shop.services.ai.azure.com", 443)
        assert attributes["gen_ai.usage.input_tokens"] == 3


@pytest.mark.skipif(not hasattr(anthropic, "beta_tool"), reason="this version has no tool runner")
def test_every_turn_of_the_tool_runner_is_a_call(
    claude: anthropic.Anthropic, provider: FakeProvider, spans: Spans
) -> None:
    def weather() -> str:
        """Tell the weather."""
        return "fine"

    runner = claude.beta.messages.tool_runner(
        **MESSAGE, tools=[anthropic.beta_tool(weather)], tool_choice={"type": "any"}
    )
    assert runner.until_done().stop_reason == "end_turn"
    assert [(span.attributes or {})["gen_ai.response.finish_reasons"] for span in spans.all()] == [
        ("tool_use",),
        ("end_turn",),
    ]
    assert [(span.attributes or {})["gen_ai.usage.output_tokens"] for span in spans.all()] == [
        (request.usage or {})["output_tokens"] for request in provider.requests
    ]
