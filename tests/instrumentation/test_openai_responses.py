"""The Responses API: exact usage on one span however the call is made, and nothing changed for the caller."""

import asyncio
import json
from typing import Any

import openai
import pytest
from opentelemetry.trace import StatusCode

from fake_provider.testing import FakeProvider
from instrumentation.cells import Cells, every_failure, every_stream, every_way
from instrumentation.reading import Way, leave_early, of_model
from instrumentation.responses_ways import ASK, STREAM, WAYS, compacted
from instrumentation.sdk_versions import requires
from instrumentation.spans import Spans
from llmlab.instrumentor import LLMLabInstrumentor

pytestmark = [pytest.mark.usefixtures("instrumentor"), requires("openai", "1.66")]

DICTATED = {
    "prompt_tokens": 1873,
    "completion_tokens": 317,
    "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 512},
    "completion_tokens_details": {"reasoning_tokens": 192},
}
"""Every count that the API knows, each one different, so that none can pass for another."""

EXPECTED = {
    "gen_ai.usage.input_tokens": 1873,
    "gen_ai.usage.output_tokens": 317,
    "gen_ai.usage.cache_read.input_tokens": 1024,
    "gen_ai.usage.cache_write.input_tokens": 512,
    "gen_ai.usage.reasoning.output_tokens": 192,
}

CLIENTS = (openai.OpenAI, openai.AsyncOpenAI)
CELLS = Cells("openai", WAYS, CLIENTS, "kind")


def call(kind: type[Any], url: str, way: Way, **options: str) -> Any:
    async def run() -> Any:
        headers = {"x-fake-usage": json.dumps(DICTATED), **options}
        client = kind(base_url=url, api_key="fake", max_retries=0, default_headers=headers)
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
    call(kind, provider.openai_url, way)
    (request,) = provider.requests
    assert request.usage is not None
    assert request.usage["input_tokens"] == 1873
    attributes = spans.attributes()
    assert spans.usage() == EXPECTED
    assert attributes["llmlab.usage.source"] == "reported"
    if way is not compacted:  # the answer names neither
        assert attributes["gen_ai.response.model"] == request.model
        assert attributes["openai.response.service_tier"] == request.tier


@every_stream(CELLS)
def test_a_stream_that_is_left_early_is_partial(
    kind: type[Any], way: Way, provider: FakeProvider, spans: Spans
) -> None:
    leave_early(call, kind, provider.openai_url, way)
    assert spans.is_partial()
    assert not spans.usage()  # it is reported at the end


@every_failure(CELLS)
def test_a_call_that_fails_has_no_usage(kind: type[Any], way: Way, provider: FakeProvider, spans: Spans) -> None:
    with pytest.raises(openai.RateLimitError) as raised:
        call(kind, provider.openai_url, way, **{"x-fake-behaviour": "error-429"})
    assert spans.is_refused(raised.value)


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_caller_sees_what_it_would_see_without_us(
    kind: type[Any], way: Way, provider: FakeProvider, instrumentor: LLMLabInstrumentor
) -> None:
    instrumented = call(kind, provider.openai_url, way)
    instrumentor.uninstrument()
    assert instrumented == call(kind, provider.openai_url, way)
    with_us, without_us = (request.body for request in provider.requests)
    assert with_us == without_us


@requires("openai", "1.76")
def test_the_span_describes_the_call(client: openai.OpenAI, provider: FakeProvider, spans: Spans) -> None:
    response = client.responses.create(**ASK, service_tier="flex", top_p=0.9)
    assert spans.one().name == "chat gpt-5-mini"
    assert {name: value for name, value in spans.attributes().items() if ".usage." not in name} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.request.max_tokens": 90,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.reasoning.level": "low",
        "gen_ai.response.model": "gpt-5-mini-2025-08-07",
        "gen_ai.response.id": response.id,
        "gen_ai.response.finish_reasons": ("completed",),
        "openai.api.type": "responses",
        "openai.request.service_tier": "flex",
        "openai.response.service_tier": "flex",
        "server.address": "127.0.0.1",
        "server.port": int(provider.openai_url.split(":")[2].split("/")[0]),
    }


