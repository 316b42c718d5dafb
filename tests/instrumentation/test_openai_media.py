"""Images and transcriptions with the SDK `openai`: what the provider reports of them is on the span."""

import asyncio
import json
from typing import Any

import openai
import pytest

from fake_provider.testing import FakeProvider
from instrumentation.cells import Cells, available, every_failure, every_stream, every_way, makes
from instrumentation.reading import Way, either, have, leave_early, read, seen
from instrumentation.sdk_versions import requires
from instrumentation.spans import Spans
from llmlab.formats.openai_media import read_images
from llmlab.image_kind import kind_of
from llmlab.instrumentor import LLMLabInstrumentor
from llmlab.usage import Usage

pytestmark = [
    pytest.mark.usefixtures("instrumentor"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),  # what newer SDKs say of variations
]

CLIENTS = (openai.OpenAI, openai.AsyncOpenAI)
FILE = ("speech.wav", b"RIFF")
DRAW: dict[str, Any] = {"model": "gpt-image-1", "prompt": "a fish"}
EDIT: dict[str, Any] = {**DRAW, "image": ("fish.png", b"PNG")}
HEAR: dict[str, Any] = {"model": "gpt-4o-transcribe", "file": FILE}

IMAGE_COUNTS = {
    "gen_ai.usage.input_tokens": 50,
    "gen_ai.usage.image.input_tokens": 40,
    "gen_ai.usage.output_tokens": 272,
    "gen_ai.usage.image.output_tokens": 272,
}
SPEECH_COUNTS = {
    "gen_ai.usage.input_tokens": 70,
    "gen_ai.usage.audio.input_tokens": 65,
    "gen_ai.usage.output_tokens": 3,
}


@makes("images.generate")
async def drawn(client: Any) -> Any:
    return seen(await have(client.images.generate(**DRAW)))


@makes("images.generate", stream=True, since="1.98")
async def drawn_streamed(client: Any) -> Any:
    return await read(await have(client.images.generate(**DRAW, stream=True)))


@makes("images.generate")
async def drawn_raw(client: Any) -> Any:
    return seen((await have(client.images.with_raw_response.generate(**DRAW))).parse())


@makes("images.generate")
async def drawn_streaming(client: Any) -> Any:
    async with either(client.images.with_streaming_response.generate(**DRAW)) as response:
        return seen(await have(response.parse()))


@makes("images.edit")
async def edited(client: Any) -> Any:
    return seen(await have(client.images.edit(**EDIT)))


@makes("images.edit", stream=True, since="1.98")
async def edited_streamed(client: Any) -> Any:
    return await read(await have(client.images.edit(**EDIT, stream=True)))


@makes("images.create_variation")
async def varied(client: Any) -> Any:
    return seen(await have(client.images.create_variation(model="gpt-image-1", image=EDIT["image"])))


@makes("audio.transcriptions.create")
async def heard(client: Any) -> Any:
    return seen(await have(client.audio.transcriptions.create(**HEAR)))


@makes("audio.transcriptions.create", stream=True, since="1.68")
async def heard_streamed(client: Any) -> Any:
    return await read(await have(client.audio.transcriptions.create(**HEAR, stream=True)))


@makes("audio.transcriptions.create")
async def heard_raw(client: Any) -> Any:
    return seen((await have(client.audio.transcriptions.with_raw_response.create(**HEAR))).parse())


@makes("audio.transcriptions.create")
async def heard_streaming(client: Any) -> Any:
    async with either(client.audio.transcriptions.with_streaming_response.create(**HEAR)) as response:
        return seen(await have(response.parse()))


async def translated(client: Any) -> Any:
    return seen(await have(client.audio.translations.create(model="whisper-1", file=FILE)))


IMAGES = available("openai", (drawn, drawn_streamed, drawn_raw, drawn_streaming, edited, edited_streamed, varied))
SPEECH = available("openai", (heard, heard_streamed, heard_raw, heard_streaming))
CELLS = Cells("openai", (*IMAGES, *SPEECH), CLIENTS, "kind")


def call(kind: type[Any], url: str, way: Way, **headers: str) -> Any:
    async def run() -> Any:
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
    assert request.usage["output_tokens"] == spans.usage()["gen_ai.usage.output_tokens"]
    assert spans.usage() == (IMAGE_COUNTS if way in IMAGES else SPEECH_COUNTS)
    assert spans.one().name == ("image_generation gpt-image-1" if way in IMAGES else "transcription gpt-4o-transcribe")
    assert spans.attributes()["llmlab.usage.source"] == "reported"
    assert spans.attributes()["gen_ai.provider.name"] == "openai"


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
@pytest.mark.parametrize("way", [*IMAGES, *SPEECH], ids=lambda way: way.__name__)
def test_the_caller_sees_what_it_would_see_without_us(
    kind: type[Any], way: Way, provider: FakeProvider, instrumentor: LLMLabInstrumentor
) -> None:
    instrumented = call(kind, provider.openai_url, way)
    instrumentor.uninstrument()
    assert instrumented == call(kind, provider.openai_url, way)


