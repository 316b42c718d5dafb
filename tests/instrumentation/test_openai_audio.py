"""Speech and translations with the SDK `openai`: what is reported of them, and what can be counted without a report."""

import asyncio
from typing import Any

import openai
import pytest

from fake_provider.testing import FakeProvider
from instrumentation.cells import Cells, available, every_failure, every_way, makes
from instrumentation.reading import Way, either, have, read_all, seen
from instrumentation.sdk_versions import requires
from instrumentation.spans import Spans
from llmlab.instrumentor import LLMLabInstrumentor

pytestmark = [
    pytest.mark.usefixtures("instrumentor"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),  # translations, since 3
]

CLIENTS = (openai.OpenAI, openai.AsyncOpenAI)
TEXT = "Grüße, two three"
SPEAK: dict[str, Any] = {"model": "tts-1", "input": TEXT, "voice": "alloy"}
EVENTS: dict[str, Any] = {"model": "gpt-4o-mini-tts", "input": TEXT, "voice": "alloy", "stream_format": "sse"}
HEAR: dict[str, Any] = {"model": "whisper-1", "file": ("speech.wav", b"RIFF")}

BY_CHARACTER = {"llmlab.usage.characters": len(TEXT)}
BY_TOKEN = {"gen_ai.usage.input_tokens": 14, "gen_ai.usage.output_tokens": 101}


@makes("audio.speech.create")
async def spoken(client: Any) -> Any:
    speech = await have(client.audio.speech.create(**SPEAK))
    return type(speech), speech.content


@makes("audio.speech.create")
async def spoken_raw(client: Any) -> Any:
    response = await have(client.audio.speech.with_raw_response.create(**SPEAK))
    return type(response), response.parse().content


@makes("audio.speech.create")
async def spoken_streaming(client: Any) -> Any:
    async with either(client.audio.speech.with_streaming_response.create(**SPEAK)) as response:
        return response.__class__, b"".join(await read_all(response.iter_bytes()))


@makes("audio.speech.create", since="1.92")
async def spoken_in_events(client: Any) -> Any:
    speech = await have(client.audio.speech.create(**EVENTS))
    return type(speech), speech.text


@makes("audio.speech.create", since="1.92")
async def spoken_in_events_streaming(client: Any) -> Any:
    async with either(client.audio.speech.with_streaming_response.create(**EVENTS)) as response:
        return response.__class__, await read_all(response.iter_lines())


async def translated(client: Any) -> Any:
    return seen(await have(client.audio.translations.create(**HEAR)))


async def translated_raw(client: Any) -> Any:
    return seen((await have(client.audio.translations.with_raw_response.create(**HEAR))).parse())


async def translated_streaming(client: Any) -> Any:
    async with either(client.audio.translations.with_streaming_response.create(**HEAR)) as response:
        return seen(await have(response.parse()))


WAYS = available("openai", (spoken, spoken_raw, spoken_streaming, spoken_in_events, spoken_in_events_streaming))
IN_EVENTS = (spoken_in_events, spoken_in_events_streaming)
TRANSLATIONS = (translated, translated_raw, translated_streaming)
CELLS = Cells("openai", WAYS, CLIENTS, "kind")

both_clients = pytest.mark.parametrize("kind", CLIENTS)


def call(kind: type[Any], url: str, way: Way, **headers: str) -> Any:
    async def run() -> Any:
        async with either(kind(base_url=url, api_key="fake", max_retries=0, default_headers=headers)) as client:
            return await way(client)

    return asyncio.run(run())


@every_way(CELLS)
def test_the_span_carries_what_the_provider_billed(
    kind: type[Any], way: Way, provider: FakeProvider, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    call(kind, provider.openai_url, way)
    (request,) = provider.requests
    attributes = spans.attributes()
    if way in IN_EVENTS:
        assert request.usage == {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
        assert spans.usage() == BY_TOKEN
        assert attributes["llmlab.usage.source"] == "reported"
    else:
        assert request.usage == {"characters": 16}
        assert spans.usage() == BY_CHARACTER
        assert attributes["llmlab.usage.source"] == "estimated"  # for we counted
    assert spans.one().name == f"speech_generation {request.body['model']}"
    assert attributes["gen_ai.provider.name"] == "openai"
    assert "gen_ai.request.stream" not in attributes
    assert not caplog.records


@every_failure(CELLS)
def test_a_call_that_fails_has_no_usage(kind: type[Any], way: Way, provider: FakeProvider, spans: Spans) -> None:
    with pytest.raises(openai.RateLimitError) as raised:
        call(kind, provider.openai_url, way, **{"x-fake-behaviour": "error-429"})
    assert spans.is_refused(raised.value)


@both_clients
@pytest.mark.parametrize("way", [*WAYS, *TRANSLATIONS], ids=lambda way: way.__name__)
def test_the_caller_sees_what_it_would_see_without_us(
    kind: type[Any], way: Way, provider: FakeProvider, instrumentor: LLMLabInstrumentor
) -> None:
    instrumented = call(kind, provider.openai_url, way)
    instrumentor.uninstrument()
    assert instrumented == call(kind, provider.openai_url, way)


@both_clients
@pytest.mark.parametrize("way", TRANSLATIONS, ids=lambda way: way.__name__)
def test_a_translation_is_a_span_without_usage(
    kind: type[Any], way: Way, provider: FakeProvider, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    call(kind, provider.openai_url, way)
    assert spans.one().name == "translation whisper-1"
    assert not spans.usage()
    assert "llmlab.usage.source" not in spans.attributes()
    assert not caplog.records


@both_clients
def test_a_translation_that_fails_has_the_error(kind: type[Any], provider: FakeProvider, spans: Spans) -> None:
    with pytest.raises(openai.RateLimitError) as raised:
        call(kind, provider.openai_url, translated, **{"x-fake-behaviour": "error-429"})
    assert spans.is_refused(raised.value)


def test_speech_by_the_token_has_no_known_usage_without_events(client: Any, spans: Spans) -> None:
    client.audio.speech.create(model="gpt-4o-mini-tts", input=TEXT, voice="alloy")
    assert spans.usage() == BY_CHARACTER  # for which that model has no price


@requires("openai", "1.92")
def test_events_without_the_last_one_are_partial(client: Any, spans: Spans) -> None:
    with client.audio.speech.with_streaming_response.create(**EVENTS) as response:
        next(response.iter_bytes(100))
    assert spans.attributes()["llmlab.usage.source"] == "partial"
    assert not spans.usage()


def test_audio_that_is_not_read_is_partial(client: Any, spans: Spans) -> None:
    with client.audio.speech.with_streaming_response.create(**SPEAK) as response:
        assert response.status_code == 200
    assert spans.attributes()["llmlab.usage.source"] == "partial"
    assert not spans.usage()


def test_audio_that_breaks_off_is_an_error(client: Any, spans: Spans) -> None:
    with pytest.raises(Exception, match=r"Connection error|peer closed") as raised:
        client.audio.speech.create(**{**SPEAK, "model": "truncated"})
    assert spans.attributes()["error.type"] == type(raised.value).__name__
    assert not spans.usage()


@requires("openai", "1.92")
def test_what_is_spoken_is_never_recorded(client: Any, spans: Spans) -> None:
    secret = "xyzzy"  # noqa: S105 - no password, but nothing that may be seen either
    client.audio.speech.create(model="gpt-4o-mini-tts", input=secret, voice="alloy", instructions=secret)
    client.audio.translations.create(model="whisper-1", file=(secret, secret.encode()), prompt=secret)
    assert len(spans.all()) == 2
    assert secret not in "".join(span.to_json() for span in spans.all())