def test_content_is_never_recorded(client: openai.OpenAI, spans: Spans) -> None:
    secret = "xyzzy"  # noqa: S105 - no password, but nothing that may be seen either
    list(client.responses.create(model="gpt-4o", input=secret, instructions=secret, user=secret, stream=True))
    with pytest.raises(openai.BadRequestError, match=secret):
        client.responses.create(**ASK, extra_headers={"x-fake-usage": f'"{secret}"'})
    assert secret not in "".join(span.to_json() for span in spans.all())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "limit", "reason"),
    [("gpt-4o", 2, "max_output_tokens"), ("response-failed", None, "failed"), ("gpt-4o", None, "completed")],
)
def test_a_response_is_billed_however_it_ends(
    stream: bool,
    model: str,
    limit: int | None,
    reason: str,
    client: openai.OpenAI,
    provider: FakeProvider,
    spans: Spans,
) -> None:
    result: Any = client.responses.create(model=model, input="one two three", max_output_tokens=limit, stream=stream)
    if stream:
        list(result)
    usage = provider.requests[0].usage
    assert usage is not None
    attributes = spans.attributes()
    assert attributes["gen_ai.usage.output_tokens"] == usage["output_tokens"]
    assert attributes["gen_ai.response.finish_reasons"] == (reason,)
    assert attributes["llmlab.usage.source"] == "reported"


@requires("openai", "1.82")
class TestBackground:
    def test_a_queued_response_has_no_usage_yet(self, client: openai.OpenAI, spans: Spans) -> None:
        queued = client.responses.create(**ASK, background=True)
        assert queued.status == "queued"
        attributes = spans.attributes()
        assert attributes["gen_ai.response.id"] == queued.id
        assert not spans.usage()
        assert not {"llmlab.usage.source", "gen_ai.response.finish_reasons"} & set(attributes)

    def test_fetching_the_finished_response_is_no_call(self, client: openai.OpenAI, spans: Spans) -> None:
        queued = client.responses.create(**ASK, background=True)
        finished = client.responses.retrieve(queued.id)
        assert finished.usage is not None
        assert len(spans.all()) == 1


