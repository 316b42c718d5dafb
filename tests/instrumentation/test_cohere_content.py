"""Prompts and answers of Cohere, of both versions of its API."""

from collections.abc import Iterator
from typing import Any

import cohere
import httpx
import pytest

from fake_provider.testing import FakeProvider
from instrumentation.conftest import Capturing
from instrumentation.contents import ASKED, HEADERS, QUESTION, SAID, says
from instrumentation.spans import Spans
from llmlab.formats.cohere_content import CHAT

PROPERTIES = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL: Any = {"type": "function", "function": {"name": "weather", "description": "rain?", "parameters": PROPERTIES}}


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


@pytest.mark.parametrize("streams", [False, True])
def test_a_chat_of_the_second_version_is_recorded(
    streams: bool, provider: FakeProvider, http: httpx.Client, capturing: Capturing, spans: Spans
) -> None:
    capturing()
    client = cohere.ClientV2(base_url=provider.url, api_key="fake", httpx_client=http)
    asked: Any = {
        "model": "command-r-plus",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": ASKED}],
        "tools": [TOOL],
        "request_options": {"additional_headers": HEADERS},
    }
    list(client.chat_stream(**asked)) if streams else client.chat(**asked)
    assert spans.contents() == {
        "gen_ai.input.messages": [says("system", "be brief"), *QUESTION],
        "gen_ai.output.messages": SAID,
        "gen_ai.tool.definitions": [
            {"type": "function", "name": "weather", "description": "rain?", "parameters": PROPERTIES}
        ],
    }
    assert spans.source() == "reported"


@pytest.mark.parametrize("streams", [False, True])
def test_a_chat_of_the_first_version_is_recorded(
    streams: bool, provider: FakeProvider, http: httpx.Client, capturing: Capturing, spans: Spans
) -> None:
    capturing()
    client = cohere.Client(base_url=provider.url, api_key="fake", httpx_client=http)
    asked: Any = {
        "message": ASKED,
        "preamble": "be brief",
        "chat_history": [{"role": "USER", "message": "hi"}, {"role": "CHATBOT", "message": "yes?"}],
        "tools": [{"name": "weather", "description": "rain?", "parameter_definitions": {"city": {"type": "str"}}}],
        "request_options": {"additional_headers": HEADERS},
    }
    list(client.chat_stream(**asked)) if streams else client.chat(**asked)
    assert spans.contents() == {
        "gen_ai.input.messages": [says("user", "hi"), says("assistant", "yes?"), *QUESTION],
        "gen_ai.output.messages": SAID,
        "gen_ai.system_instructions": [{"type": "text", "content": "be brief"}],
        "gen_ai.tool.definitions": [
            {
                "type": "function",
                "name": "weather",
                "description": "rain?",
                "parameters": {"city": {"type": "str"}},
            }
        ],
    }


def test_a_stream_that_is_left_keeps_what_was_said(
    provider: FakeProvider, http: httpx.Client, capturing: Capturing, spans: Spans
) -> None:
    capturing()
    client = cohere.ClientV2(base_url=provider.url, api_key="fake", httpx_client=http)
    messages: Any = [{"role": "user", "content": ASKED}]
    stream = client.chat_stream(
        model="command-r-plus", messages=messages, request_options={"additional_headers": HEADERS}
    )
    said = (each for each in stream if each.type == "content-delta")
    next(said)
    del said, stream
    assert spans.is_partial()
    assert spans.contents()["gen_ai.output.messages"] == [says("assistant", "one")]


def test_embeddings_are_no_content(
    provider: FakeProvider, http: httpx.Client, capturing: Capturing, spans: Spans
) -> None:
    capturing()
    cohere.Client(base_url=provider.url, api_key="fake", httpx_client=http).embed(
        model="embed-v4.0", texts=[ASKED], input_type="search_document"
    )
    assert spans.contents() == {}


CALLED = {
    "role": "assistant",
    "parts": [
        {"type": "reasoning", "content": "I look it up."},
        {"type": "tool_call", "id": "weather_1", "name": "weather", "arguments": {"city": "Bern"}},
    ],
}


def delta(kind: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    return {"type": kind, "index": index, "delta": {"message": message}}


def test_streamed_tool_calls_are_put_together() -> None:
    content = CHAT.chunks()
    for event in (
        delta("tool-plan-delta", tool_plan="I look"),
        delta("tool-plan-delta", tool_plan=" it up."),
        delta("tool-call-start", 0, tool_calls={"id": "weather_1", "function": {"name": "weather", "arguments": ""}}),
        delta("tool-call-delta", 0, tool_calls={"function": {"arguments": '{"city":'}}),
        delta("tool-call-delta", 0, tool_calls={"function": {"arguments": ' "Bern"}'}}),
        {"type": "tool-call-end", "index": 0},
    ):
        content.read(event)
    assert content.messages() == [CALLED]


def test_streamed_thoughts_come_before_the_answer() -> None:
    content = CHAT.chunks()
    for event in (
        delta("content-start", 0, content={"type": "thinking", "thinking": ""}),
        delta("content-delta", 0, content={"thinking": "hm"}),
        delta("content-start", 1, content={"type": "text", "text": ""}),
        delta("content-delta", 1, content={"text": "no"}),
    ):
        content.read(event)
    [message] = content.messages()
    assert message["parts"] == [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "no"}]


def test_what_tools_answered_is_part_of_the_prompt() -> None:
    call = {"name": "weather", "parameters": {"city": "Bern"}}
    results = [{"call": call, "outputs": [{"rain": True}]}]
    asked = CHAT.asked((), {"message": "", "tool_results": results, "chat_history": ..., "tools": ...})
    assert asked is not None
    [answer] = asked.messages
    assert answer["parts"] == [{"type": "tool_call_response", "id": None, "response": [{"rain": True}]}]
