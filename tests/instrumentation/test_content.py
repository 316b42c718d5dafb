"""Prompts and answers: not on spans unless asked for, and then bounded and without secrets."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

from fake_provider.testing import FakeProvider
from instrumentation.spans import Spans
from llmlab.capture import content
from llmlab.capture.content import CAPTURE
from llmlab.capture.content_json import LEAST_LIMIT_CHARS, LIMIT, bounded
from llmlab.instrumentor import LLMLabInstrumentor

openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")
genai = pytest.importorskip("google.genai")

KEY = "sk-proj-abcdefghijklmnopqrstuvwx"
CONTENT = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions")
TOOL: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
CHAT: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": f"my key is {KEY}"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "text", "text": "hello"},
            ],
        },
    ],
}


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch, tracer_provider: TracerProvider) -> Any:
    """Switch the instrumentation on with a value of the variable."""
    instrumentor = LLMLabInstrumentor()

    def start(mode: str) -> None:
        monkeypatch.setenv(CAPTURE, mode)
        instrumentor.instrument(tracer_provider=tracer_provider)

    yield start
    instrumentor.uninstrument()


def contents(spans: Spans) -> dict[str, Any]:
    attributes = spans.attributes()
    return {name: json.loads(str(attributes[name])) for name in CONTENT if name in attributes}


def ask(provider: FakeProvider, **more: Any) -> Any:
    with openai.OpenAI(base_url=provider.openai_url, api_key="fake", max_retries=0) as client:
        answer = client.chat.completions.create(**CHAT, **more)
        return list(answer) if more.get("stream") else answer


@pytest.mark.parametrize("mode", ["", "NO_CONTENT", "false", "EVENT_ONLY", "nonsense"])
def test_content_stays_off_the_span(mode: str, provider: FakeProvider, recording: Any, spans: Spans) -> None:
    recording(mode)
    ask(provider)
    assert contents(spans) == {}
    assert "hello" not in str(spans.attributes())


@pytest.mark.parametrize("value", ["", "gen_ai_latest_experimental", "http,database/dup", "nonsense"])
def test_spans_follow_the_newest_conventions_whatever_is_opted_into(
    value: str, provider: FakeProvider, recording: Any, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", value)
    recording("")
    ask(provider)
    attributes = spans.attributes()
    assert attributes["gen_ai.provider.name"] == "openai"
    assert "gen_ai.system" not in attributes
    assert contents(spans) == {}


@pytest.mark.parametrize(("mode", "lines"), [("EVENT_ONLY", True), ("nonsense", True), ("SPAN_ONLY", False)])
def test_a_value_that_is_not_followed_is_said_in_the_log(
    mode: str, lines: bool, recording: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "_logged", set[str]())
    with caplog.at_level(logging.WARNING, "llmlab"):
        recording(mode)
    assert sum(CAPTURE in message for message in caplog.messages) == int(lines)


@pytest.mark.parametrize("mode", ["SPAN_ONLY", "span_and_event", "true"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_is_recorded_in_the_form_of_the_conventions(
    mode: str, stream: bool, provider: FakeProvider, recording: Any, spans: Spans
) -> None:
    recording(mode)
    ask(provider, stream=stream, tools=[TOOL], tool_choice="none")
    found = contents(spans)
    assert found["gen_ai.input.messages"] == [
        {"role": "system", "parts": [{"type": "text", "content": "be brief"}]},
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "my key is [secret]"},
                {"type": "blob", "modality": "image", "mime_type": "image/png", "content": ""},
                {"type": "text", "content": "hello"},
            ],
        },
    ]
    [answer] = found["gen_ai.output.messages"]
    assert answer["role"] == "assistant"
    assert answer["parts"][0]["type"] in {"text", "tool_call"}
    assert found["gen_ai.tool.definitions"][0]["name"] == "weather"
    assert spans.attributes()["llmlab.usage.source"] == "reported"


@pytest.mark.parametrize("stream", [False, True])
def test_a_streamed_answer_is_put_together(stream: bool, provider: FakeProvider, recording: Any, spans: Spans) -> None:
    recording("SPAN_ONLY")
    with openai.OpenAI(base_url=provider.openai_url, api_key="fake") as client:
        headers = {"x-fake-reply": "one two three"}
        answer = client.chat.completions.create(**CHAT, stream=stream, extra_headers=headers)
        if stream:
            list(answer)
    expected = [{"role": "assistant", "parts": [{"type": "text", "content": "one two three"}]}]
    assert contents(spans)["gen_ai.output.messages"] == expected


@pytest.mark.parametrize("stream", [False, True])
def test_the_responses_api_keeps_its_instructions_apart(
    stream: bool, provider: FakeProvider, recording: Any, spans: Spans
) -> None:
    recording("SPAN_ONLY")
    with openai.OpenAI(base_url=provider.openai_url, api_key="fake") as client:
        headers = {"x-fake-reply": "four five"}
        asked: Any = {"model": "gpt-4o", "input": "hello", "instructions": "be brief", "extra_headers": headers}
        answer = client.responses.create(**asked, stream=stream)
        if stream:
            list(answer)
    found = contents(spans)
    assert found["gen_ai.input.messages"] == [{"role": "user", "parts": [{"type": "text", "content": "hello"}]}]
    assert found["gen_ai.system_instructions"] == [{"type": "text", "content": "be brief"}]
    assert {"type": "text", "content": "four five"} in found["gen_ai.output.messages"][0]["parts"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_message_of_anthropic_is_recorded(stream: bool, provider: FakeProvider, recording: Any, spans: Spans) -> None:
    recording("SPAN_ONLY")
    with anthropic.Anthropic(base_url=provider.anthropic_url, api_key="fake") as client:
        answer = client.messages.create(
            model="claude-haiku-4-5",
            max_tokens=50,
            system="be brief",
            messages=[{"role": "user", "content": "password: hunter2hunter2"}],
            extra_headers={"x-fake-reply": "one two three"},
            stream=stream,
        )
        if stream:
            list(answer)
    assert contents(spans) == {
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "password: [secret]"}]}],
        "gen_ai.system_instructions": [{"type": "text", "content": "be brief"}],
        "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "one two three"}]}],
    }


@pytest.mark.parametrize("stream", [False, True])
def test_what_gemini_says_is_recorded(stream: bool, provider: FakeProvider, recording: Any, spans: Spans) -> None:
    recording("SPAN_ONLY")
    options: Any = {"base_url": provider.url, "headers": {"x-fake-reply": "one two three"}}
    with genai.Client(api_key="fake", http_options=options) as client:
        asked: Any = {"model": "gemini-2.5-flash", "contents": "hello", "config": {"system_instruction": "be brief"}}
        if stream:
            list(client.models.generate_content_stream(**asked))
        else:
            client.models.generate_content(**asked)
    found = contents(spans)
    assert found["gen_ai.input.messages"] == [{"role": "user", "parts": [{"type": "text", "content": "hello"}]}]
    assert found["gen_ai.system_instructions"] == [{"type": "text", "content": "be brief"}]
    assert {"type": "text", "content": "one two three"} in found["gen_ai.output.messages"][0]["parts"]


def test_the_limit_holds_on_the_span(
    provider: FakeProvider, recording: Any, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT, "400")
    recording("SPAN_ONLY")
    with openai.OpenAI(base_url=provider.openai_url, api_key="fake") as client:
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "long " * 2000}])
    text = str(spans.attributes()["gen_ai.input.messages"])
    assert len(text) <= 400
    assert "characters cut]" in json.loads(text)[0]["parts"][0]["content"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=10), inner, max_size=6),
    max_leaves=40,
)


@given(st.lists(JSON, max_size=30), st.integers(LEAST_LIMIT_CHARS, 2000))
def test_whatever_was_said_is_valid_json_of_the_limited_size(value: list[Any], limit: int) -> None:
    text = bounded(value, limit)
    assert isinstance(json.loads(text), list)
    assert len(text) <= limit


def test_messages_in_the_middle_give_way_and_it_shows() -> None:
    messages = [{"role": "user", "parts": [{"type": "text", "content": f"{number} " * 20}]} for number in range(50)]
    kept = json.loads(bounded(messages, 1000))
    assert kept[0]["parts"][0]["content"].startswith("0 ")
    assert kept[-1]["parts"][0]["content"].startswith("49 ")
    assert any("left out" in message["parts"][0]["content"] for message in kept)
