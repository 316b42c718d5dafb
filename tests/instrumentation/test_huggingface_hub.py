"""Calls with Hugging Face's clients: the usage that was reported on one span, and nothing changed for the caller."""

import gc
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from opentelemetry.trace import StatusCode

from fake_provider.testing import FakeProvider
from instrumentation.cells import Cells, every_failure, every_stream, every_way
from instrumentation.huggingface_ways import (
    ASKED,
    CHAT,
    CHATS,
    MODEL,
    OTHERS,
    STREAM,
    Way,
    call,
    chat_streamed,
    make_client,
    text_streamed_with_details,
    text_with_details,
    text_with_prompt,
)
from instrumentation.reading import leave_early
from instrumentation.spans import Spans
from llmlab.formats import openai_streams
from llmlab.instrumentor import LLMLabInstrumentor
from llmlab.providers import Request
from llmlab.providers.huggingface_hub import PROVIDER

DICTATED: dict[str, Any] = {
    "prompt_tokens": 1873,
    "completion_tokens": 317,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 7},
    "completion_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 5},
}
EXPECTED = {
    "gen_ai.usage.input_tokens": 1873,
    "gen_ai.usage.output_tokens": 317,
    "gen_ai.usage.cache_read.input_tokens": 1024,
    "gen_ai.usage.audio.input_tokens": 7,
    "gen_ai.usage.reasoning.output_tokens": 192,
    "gen_ai.usage.audio.output_tokens": 5,
}
PROMPT = {"gen_ai.usage.input_tokens": 2}
ANSWER = {"gen_ai.usage.output_tokens": 3}
REPORTED = {
    "text": {},
    "text_streamed": {},
    "text_with_details": ANSWER,
    "text_with_prompt": PROMPT | ANSWER,
    "text_streamed_with_details": PROMPT | ANSWER,
    "features": {},
}
"""What the SDK hands out of what was billed."""

DETAILED = (text_with_details, text_with_prompt, text_streamed_with_details)
CHAT_CELLS, TEXT_CELLS = Cells("huggingface_hub", CHATS), Cells("huggingface_hub", DETAILED)

both_sides = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


@pytest.fixture(autouse=True)
def patched(instrumentor: LLMLabInstrumentor, monkeypatch: pytest.MonkeyPatch) -> LLMLabInstrumentor:
    monkeypatch.setattr(openai_streams, "refusing", set())
    return instrumentor


@pytest.fixture
def client(provider: FakeProvider) -> Iterator[Any]:
    with make_client(base_url=f"{provider.url}/v1", token="fake") as client:
        yield client


@every_way(CHAT_CELLS)
def test_the_span_carries_what_the_provider_billed(
    way: Way, asynchronous: bool, provider: FakeProvider, spans: Spans
) -> None:
    call(way, provider.url, asynchronous=asynchronous, x_fake_usage=DICTATED)
    attributes = spans.attributes()
    (request,) = provider.requests
    assert request.usage is not None
    assert (request.usage["prompt_tokens"], request.usage["completion_tokens"]) == (1873, 317)
    assert spans.usage() == EXPECTED
    assert attributes["llmlab.usage.source"] == "reported"
    assert attributes["gen_ai.response.model"] == MODEL
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)


@every_way(TEXT_CELLS)
def test_a_text_with_details_carries_what_the_sdk_hands_out(
    way: Way, asynchronous: bool, provider: FakeProvider, spans: Spans
) -> None:
    call(way, provider.url, asynchronous=asynchronous)
    (request,) = provider.requests
    assert request.usage is not None
    told = {
        "gen_ai.usage.input_tokens": request.usage["input_length"],
        "gen_ai.usage.output_tokens": request.usage["generated_tokens"],
    }
    assert spans.usage() == {name: told[name] for name in REPORTED[way.__name__]}
    assert spans.attributes()["llmlab.usage.source"] == "reported"


@every_stream(CHAT_CELLS, TEXT_CELLS)
def test_a_stream_that_is_left_early_is_partial(
    way: Way, asynchronous: bool, provider: FakeProvider, spans: Spans
) -> None:
    leave_early(call, way, provider.url, asynchronous=asynchronous)
    assert spans.is_partial()
    assert not spans.usage()  # it is reported at the end


@every_failure(CHAT_CELLS, TEXT_CELLS)
def test_a_call_that_fails_has_no_usage(way: Way, asynchronous: bool, provider: FakeProvider, spans: Spans) -> None:
    with pytest.raises(Exception, match="401") as raised:
        call(way, provider.url, asynchronous=asynchronous, x_fake_behaviour="error-401")
    assert spans.is_refused(raised.value)


@both_sides
@pytest.mark.parametrize("way", OTHERS, ids=lambda way: way.__name__)
def test_what_is_no_chat_carries_what_the_sdk_hands_out(
    way: Way, asynchronous: bool, provider: FakeProvider, spans: Spans
) -> None:
    call(way, provider.url, asynchronous=asynchronous)
    assert provider.requests[0].usage is not None
    assert spans.usage() == REPORTED[way.__name__]
    assert spans.one().name == ("embeddings" if way.__name__ == "features" else "text_completion")