def test_output_without_details_is_images(client: openai.OpenAI, spans: Spans) -> None:
    usage = {"input_tokens": 9, "input_tokens_details": {"image_tokens": 0, "text_tokens": 9}, "output_tokens": 8}
    client.images.generate(**DRAW, extra_headers={"x-fake-usage": json.dumps(usage)})
    assert spans.usage() == {
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.image.input_tokens": 0,
        "gen_ai.usage.output_tokens": 8,
        "gen_ai.usage.image.output_tokens": 8,
    }


def test_output_that_is_partly_text_is_told_apart(client: openai.OpenAI, spans: Spans) -> None:
    usage = {"input_tokens": 9, "output_tokens": 8, "output_tokens_details": {"image_tokens": 5, "text_tokens": 3}}
    client.images.generate(**DRAW, extra_headers={"x-fake-usage": json.dumps(usage)})
    assert spans.usage()["gen_ai.usage.image.output_tokens"] == 5


def kind_on(spans: Spans) -> tuple[Any, Any]:
    attributes = spans.attributes()
    assert not {"llmlab.tier", "openai.response.service_tier"} & attributes.keys()
    return attributes.get("llmlab.image.quality"), attributes.get("llmlab.image.size")


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        ({}, (None, None)),
        ({"quality": "auto", "size": "auto"}, (None, None)),
        ({"quality": "standard", "size": "1024x1024"}, ("standard", "1024x1024")),
        ({"quality": "hd"}, ("hd", None)),
        ({"size": "1024x1792"}, (None, "1024x1792")),
    ],
)
def test_images_that_are_billed_by_the_piece_are_counted(
    client: openai.OpenAI, spans: Spans, wanted: dict[str, Any], kind: tuple[str | None, str | None]
) -> None:
    client.images.generate(model="dall-e-3", prompt="a fish", n=2, **wanted)
    assert spans.usage() == {"llmlab.usage.images": 2}
    assert kind_on(spans) == kind
    assert spans.attributes()["llmlab.usage.source"] == "reported"
    assert spans.attributes()["gen_ai.request.choice.count"] == 2


def test_variations_are_counted(client: openai.OpenAI, provider: FakeProvider, spans: Spans) -> None:
    vary = client.images.create_variation  # pyright: ignore[reportDeprecated] - it works, and some hosts have it
    vary(model="dall-e-2", image=("fish.png", b"PNG"), n=3, size="512x512")
    (request,) = provider.requests
    assert request.usage == {"images": spans.usage()["llmlab.usage.images"]} == {"images": 3}
    assert kind_on(spans) == (None, "512x512")
    assert spans.one().name == "image_generation dall-e-2"


def test_without_a_model_the_images_are_counted_and_no_model_is_made_up(client: openai.OpenAI, spans: Spans) -> None:
    client.images.generate(prompt="a fish")
    assert spans.usage() == {"llmlab.usage.images": 1}
    assert not {"gen_ai.request.model", "gen_ai.response.model"} & spans.attributes().keys()


def test_images_that_are_billed_by_tokens_are_not_billed_by_the_piece_too(client: openai.OpenAI, spans: Spans) -> None:
    wanted: dict[str, Any] = {**DRAW, "quality": "high", "size": "1536x1024"}
    client.images.generate(**wanted)
    assert kind_on(spans) == ("high", "1536x1024")
    assert "llmlab.usage.images" not in spans.usage()


@requires("openai", "2.0")
@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("way", [varied, translated], ids=lambda way: way.__name__)
def test_a_warning_of_the_sdk_names_the_line_that_makes_the_call(
    kind: type[Any], way: Way, provider: FakeProvider, spans: Spans
) -> None:
    with pytest.warns(DeprecationWarning, match="deprecated") as warned:
        call(kind, provider.openai_url, way)
    assert {warning.filename for warning in warned} == {__file__}
    assert len(spans.all()) == 1


def test_a_deprecated_function_is_put_back(
    instrumentor: LLMLabInstrumentor, client: openai.OpenAI, spans: Spans
) -> None:
    instrumentor.uninstrument()
    asyncio.run(varied(client))
    assert not spans.all()


UNREPORTED = {"x-fake-usage": "{}"}
"""Makes a model that says quality and size report no usage, as some hosts that speak this API do."""


def test_quality_and_size_are_read_from_the_response(client: openai.OpenAI, spans: Spans) -> None:
    client.images.generate(**DRAW, quality="auto", extra_headers=UNREPORTED)
    assert spans.usage() == {"llmlab.usage.images": 1}
    assert kind_on(spans) == ("medium", "1024x1024")


def test_what_the_response_says_of_an_image_replaces_what_was_asked_for() -> None:
    asked, made = kind_of("high", "512x512").attributes, {"data": [{}], "size": "1024x1024"}
    assert {**asked, **read_images(made).attributes} == kind_of("high", "1024x1024").attributes


