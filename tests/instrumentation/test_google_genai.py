"""Calls to the Gemini API and to Vertex AI: exact usage on one span per request, and nothing changed for the caller."""

import asyncio
import gc
import json
from collections.abc import Iterator
from typing import Any

import pytest
from google.genai import Client, __version__, errors, types
from opentelemetry.trace import StatusCode
from packaging.version import Version

from fake_provider.testing import FakeProvider
from instrumentation.cells import Cells, every_failure, every_stream, every_way
from instrumentation.google_genai_ways import ASK, CONFIG, EMBED, EMBEDDINGS, GENERATE, Way, asking, call, make_client
from instrumentation.reading import leave_early
from instrumentation.spans import Spans
from llmlab.instrumentor import LLMLabInstrumentor

DICTATED: dict[str, Any] = {
    "promptTokenCount": 1873,
    "toolUsePromptTokenCount": 52,
    "cachedContentTokenCount": 1024,
    "candidatesTokenCount": 125,
    "thoughtsTokenCount": 192,
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 1000},
        {"modality": "AUDIO", "tokenCount": 400},
        {"modality": "IMAGE", "tokenCount": 258},
        {"modality": "DOCUMENT", "tokenCount": 115},
        {"modality": "VIDEO", "tokenCount": 100},
    ],
    "toolUsePromptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 50},
        {"modality": "AUDIO", "tokenCount": 2},
    ],
    "cacheTokensDetails": [
        {"modality": "TEXT", "tokenCount": 700},
        {"modality": "AUDIO", "tokenCount": 300},
        {"modality": "IMAGE", "tokenCount": 20},
        {"modality": "DOCUMENT", "tokenCount": 4},
    ],
    "candidatesTokensDetails": [
        {"modality": "TEXT", "tokenCount": 10},
        {"modality": "AUDIO", "tokenCount": 70},
        {"modality": "IMAGE", "tokenCount": 31},
        {"modality": "VIDEO", "tokenCount": 14},
    ],
}
EXPECTED = {
    "gen_ai.usage.input_tokens": 1873 + 52,
    "gen_ai.usage.output_tokens": 125 + 192,
    "gen_ai.usage.cache_read.input_tokens": 1024,
    "gen_ai.usage.audio.input_tokens": 400 + 2,
    "gen_ai.usage.image.input_tokens": 258 + 115,
    "llmlab.usage.video.input_tokens": 100,
    "gen_ai.usage.audio.cache_read.input_tokens": 300,
    "gen_ai.usage.image.cache_read.input_tokens": 20 + 4,
    "gen_ai.usage.reasoning.output_tokens": 192,
    "gen_ai.usage.audio.output_tokens": 70,
    "gen_ai.usage.image.output_tokens": 31,
    "llmlab.usage.video.output_tokens": 14,
}

TELLS_HEADERS = "sdk_http_response" in types.GenerateContentResponse.model_fields
"""The headers of the response, which say the tier that the Gemini API served; from 1.25 on or a little earlier."""
TELLS_EMBEDDINGS = "usage_metadata" in types.EmbedContentResponse.model_fields
"""What embeddings by the Gemini API used; after 3.0."""

EARLY = EXPECTED | {"gen_ai.usage.output_tokens": 120 + 192}
"""What the first of six words reports: five tokens are still to come."""

SIDES, VERTEX_SIDES = ((False, False), (False, True)), ((True, False), (True, True))
"""On Vertex AI or not, asynchronous or not."""

GENERATE_CELLS = (
    Cells("google-genai", GENERATE, SIDES, "side"),
    Cells("google-genai", GENERATE, VERTEX_SIDES, "side", at="Vertex AI"),
)
EMBED_CELLS = (
    Cells("google-genai", EMBEDDINGS, SIDES, "side"),
    Cells("google-genai", EMBEDDINGS, VERTEX_SIDES, "side", at="Vertex AI"),
)
Side = tuple[bool, bool]

both_sides = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


@pytest.fixture(autouse=True)
def patched(instrumentor: LLMLabInstrumentor) -> LLMLabInstrumentor:
    return instrumentor


@pytest.fixture
def gemini(provider: FakeProvider) -> Client:
    return make_client(provider.url)


@every_way(*GENERATE_CELLS)
def test_the_span_carries_what_the_provider_billed(way: Way, side: Side, provider: FakeProvider, spans: Spans) -> None:
    vertex, asynchronous = side
    call(make_client(provider.url, vertex=vertex, usage=DICTATED), way, asynchronous=asynchronous)
    attributes = spans.attributes()
    (request,) = provider.requests
    assert request.usage is not None
    assert DICTATED.items() <= request.usage.items()
    assert spans.usage() == EXPECTED
    assert attributes["llmlab.usage.source"] == "reported"
    assert attributes["gen_ai.provider.name"] == ("gcp.vertex_ai" if vertex else "gcp.gemini")
    assert attributes["gen_ai.response.model"] == "gemini-2.5-flash"
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert attributes.get("llmlab.tier") == (provider.requests[0].tier if vertex or TELLS_HEADERS else None)