@both_sides
@pytest.mark.parametrize("way", [*CHATS, *OTHERS], ids=lambda way: way.__name__)
def test_the_caller_sees_what_it_would_see_without_us(
    way: Way, asynchronous: bool, provider: FakeProvider, patched: LLMLabInstrumentor
) -> None:
    instrumented = call(way, provider.url, asynchronous=asynchronous)
    patched.uninstrument()
    assert instrumented == call(way, provider.url, asynchronous=asynchronous)


def test_the_usage_was_asked_for_in_that_comparison(provider: FakeProvider, patched: LLMLabInstrumentor) -> None:
    call(chat_streamed, provider.url, asynchronous=False)
    patched.uninstrument()
    call(chat_streamed, provider.url, asynchronous=False)
    with_us, without_us = (request.body for request in provider.requests)
    assert with_us.pop("stream_options") == {"include_usage": True}
    assert with_us == {name: value for name, value in without_us.items() if name != "stream_options"}


def test_the_span_describes_the_call(client: Any, provider: FakeProvider, spans: Spans) -> None:
    response = client.chat_completion(**CHAT, n=2, top_p=0.9)
    span, attributes = spans.one(), spans.attributes()
    assert span.name == f"chat {MODEL}"
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "llmlab.instrumentation.huggingface-hub"
    known = {name: value for name, value in attributes.items() if ".usage." not in name}
    assert known.pop("llmlab.tier", "default") == "default"
    assert known == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "huggingface",
        "gen_ai.request.model": MODEL,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.choice.count": 2,
        "gen_ai.response.model": MODEL,
        "gen_ai.response.id": response.id,
        "gen_ai.response.finish_reasons": ("stop", "stop"),
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.rpartition(":")[2]),
    }


def request_of(model: str | None = None, **client: Any) -> Request:
    """Read a chat with a client that is never used."""
    (chat,) = (each for each in PROVIDER.calls if each.attribute == "InferenceClient.chat_completion")
    request = chat.request(InferenceClient(**client), (), {"model": model})
    assert request is not None
    return request


@pytest.mark.parametrize(
    ("client", "model", "provider", "host"),
    [
        ({"token": "hf_x"}, MODEL, "huggingface", "router.huggingface.co"),
        ({"token": "hf_x"}, f"{MODEL}:groq", "huggingface_groq", "router.huggingface.co"),
        ({"token": "hf_x"}, f"{MODEL}:fastest", "huggingface", "router.huggingface.co"),
        ({"token": "hf_x", "provider": "together"}, MODEL, "huggingface_together", "router.huggingface.co"),
        ({"provider": "together"}, MODEL, "huggingface_together", "router.huggingface.co"),
        ({"token": "hf_x", "provider": "hf-inference"}, MODEL, "huggingface", "router.huggingface.co"),
        ({"token": "own", "provider": "together"}, MODEL, "together", ""),
        ({"token": "own", "provider": "fireworks-ai"}, MODEL, "fireworks", ""),
        ({"token": "x", "base_url": "https://api.groq.com/openai/v1"}, MODEL, "groq", "api.groq.com"),
        ({"token": "x", "base_url": "http://tgi.internal:8080"}, MODEL, "huggingface", "tgi.internal"),
    ],
)
def test_who_bills_is_told_by_the_client(client: dict[str, Any], model: str, provider: str, host: str) -> None:
    request = request_of(model, **client)
    assert (request.endpoint.provider, request.endpoint.host, request.model) == (provider, host, MODEL)


def test_the_model_may_be_the_clients() -> None:
    (chat,) = (each for each in PROVIDER.calls if each.attribute == "InferenceClient.chat_completion")
    request = chat.request(InferenceClient(MODEL, token="hf_x"), (), {})
    assert request is not None
    assert request.model == MODEL


def test_an_address_is_no_model(client: Any, provider: FakeProvider, spans: Spans) -> None:
    client.text_generation("one", model=f"{provider.url}/huggingface/generate")
    assert "gen_ai.request.model" not in spans.attributes()


@pytest.mark.parametrize(
    "decided",
    [{"stream_options": {"include_usage": False}}, {"extra_body": {"stream_options": {"include_usage": False}}}],
)
def test_the_callers_decision_about_usage_stands(
    decided: dict[str, Any], client: Any, provider: FakeProvider, spans: Spans
) -> None:
    list(client.chat_completion(**STREAM, **decided))
    assert provider.requests[0].body["stream_options"] == {"include_usage": False}
    assert not spans.usage()