class TestHostedTools:
    TOOLS: tuple[Any, ...] = ({"type": "web_search"}, {"type": "file_search", "vector_store_ids": ["vs_1"]})

    @pytest.mark.parametrize("stream", [False, True])
    def test_searches_are_counted_and_opened_pages_are_not(
        self, stream: bool, client: openai.OpenAI, spans: Spans
    ) -> None:
        result: Any = client.responses.create(**ASK, tools=list(self.TOOLS), stream=stream)
        if stream:
            list(result)
        attributes = spans.attributes()
        assert attributes["llmlab.usage.web_searches"] == 1
        assert attributes["llmlab.usage.file_searches"] == 1

    def test_a_response_without_them_says_nothing_about_searches(self, client: openai.OpenAI, spans: Spans) -> None:
        client.responses.create(**ASK)
        assert not {"llmlab.usage.web_searches", "llmlab.usage.file_searches"} & set(spans.attributes())


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("error-400", openai.BadRequestError),
        ("error-401", openai.AuthenticationError),
        ("error-429", openai.RateLimitError),
        ("error-500", openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("request_", [ASK, STREAM], ids=["plain", "streamed"])
def test_an_error_is_the_callers_and_on_the_span(
    model: str, error: type[Exception], request_: dict[str, Any], client: openai.OpenAI, spans: Spans
) -> None:
    with pytest.raises(error):
        client.responses.create(**of_model(model, request_))
    assert spans.attributes()["error.type"] == error.__name__
    assert spans.one().status.status_code is StatusCode.ERROR
    assert not spans.usage()


class TestBrokenStreams:
    def test_a_connection_that_drops_is_an_error(self, client: openai.OpenAI, spans: Spans) -> None:
        with pytest.raises(Exception, match=r"Connection error|peer closed") as raised:
            list(client.responses.create(**of_model("truncated", STREAM)))
        attributes = spans.attributes()
        assert attributes["llmlab.usage.source"] == "partial"
        assert attributes["gen_ai.response.model"] == "truncated"
        assert attributes["error.type"] == type(raised.value).__name__
        assert not spans.usage()

    def test_a_stream_that_ends_with_an_error_event_is_partial(self, client: openai.OpenAI, spans: Spans) -> None:
        events = list(client.responses.create(**of_model("error-in-stream", STREAM)))
        assert "server_error" in repr(events[-1])  # for which the SDK raises nothing
        assert spans.attributes()["llmlab.usage.source"] == "partial"
        assert not spans.usage()

    def test_a_closed_stream_is_partial_and_settled_once(self, client: openai.OpenAI, spans: Spans) -> None:
        with client.responses.create(**STREAM) as stream:
            next(stream)
        stream.close()
        attributes = spans.attributes()
        assert attributes["llmlab.usage.source"] == "partial"
        assert str(attributes["gen_ai.response.id"]).startswith("resp_")
        assert "error.type" not in attributes

    def test_an_abandoned_stream_is_partial(self, client: openai.OpenAI, spans: Spans) -> None:
        for _ in client.responses.create(**STREAM):
            break
        assert spans.attributes()["llmlab.usage.source"] == "partial"

    def test_an_abandoned_asynchronous_stream_is_partial(self, provider: FakeProvider, spans: Spans) -> None:
        async def run() -> None:
            async with (
                openai.AsyncOpenAI(base_url=provider.openai_url, api_key="fake") as client,
                await client.responses.create(**STREAM) as stream,
            ):
                await anext(stream)

        asyncio.run(run())
        assert spans.attributes()["llmlab.usage.source"] == "partial"

    def test_a_helper_is_settled_when_it_is_left(self, client: openai.OpenAI, spans: Spans) -> None:
        with client.responses.stream(**ASK) as stream:
            next(iter(stream))
            assert not spans.all()
        assert spans.attributes()["llmlab.usage.source"] == "partial"
        assert str(spans.attributes()["gen_ai.response.id"]).startswith("resp_")

    def test_an_asynchronous_helper_is_settled_when_it_is_left(self, provider: FakeProvider, spans: Spans) -> None:
        async def run() -> None:
            async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="fake") as client:
                async with client.responses.stream(**ASK) as stream:
                    await anext(aiter(stream))
                assert spans.attributes()["llmlab.usage.source"] == "partial"

        asyncio.run(run())


class TestHelper:
    def test_an_error_is_the_callers(self, client: openai.OpenAI, spans: Spans) -> None:
        with pytest.raises(openai.RateLimitError), client.responses.stream(**of_model("error-429", ASK)):
            pass
        assert spans.attributes()["error.type"] == "RateLimitError"

    def test_it_is_no_call_before_it_is_entered(self, client: openai.OpenAI, spans: Spans) -> None:
        client.responses.stream(**ASK)
        assert not spans.all()

    @requires("openai", "1.92")
    def test_it_makes_one_call(self, client: openai.OpenAI, provider: FakeProvider, spans: Spans) -> None:
        with client.responses.stream(**ASK) as stream:
            stream.until_done()
        assert len(provider.requests) == len(spans.all()) == 1

    @requires("openai", "1.82")
    def test_streaming_a_response_that_exists_is_no_call(self, client: openai.OpenAI, spans: Spans) -> None:
        with pytest.raises(openai.APIStatusError), client.responses.stream(response_id="resp_unknown"):
            pass
        assert not spans.all()