@every_way(*EMBED_CELLS)
def test_embeddings_carry_what_the_provider_billed(way: Way, side: Side, provider: FakeProvider, spans: Spans) -> None:
    vertex, asynchronous = side
    call(make_client(provider.url, vertex=vertex), way, asynchronous=asynchronous)
    billed = (provider.requests[0].usage or {})["promptTokenCount"]
    assert billed > 0
    assert spans.attributes()["gen_ai.operation.name"] == "embeddings"
    assert spans.attributes()["gen_ai.embeddings.dimension.count"] == 4
    if not (vertex or TELLS_EMBEDDINGS):
        assert not spans.usage()
        pytest.skip("this version does not hand out what the Gemini API reports of embeddings")
    assert spans.usage() == {"gen_ai.usage.input_tokens": billed}


@every_stream(*GENERATE_CELLS)
def test_a_stream_that_is_left_early_is_partial(way: Way, side: Side, provider: FakeProvider, spans: Spans) -> None:
    vertex, asynchronous = side
    leave_early(call, make_client(provider.url, vertex=vertex, usage=DICTATED), way, asynchronous=asynchronous)
    assert spans.is_partial()
    assert spans.usage() == ({} if vertex else EARLY)


@every_failure(*GENERATE_CELLS, *EMBED_CELLS)
def test_a_call_that_fails_has_no_usage(way: Way, side: Side, provider: FakeProvider, spans: Spans) -> None:
    vertex, asynchronous = side
    client = make_client(provider.url, vertex=vertex, x_fake_behaviour="error-429")
    with pytest.raises(errors.ClientError) as raised:
        call(client, way, asynchronous=asynchronous)
    assert spans.is_refused(raised.value)


@both_sides
@pytest.mark.parametrize("way", [*GENERATE, *EMBEDDINGS], ids=lambda way: way.__name__)
def test_the_caller_sees_what_it_would_see_without_us(
    way: Way, asynchronous: bool, provider: FakeProvider, patched: LLMLabInstrumentor
) -> None:
    instrumented = call(make_client(provider.url), way, asynchronous=asynchronous)
    patched.uninstrument()
    assert instrumented == call(make_client(provider.url), way, asynchronous=asynchronous)
    with_us, without_us = (request.body for request in provider.requests)
    assert with_us == without_us


def test_the_span_describes_the_call(gemini: Client, provider: FakeProvider, spans: Spans) -> None:
    response = gemini.models.generate_content(
        model="models/gemini-2.5-flash",
        contents="Hello",
        config={"temperature": 0.5, "top_p": 0.9, "max_output_tokens": 50, "candidate_count": 2},
    )
    span, attributes = spans.one(), spans.attributes()
    assert span.name == "generate_content gemini-2.5-flash"
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "llmlab.instrumentation.google-genai"
    assert {name: value for name, value in attributes.items() if ".usage." not in name} == {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.request.model": "gemini-2.5-flash",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.choice.count": 2,
        "gen_ai.response.model": "gemini-2.5-flash",
        **({"gen_ai.response.id": response.response_id} if response.response_id else {}),
        "gen_ai.response.finish_reasons": ("stop", "stop"),
        **({"llmlab.tier": "standard"} if TELLS_HEADERS else {}),
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.rpartition(":")[2]),
    }


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("models/gemini-x", "gemini-x"),
        ("google/gemini-x", "gemini-x"),
        ("publishers/google/models/gemini-x", "gemini-x"),
        ("projects/p/locations/l/publishers/google/models/gemini-x", "gemini-x"),
    ],
)
def test_a_model_goes_by_the_name_that_price_lists_know(
    asked: str, known: str, provider: FakeProvider, spans: Spans
) -> None:
    client = make_client(provider.url, vertex=True)
    client.models.generate_content(model=asked, contents="Hello")
    assert spans.attributes()["gen_ai.request.model"] == known


def test_the_address_of_one_request_goes_before_that_of_the_client(provider: FakeProvider, spans: Spans) -> None:
    client = make_client("http://elsewhere.invalid")
    client.models.generate_content(**asking(config={"http_options": {"base_url": provider.url}}))
    assert spans.attributes()["server.address"] == "127.0.0.1"