@requires("openai", "1.98")
@pytest.mark.parametrize(("call", "asked"), [("generate", DRAW), ("edit", EDIT)])
def test_streamed_images_without_usage_are_counted(
    call: str, asked: dict[str, Any], client: openai.OpenAI, spans: Spans
) -> None:
    list(getattr(client.images, call)(**asked, n=2, stream=True, extra_headers=UNREPORTED))
    assert spans.usage() == {"llmlab.usage.images": 2}
    assert kind_on(spans) == ("medium", "1024x1024")
    assert spans.attributes()["llmlab.usage.source"] == "reported"


@requires("openai", "1.98")
def test_each_of_several_streamed_images_has_its_usage(client: openai.OpenAI, spans: Spans) -> None:
    list(client.images.generate(**DRAW, n=2, stream=True))
    assert spans.usage() == {name: 2 * count for name, count in IMAGE_COUNTS.items()}
    assert spans.attributes()["llmlab.usage.source"] == "estimated"


@requires("openai", "1.98")
def test_of_several_streamed_images_the_first_is_kept_where_the_caller_leaves(
    client: openai.OpenAI, spans: Spans
) -> None:
    with client.images.generate(**DRAW, n=2, stream=True) as images:
        assert [next(images).type, next(images).type][-1] == "image_generation.completed"
    assert spans.usage() == IMAGE_COUNTS
    assert spans.attributes()["llmlab.usage.source"] == "partial"


def test_a_drawing_as_text_names_the_model_that_wrote_it() -> None:
    written = {"model": "gpt-5.5", "input_tokens": 20, "output_tokens": 900, "reasoning_tokens": 300}
    reply = read_images({"data": [{}], "usage": {"input_tokens": 9, "output_tokens": 8}, "svg_usage": written})
    (beside,) = reply.further
    assert reply.usage == Usage(9, 8, image_out=8)
    assert (beside.model, beside.usage) == ("gpt-5.5", Usage(20, 900, reasoning=300))


@pytest.mark.parametrize(("seconds", "milliseconds"), [(7, 7000), (8.4004, 8400)])
def test_audio_that_is_billed_by_time_is_measured(
    seconds: float, milliseconds: int, client: openai.OpenAI, spans: Spans
) -> None:
    headers = {"x-fake-usage": json.dumps({"type": "duration", "seconds": seconds})}
    client.audio.transcriptions.create(model="whisper-1", file=FILE, extra_headers=headers)
    assert spans.usage() == {"llmlab.usage.audio_ms": milliseconds}
    assert spans.attributes()["llmlab.usage.source"] == "reported"


def test_a_transcription_as_text_reports_nothing(
    client: openai.OpenAI, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    assert client.audio.transcriptions.create(model="whisper-1", file=FILE, response_format="text") == "one two three"
    assert not spans.usage()
    assert "llmlab.usage.source" not in spans.attributes()
    assert not caplog.records


def test_a_transcription_as_text_that_is_streamed_reports_nothing(
    client: openai.OpenAI, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    create = client.audio.transcriptions.with_streaming_response.create
    with create(model="whisper-1", file=FILE, response_format="text") as response:
        assert response.read() == b"one two three"
    assert not spans.usage()
    assert "llmlab.usage.source" not in spans.attributes()
    assert not caplog.records


def test_content_is_never_recorded(client: openai.OpenAI, spans: Spans) -> None:
    secret = "xyzzy"  # noqa: S105 - no password, but nothing that may be seen either
    client.images.generate(model="gpt-image-1", prompt=secret, user=secret)
    client.audio.transcriptions.create(model="gpt-4o-transcribe", file=(secret, secret.encode()), prompt=secret)
    assert secret not in "".join(span.to_json() for span in spans.all())


@requires("openai", "1.98")
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_is_the_callers_and_on_the_span(stream: bool, client: openai.OpenAI, spans: Spans) -> None:
    with pytest.raises(openai.RateLimitError):
        client.images.generate(model="error-429", prompt="a fish", stream=stream)
    with pytest.raises(openai.RateLimitError):
        client.audio.transcriptions.create(model="error-429", file=FILE, stream=stream)
    assert [(span.attributes or {})["error.type"] for span in spans.all()] == ["RateLimitError"] * 2


@requires("openai", "1.98")
def test_a_stream_that_is_not_read_to_its_end_is_partial(client: openai.OpenAI, spans: Spans) -> None:
    with client.images.generate(**DRAW, stream=True) as images:
        next(images)
    assert spans.attributes()["llmlab.usage.source"] == "partial"
    assert not spans.usage()


@requires("openai", "1.68")
def test_a_stream_that_breaks_off_is_a_partial_error(client: openai.OpenAI, spans: Spans) -> None:
    with pytest.raises(Exception, match=r"Connection error|peer closed") as raised:
        list(client.audio.transcriptions.create(model="truncated", file=FILE, stream=True))
    assert spans.attributes()["error.type"] == type(raised.value).__name__
    assert spans.attributes()["llmlab.usage.source"] == "partial"
