"""Prompts and answers of Gemini."""

from typing import Any

import pytest
from google.genai import Client, types

from fake_provider.testing import FakeProvider
from instrumentation.conftest import Capturing
from instrumentation.contents import HEADERS, SAID, says
from instrumentation.spans import Spans
from llmlab.formats.gemini_content import GENERATE


def gemini(provider: FakeProvider) -> Client:
    options: Any = {"base_url": provider.url, "headers": HEADERS}
    return Client(api_key="fake", http_options=options)


@pytest.mark.parametrize("stream", [False, True])
def test_what_gemini_says_is_recorded(stream: bool, provider: FakeProvider, capturing: Capturing, spans: Spans) -> None:
    capturing()
    client = gemini(provider)
    asked: Any = {"model": "gemini-2.5-flash", "contents": "hello", "config": {"system_instruction": "be brief"}}
    if stream:
        list(client.models.generate_content_stream(**asked))
    else:
        client.models.generate_content(**asked)
    assert spans.contents() == {
        "gen_ai.input.messages": [says("user", "hello")],
        "gen_ai.system_instructions": [{"type": "text", "content": "be brief"}],
        "gen_ai.output.messages": SAID,
    }


def weather(city: str) -> str:
    """Say whether it rains."""
    return f"wet in {city}"


DECLARED = types.FunctionDeclaration(
    name="time",
    description="what time?",
    parameters=types.Schema(type=types.Type.OBJECT, properties={"zone": types.Schema(type=types.Type.STRING)}),
)
TIME = {
    "type": "function",
    "name": "time",
    "description": "what time?",
    "parameters": {"type": "OBJECT", "properties": {"zone": {"type": "STRING"}}},
}


@pytest.mark.parametrize("typed", [False, True])
def test_tools_are_recorded_whatever_they_are(
    typed: bool, provider: FakeProvider, capturing: Capturing, spans: Spans
) -> None:
    capturing()
    tools: Any = [types.Tool(function_declarations=[DECLARED]), types.Tool(google_search=types.GoogleSearch()), weather]
    config: Any = types.GenerateContentConfig(tools=tools) if typed else {"tools": tools}
    client = gemini(provider)
    client.models.generate_content(model="gemini-2.5-flash", contents="hello", config=config)
    assert spans.contents()["gen_ai.tool.definitions"] == [
        TIME,
        {"type": "google_search", "name": "google_search"},
        {"type": "function", "name": "weather", "description": "Say whether it rains."},
    ]


def test_dictionaries_may_have_the_names_of_the_api() -> None:
    schema = {"type": "object", "properties": {"zone": {"type": "string"}}}
    asked = GENERATE.asked(
        (),
        {
            "model": "gemini-2.5-flash",
            "contents": [
                {"role": "model", "parts": [{"functionCall": {"id": "1", "name": "time", "args": {"zone": "CET"}}}]},
                {"role": "user", "parts": [{"functionResponse": {"id": "1", "response": {"time": "noon"}}}]},
                {"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": b"png"}}]},
            ],
            "config": {
                "systemInstruction": "be brief",
                "tools": [{"functionDeclarations": [{"name": "time", "parametersJsonSchema": schema}]}],
            },
        },
    )
    assert asked is not None
    assert [message["parts"][0] for message in asked.messages] == [
        {"type": "tool_call", "id": "1", "name": "time", "arguments": {"zone": "CET"}},
        {"type": "tool_call_response", "id": "1", "response": {"time": "noon"}},
        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": ""},
    ]
    assert asked.system == [{"type": "text", "content": "be brief"}]
    assert asked.tools == [{"type": "function", "name": "time", "parameters": schema}]