def test_the_thinking_level_is_recorded(gemini: Client, spans: Spans) -> None:
    if "thinking_level" not in types.ThinkingConfig.model_fields:
        pytest.skip("this version has no thinking levels")
    gemini.models.generate_content(**asking(config={"thinking_config": {"thinking_level": "low"}}))
    assert spans.attributes()["gen_ai.request.reasoning.level"] == "low"


def test_the_served_tier_is_recorded_and_not_the_one_asked_for(provider: FakeProvider, spans: Spans) -> None:
    if "service_tier" not in types.GenerateContentConfig.model_fields:
        pytest.skip("this version has no service tiers")
    client = make_client(provider.url)
    client.models.generate_content(**asking(config={"service_tier": "flex"}))
    assert provider.requests[0].body["serviceTier"] == "flex"
    assert spans.attributes()["llmlab.tier"] == "flex"


def test_a_cached_prompt_is_part_of_the_input(gemini: Client, provider: FakeProvider, spans: Spans) -> None:
    for _ in range(2):
        gemini.models.generate_content(**asking(contents="word " * 2000))
    _, cached = ((span.attributes or {}).get("gen_ai.usage.cache_read.input_tokens") for span in spans.all())
    assert cached == (provider.requests[1].usage or {})["cachedContentTokenCount"] > 1024


def test_the_http_response_instead_of_the_parsed_one(gemini: Client, spans: Spans) -> None:
    if "should_return_http_response" not in types.GenerateContentConfig.model_fields:
        pytest.skip("this version always parses")
    config = types.GenerateContentConfig(should_return_http_response=True)
    response = gemini.models.generate_content(**asking(config=config))
    assert response.candidates is None
    body = json.loads((response.sdk_http_response and response.sdk_http_response.body) or "{}")
    assert spans.attributes()["gen_ai.usage.input_tokens"] == body["usageMetadata"]["promptTokenCount"]
    assert spans.attributes()["gen_ai.response.id"] == body["responseId"]
    assert spans.attributes()["gen_ai.response.finish_reasons"] == ("stop",)


def test_a_response_without_usage_is_not_one_of_zero(gemini: Client, spans: Spans) -> None:
    gemini.models.generate_content(**asking(model="no-usage"))
    assert not spans.usage()
    assert "llmlab.usage.source" not in spans.attributes()


@both_sides
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_every_request_of_automatic_function_calling_is_billed(
    stream: bool, asynchronous: bool, provider: FakeProvider, tracer_provider: Any, spans: Spans
) -> None:
    def get_weather() -> str:
        """Get the weather."""
        with tracer_provider.get_tracer("app").start_as_current_span("tool"):
            return "sunny"

    async def ask(client: Any) -> Any:
        request: dict[str, Any] = asking(model="calls-function", config={**CONFIG, "tools": [get_weather]})
        if not stream:
            response = client.models.generate_content(**request)
            return (await response).text if asynchronous else response.text
        chunks: Any = client.models.generate_content_stream(**request)
        chunks = [chunk async for chunk in await chunks] if asynchronous else list(chunks)
        return "".join(chunk.text or "" for chunk in chunks if not chunk.function_calls)

    assert call(make_client(provider.url), ask, asynchronous=asynchronous).startswith("You asked:")
    calls = [span for span in spans.all() if span.name != "tool"]
    (tool,) = (span for span in spans.all() if span.name == "tool")
    billed = [request.usage or {} for request in provider.requests]
    assert len(calls) == len(billed) == 2
    assert [(span.attributes or {})["gen_ai.usage.input_tokens"] for span in calls] == [
        usage["promptTokenCount"] for usage in billed
    ]
    assert tool.parent is None  # what the application does between two calls is inside neither


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_every_request_of_a_continued_answer_is_billed(
    stream: bool, gemini: Client, provider: FakeProvider, spans: Spans
) -> None:
    if "automatic_continuation" not in types.GenerateContentConfig.model_fields:
        pytest.skip("this version does not continue by itself")
    request = asking(model="continued")
    if stream:
        list(gemini.models.generate_content_stream(**request))
    else:
        gemini.models.generate_content(**request)
    billed = sum((each.usage or {})["promptTokenCount"] for each in provider.requests)
    counted = [(span.attributes or {})["gen_ai.usage.input_tokens"] for span in spans.all()]
    assert len(counted) == len(provider.requests) == 2
    assert sum(count for count in counted if isinstance(count, int)) == billed


def test_content_is_never_recorded(provider: FakeProvider, spans: Spans) -> None:
    secret = "xyzzy"  # noqa: S105 - no password, but nothing that may be seen either
    client = make_client(provider.url)
    client.models.generate_content(model="gemini-2.5-flash", contents=secret)
    client = make_client(provider.url, x_fake_usage=f'"{secret}"')
    with pytest.raises(errors.ClientError, match=secret):
        client.models.generate_content(**ASK)
    assert secret not in "".join(span.to_json() for span in spans.all())


