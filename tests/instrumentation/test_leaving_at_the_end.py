"""A stream that is left after its last event is not partial: the provider has said that this is all.

One event earlier it is.
"""

import gc
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import boto3
import cohere
import groq
import openai
import pytest
from google.genai import Client as GeminiClient
from huggingface_hub import InferenceClient
from mistralai.client import Mistral

from fake_provider.testing import FakeProvider
from instrumentation.spans import Spans

pytestmark = pytest.mark.usefixtures("instrumentor")

ASK: Any = [{"role": "user", "content": "one two three four"}]

OpenStream = Callable[[FakeProvider], Any]


def openai_chat(provider: FakeProvider) -> Any:
    return openai_client(provider).chat.completions.create(
        model="gpt-4o", messages=ASK, stream=True, stream_options={"include_usage": True}
    )


def openai_responses(provider: FakeProvider) -> Any:
    return openai_client(provider).responses.create(model="gpt-5-mini", input="one two three", stream=True)


def openai_images(provider: FakeProvider) -> Any:
    return openai_client(provider).images.generate(model="gpt-image-1", prompt="a fish", stream=True)


def openai_transcriptions(provider: FakeProvider) -> Any:
    file = ("speech.wav", b"RIFF")
    return openai_client(provider).audio.transcriptions.create(model="gpt-4o-transcribe", file=file, stream=True)


def anthropic_messages(provider: FakeProvider) -> Any:
    client = anthropic.Anthropic(base_url=provider.anthropic_url, api_key="fake")
    return client.messages.create(model="claude-haiku-4-5", messages=ASK, max_tokens=50, stream=True)


def bedrock_converse(provider: FakeProvider) -> Any:
    messages: Any = [{"role": "user", "content": [{"text": "one two three four"}]}]
    return bedrock_client(provider).converse_stream(modelId="amazon.nova-lite-v1:0", messages=messages)["stream"]


def bedrock_nova(provider: FakeProvider) -> Any:
    body = b'{"messages": [{"role": "user", "content": [{"text": "one two three four"}]}]}'
    return bedrock_client(provider).invoke_model_with_response_stream(modelId="amazon.nova-lite-v1:0", body=body)[
        "body"
    ]


def cohere_chat(provider: FakeProvider) -> Any:
    return cohere.ClientV2("fake", base_url=provider.url).chat_stream(model="command-r-plus", messages=ASK)


def cohere_chat_1(provider: FakeProvider) -> Any:
    return cohere.Client("fake", base_url=provider.url).chat_stream(model="command-r-plus", message="one two three")


def gemini(provider: FakeProvider) -> Any:
    client = GeminiClient(api_key="fake", http_options={"base_url": provider.url})
    yield from client.models.generate_content_stream(model="gemini-2.5-flash", contents="one two three four")


def groq_chat(provider: FakeProvider) -> Any:
    client = groq.Groq(base_url=provider.groq_url, api_key="fake")
    return client.chat.completions.create(model="llama-3.3-70b-versatile", messages=ASK, stream=True)


def huggingface_chat(provider: FakeProvider) -> Any:
    client: Any = InferenceClient(base_url=provider.openai_url, token="fake")
    yield from client.chat_completion(ASK, stream=True, stream_options={"include_usage": True})


def huggingface_text(provider: FakeProvider) -> Any:
    client = InferenceClient(token="fake")
    address = f"{provider.url}/huggingface/generate"
    yield from client.text_generation("one two three four", model=address, details=True, stream=True)


def mistral_chat(provider: FakeProvider) -> Any:
    return Mistral(server_url=provider.mistral_url, api_key="fake").chat.stream(model="mistral-small", messages=ASK)


def openai_client(provider: FakeProvider) -> openai.OpenAI:
    return openai.OpenAI(base_url=provider.openai_url, api_key="fake")


def bedrock_client(provider: FakeProvider) -> Any:
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=provider.bedrock_url,
        aws_access_key_id="fake",
        aws_secret_access_key="fake",
    )


every_format = pytest.mark.parametrize(
    "open_stream",
    [
        openai_chat,
        openai_responses,
        openai_images,
        openai_transcriptions,
        anthropic_messages,
        bedrock_converse,
        bedrock_nova,
        cohere_chat,
        cohere_chat_1,
        gemini,
        groq_chat,
        huggingface_chat,
        huggingface_text,
        mistral_chat,
    ],
)


def leave_after(events: int, stream: Any) -> None:
    """Read so many events, never asking for one more, and throw the stream away."""
    reading: Iterator[Any] = iter(stream)
    for _ in range(events):
        next(reading)
    if hasattr(stream, "close"):
        stream.close()
    del reading, stream
    gc.collect()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # some SDKs leave their sockets open
@every_format
def test_after_the_last_event_everything_is_known(
    open_stream: OpenStream, provider: FakeProvider, spans: Spans
) -> None:
    events = len(list(open_stream(provider)))
    usage = spans.usage()
    spans.exporter.clear()
    leave_after(events, open_stream(provider))
    assert spans.source() == "reported"
    assert spans.usage() == usage != {}
    assert "error.type" not in spans.attributes()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@every_format
def test_before_the_last_event_more_may_be_billed(
    open_stream: OpenStream, provider: FakeProvider, spans: Spans
) -> None:
    events = len(list(open_stream(provider)))
    spans.exporter.clear()
    leave_after(events - 1, open_stream(provider))
    assert spans.source() == "partial"
