"""Prompts and answers: nowhere unless asked for; then on spans, in events or both, bounded and without secrets."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from fake_provider.testing import FakeProvider
from instrumentation.conftest import Capturing
from instrumentation.contents import KEY
from instrumentation.reading import of_model
from instrumentation.spans import CONTENT, Spans
from llmlab.capture import content, switches
from llmlab.capture.content_json import LEAST_LIMIT_CHARS, LIMIT, as_json, fitted, plain
from llmlab.capture.events import DETAILS
from llmlab.providers import ContentFormat, discover

openai = pytest.importorskip("openai")

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
PROMPT = [
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


class Events:
    """The events of one test."""

    def __init__(self) -> None:
        self.exporter = InMemoryLogRecordExporter()
        self.provider = LoggerProvider(shutdown_on_exit=False)
        self.provider.add_log_record_processor(SimpleLogRecordProcessor(self.exporter))

    def all(self) -> list[Any]:
        return [each.log_record for each in self.exporter.get_finished_logs()]

    def one(self) -> Any:
        (event,) = self.all()
        return event


@pytest.fixture
def events() -> Iterator[Events]:
    made = Events()
    yield made
    made.provider.shutdown()


def ask(provider: FakeProvider, **more: Any) -> Any:
    with openai.OpenAI(base_url=provider.openai_url, api_key="fake", max_retries=0) as client:
        answer = client.chat.completions.create(**CHAT | more)
        return list(answer) if more.get("stream") else answer


@pytest.mark.parametrize("name", sorted({name for provider in discover() for name in provider.content}))
def test_every_format_that_a_provider_names_is_there(name: str) -> None:
    assert isinstance(content.format_named(name), ContentFormat)


@pytest.mark.parametrize("mode", ["", "NO_CONTENT", "false", "EVENT_ONLY", "nonsense"])
def test_content_stays_off_the_span(mode: str, provider: FakeProvider, capturing: Capturing, spans: Spans) -> None:
    capturing(mode)
    ask(provider)
    assert spans.contents() == {}
    assert "hello" not in str(spans.attributes())


@pytest.mark.parametrize("mode", ["", "NO_CONTENT", "true", "SPAN_ONLY", "nonsense"])
def test_no_event_is_made_unless_asked_for(
    mode: str, provider: FakeProvider, capturing: Capturing, events: Events
) -> None:
    capturing(mode, events.provider)
    ask(provider)
    assert events.all() == []


@pytest.mark.parametrize("mode", ["EVENT_ONLY", "SPAN_AND_EVENT"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_event_has_the_content_in_structured_form(
    mode: str, stream: bool, provider: FakeProvider, capturing: Capturing, spans: Spans, events: Events
) -> None:
    capturing(mode, events.provider)
    ask(provider, stream=stream, tools=[TOOL], tool_choice="none")
    event, span = events.one(), spans.one()
    assert span.context is not None
    assert event.event_name == DETAILS
    assert (event.trace_id, event.span_id) == (span.context.trace_id, span.context.span_id)
    assert json.loads(json.dumps(event.attributes["gen_ai.input.messages"])) == PROMPT
    [answer] = event.attributes["gen_ai.output.messages"]
    assert answer["parts"][0]["content"]
    assert event.attributes["gen_ai.tool.definitions"][0]["name"] == "weather"
    seen = spans.contents()
    assert (seen != {}) == (mode == "SPAN_AND_EVENT")
    assert all(json.loads(json.dumps(event.attributes[name])) == value for name, value in seen.items())


def test_an_event_says_of_the_call_what_its_span_says(
    provider: FakeProvider, capturing: Capturing, spans: Spans, events: Events
) -> None:
    capturing("EVENT_ONLY", events.provider)
    ask(provider, temperature=0.5)
    said = {name: value for name, value in events.one().attributes.items() if name not in CONTENT}
    assert said == spans.attributes()


def test_a_failed_call_has_an_event_without_an_answer(
    provider: FakeProvider, capturing: Capturing, spans: Spans, events: Events
) -> None:
    capturing("EVENT_ONLY", events.provider)
    with pytest.raises(openai.RateLimitError):
        ask(provider, **of_model("error-429", {}))
    attributes = events.one().attributes
    assert attributes["error.type"] == "RateLimitError"
    assert "gen_ai.input.messages" in attributes
    assert "gen_ai.output.messages" not in attributes


def test_what_an_event_holds_can_be_sent(provider: FakeProvider, capturing: Capturing, events: Events) -> None:
    capturing("EVENT_ONLY", events.provider)
    arguments = json.dumps({"none": None, "large": 2**70, "half": "\ud83d", "list": [1.5, True]})
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": arguments}}
    messages: Any = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "wet"},
    ]
    ask(provider, messages=messages)
    sent = encode_logs(events.exporter.get_finished_logs()).SerializeToString()
    assert str(2**70).encode() in sent
    assert DETAILS.encode() in sent


def test_the_limit_holds_in_an_event(
    provider: FakeProvider, capturing: Capturing, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT, "400")
    capturing("EVENT_ONLY", events.provider)
    ask(provider, messages=[{"role": "user", "content": "long " * 2000}])
    messages = events.one().attributes["gen_ai.input.messages"]
    assert "characters cut]" in messages[0]["parts"][0]["content"]
    assert len(as_json(messages)) <= 400


def test_a_call_that_was_sampled_out_has_no_event(
    provider: FakeProvider, capturing: Capturing, events: Events, tracer_provider: TracerProvider
) -> None:
    tracer_provider.sampler = ALWAYS_OFF
    capturing("SPAN_AND_EVENT", events.provider)
    ask(provider)
    assert events.all() == []


def test_without_events_in_the_api_only_spans_are_made(
    provider: FakeProvider,
    capturing: Capturing,
    spans: Spans,
    events: Events,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(content, "_logged", set[str]())
    monkeypatch.setattr(content, "are_events_known", lambda: False)
    with caplog.at_level(logging.WARNING, "llmlab"):
        capturing("SPAN_AND_EVENT", events.provider)
    assert sum("1.38" in message for message in caplog.messages) == 1
    ask(provider)
    assert events.all() == []
    assert spans.contents()["gen_ai.input.messages"] == PROMPT


@pytest.mark.parametrize("value", ["", "gen_ai_latest_experimental", "http,database/dup", "nonsense"])
def test_spans_follow_the_newest_conventions_whatever_is_opted_into(
    value: str, provider: FakeProvider, capturing: Capturing, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", value)
    capturing("")
    ask(provider)
    attributes = spans.attributes()
    assert attributes["gen_ai.provider.name"] == "openai"
    assert "gen_ai.system" not in attributes
    assert spans.contents() == {}


@pytest.mark.parametrize(("mode", "lines"), [("nonsense", 1), ("EVENT_ONLY", 0), ("SPAN_ONLY", 0), ("", 0)])
def test_a_value_that_is_not_followed_is_said_in_the_log(
    mode: str, lines: int, capturing: Capturing, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "_logged", set[str]())
    with caplog.at_level(logging.WARNING, "llmlab"):
        capturing(mode)
    assert sum(switches.CONTENT in message for message in caplog.messages) == lines


@pytest.mark.parametrize("mode", ["SPAN_ONLY", "span_and_event", "true"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_is_recorded_in_the_form_of_the_conventions(
    mode: str, stream: bool, provider: FakeProvider, capturing: Capturing, spans: Spans
) -> None:
    capturing(mode)
    ask(provider, stream=stream, tools=[TOOL], tool_choice="none")
    found = spans.contents()
    assert found["gen_ai.input.messages"] == PROMPT
    [answer] = found["gen_ai.output.messages"]
    assert answer["role"] == "assistant"
    assert answer["parts"][0]["type"] in {"text", "tool_call"}
    assert found["gen_ai.tool.definitions"][0]["name"] == "weather"
    assert spans.attributes()["llmlab.usage.source"] == "reported"


def test_the_limit_holds_on_the_span(
    provider: FakeProvider, capturing: Capturing, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT, "400")
    capturing()
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
    text = as_json(fitted(value, limit))
    assert isinstance(json.loads(text), list)
    assert len(text) <= limit


def test_messages_in_the_middle_give_way_and_it_shows() -> None:
    messages = [{"role": "user", "parts": [{"type": "text", "content": f"{number} " * 20}]} for number in range(50)]
    kept = fitted(messages, 1000)
    assert kept[0]["parts"][0]["content"].startswith("0 ")
    assert kept[-1]["parts"][0]["content"].startswith("49 ")
    assert any("left out" in message["parts"][0]["content"] for message in kept)


class Marker:
    """What SDKs put where a caller gave nothing."""

    def __bool__(self) -> bool:
        return False


def test_what_was_not_given_is_nothing() -> None:
    assert plain({"tools": Marker(), "stop": ..., "odd": object()}) == {"tools": None, "stop": None, "odd": "<object>"}


@given(st.text(st.characters(codec=None, categories=["Cs", "Lu"])) | st.integers())
def test_whatever_was_said_can_be_sent(value: str | int) -> None:
    [said] = fitted([value], 2000)
    if isinstance(said, str):
        said.encode()
    else:
        assert -(2**63) <= said < 2**63