@both_sides
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("error-400", errors.ClientError),
        ("error-401", errors.ClientError),
        ("error-429", errors.ClientError),
        ("error-500", errors.ServerError),
    ],
)
def test_an_error_is_the_callers_and_on_the_span(
    model: str, error: type[errors.APIError], stream: bool, asynchronous: bool, provider: FakeProvider, spans: Spans
) -> None:
    async def ask(client: Any) -> None:
        method = client.models.generate_content_stream if stream else client.models.generate_content
        result = method(**asking(model=model))
        result = await result if asynchronous else result
        if stream:
            _ = [chunk async for chunk in result] if asynchronous else list(result)

    with pytest.raises(error) as raised:
        call(make_client(provider.url), ask, asynchronous=asynchronous)
    assert raised.value.code == int(model.removeprefix("error-"))
    assert spans.attributes()["error.type"] == error.__name__
    assert spans.one().status.status_code is StatusCode.ERROR
    assert not spans.usage()


class TestStreams:
    def test_nothing_is_sent_before_the_stream_is_read(
        self, gemini: Client, provider: FakeProvider, spans: Spans
    ) -> None:
        stream = gemini.models.generate_content_stream(**ASK)
        assert isinstance(stream, Iterator)
        assert not provider.requests
        del stream
        gc.collect()
        assert not spans.all()

    def test_a_stream_that_is_closed_early_is_partial(self, gemini: Client, spans: Spans) -> None:
        stream: Any = gemini.models.generate_content_stream(**ASK)
        chunk = next(stream)
        stream.close()
        assert spans.attributes()["llmlab.usage.source"] == "partial"
        assert spans.attributes()["gen_ai.usage.input_tokens"] == chunk.usage_metadata.prompt_token_count

    def test_a_stream_that_is_thrown_away_is_partial(self, gemini: Client, spans: Spans) -> None:
        stream = gemini.models.generate_content_stream(**ASK)
        next(stream)
        del stream
        gc.collect()
        assert spans.attributes()["llmlab.usage.source"] == "partial"

    def test_an_asynchronous_stream_that_is_closed_early_is_partial(self, provider: FakeProvider, spans: Spans) -> None:
        async def ask(client: Any) -> None:
            stream = await client.models.generate_content_stream(**ASK)
            await anext(stream)
            await stream.aclose()
            # The SDK closes the generators inside its generator no earlier than the event loop does.
            await asyncio.get_running_loop().shutdown_asyncgens()

        call(make_client(provider.url), ask, asynchronous=True)
        gc.collect()
        assert spans.attributes()["llmlab.usage.source"] == "partial"

    def test_vertex_ai_says_nothing_before_the_last_chunk(self, provider: FakeProvider, spans: Spans) -> None:
        client = make_client(provider.url, vertex=True)
        stream: Any = client.models.generate_content_stream(**ASK)
        next(stream)
        stream.close()
        assert not spans.usage()
        assert spans.attributes()["llmlab.usage.source"] == "partial"

    @pytest.mark.parametrize("model", ["truncated", "error-in-stream"])
    def test_a_stream_that_breaks_off_is_partial_and_an_error(self, model: str, gemini: Client, spans: Spans) -> None:
        if model == "error-in-stream" and Version(__version__) < Version("1.55"):
            pytest.skip("this version passes over an error inside a stream")
        with pytest.raises(Exception, match=r"500 INTERNAL|peer closed|incomplete") as raised:
            list(gemini.models.generate_content_stream(**asking(model=model)))
        attributes = spans.attributes()
        assert attributes["error.type"] == type(raised.value).__name__
        assert attributes["llmlab.usage.source"] == "partial"
        assert attributes["gen_ai.usage.input_tokens"] == 5

    def test_the_first_chunk_is_timed(self, gemini: Client, spans: Spans) -> None:
        list(gemini.models.generate_content_stream(**asking(model="slow")))
        seconds = spans.attributes()["gen_ai.response.time_to_first_chunk"]
        assert isinstance(seconds, float)
        assert seconds > 0.04

    def test_all_candidates_report_why_they_ended(self, gemini: Client, spans: Spans) -> None:
        list(gemini.models.generate_content_stream(**asking(config={"candidate_count": 3})))
        assert spans.attributes()["gen_ai.response.finish_reasons"] == ("stop", "stop", "stop")


def test_embeddings_of_a_failing_model(gemini: Client, spans: Spans) -> None:
    request: dict[str, Any] = {**EMBED, "model": "error-429"}
    with pytest.raises(errors.ClientError):
        gemini.models.embed_content(**request)
    assert spans.attributes()["error.type"] == "ClientError"