def test_asking_for_usage_can_be_turned_off(
    client: Any, provider: FakeProvider, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMLAB_STREAM_USAGE", "false")
    list(client.chat_completion(**STREAM))
    assert not provider.requests[0].body.get("stream_options")
    assert not spans.usage()


def test_usage_that_the_caller_asked_for_is_the_callers(client: Any) -> None:
    assert list(client.chat_completion(**ASKED))[-1].usage.prompt_tokens > 0
    assert all(chunk.usage is None and chunk.choices for chunk in client.chat_completion(**STREAM))


@pytest.mark.parametrize("status", [400, 422])
def test_a_host_that_refuses_stream_options_is_asked_once(
    status: int, client: Any, provider: FakeProvider, spans: Spans, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    send = InferenceClient._inner_post  # pyright: ignore[reportPrivateUsage]
    refusals = 0

    def refuse(self: Any, parameters: Any, *, stream: bool = False) -> Any:
        nonlocal refusals
        if parameters.json.get("stream_options"):
            refusals += 1
            parameters.headers["x-fake-behaviour"] = "error-400"
            try:
                return send(self, parameters, stream=stream)
            except HfHubHTTPError as error:
                error.response.status_code = status
                error.args = (f"{status}: unknown field stream_options",)
                raise
        return send(self, parameters, stream=stream)

    monkeypatch.setattr(InferenceClient, "_inner_post", refuse)
    with caplog.at_level(logging.WARNING, "llmlab"):
        for _ in range(2):
            assert list(client.chat_completion(**STREAM))
    assert refusals == 1
    assert f"127.0.0.1 refuses stream_options for {MODEL}" in caplog.text
    assert [span.status.status_code for span in spans.all()] == [StatusCode.UNSET] * 2


def test_content_is_never_recorded(client: Any, provider: FakeProvider, spans: Spans) -> None:
    secret = "xyzzy"  # noqa: S105 - no password, but nothing that may be seen either
    client.chat_completion(messages=[{"role": "user", "content": secret}], model=MODEL)
    client.text_generation(secret, model=f"{provider.url}/huggingface/generate", details=True)
    client.feature_extraction(secret, model=f"{provider.url}/huggingface/embed")
    assert len(spans.all()) == 3
    assert secret not in "".join(span.to_json() for span in spans.all())


@both_sides
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", ["error-401", "error-429", "error-500"])
def test_an_error_is_the_callers_and_on_the_span(
    model: str, stream: bool, asynchronous: bool, provider: FakeProvider, spans: Spans
) -> None:
    async def ask(client: Any, _url: str) -> None:
        result = client.chat_completion(**{**CHAT, "model": model}, stream=stream)
        _ = await result if asynchronous else result

    # Versions before 1 raise the errors of the HTTP client behind their asynchronous client.
    with pytest.raises(Exception, match=model.removeprefix("error-")) as raised:
        call(ask, provider.url, asynchronous=asynchronous)
    assert spans.attributes()["error.type"] == type(raised.value).__name__
    assert spans.one().status.status_code is StatusCode.ERROR
    assert not spans.usage()


def test_an_error_of_text_generation_is_on_the_span(provider: FakeProvider, spans: Spans) -> None:
    async def ask(client: Any, url: str) -> None:
        client.text_generation("one", model=f"{url}/generate")

    with pytest.raises(HfHubHTTPError):
        call(ask, provider.url, asynchronous=False, x_fake_behaviour="error-401")
    assert spans.one().status.status_code is StatusCode.ERROR


class TestStreams:
    def test_a_stream_that_is_closed_early_is_partial(self, client: Any, spans: Spans) -> None:
        stream: Any = client.chat_completion(**STREAM)
        next(stream)
        stream.close()
        assert spans.attributes()["llmlab.usage.source"] == "partial"

    def test_a_stream_that_is_thrown_away_is_partial(self, client: Any, spans: Spans) -> None:
        stream = client.chat_completion(**STREAM)
        next(stream)
        del stream
        gc.collect()
        assert spans.attributes()["llmlab.usage.source"] == "partial"

    def test_an_asynchronous_stream_that_is_closed_early_is_partial(self, provider: FakeProvider, spans: Spans) -> None:
        async def ask(client: Any, _url: str) -> None:
            stream = await client.chat_completion(**STREAM)
            await anext(stream)
            await stream.aclose()

        call(ask, provider.url, asynchronous=True)
        assert spans.attributes()["llmlab.usage.source"] == "partial"

    def test_a_stream_that_breaks_off_is_partial_and_an_error(self, client: Any, spans: Spans) -> None:
        with pytest.raises(Exception, match=r"peer closed|ended prematurely|prematurely|Response") as raised:
            list(client.chat_completion(**{**STREAM, "model": "truncated"}))
        assert spans.attributes()["error.type"] == type(raised.value).__name__
        assert spans.attributes()["llmlab.usage.source"] == "partial"

    def test_the_first_chunk_is_timed(self, client: Any, spans: Spans) -> None:
        list(client.chat_completion(**STREAM))
        assert isinstance(spans.attributes()["gen_ai.response.time_to_first_chunk"], float)
