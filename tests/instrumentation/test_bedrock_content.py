"""Prompts and answers of Amazon Bedrock: Converse, and InvokeModel with Anthropic's bodies."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.config import Config

from fake_provider.testing import FakeProvider
from instrumentation.conftest import Capturing
from instrumentation.contents import ASKED, QUESTION, says
from instrumentation.spans import Spans
from llmlab.formats.bedrock_content import CONVERSE

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "amazon.nova-lite-v1:0"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CONVERSATION: Any = {
    "modelId": NOVA,
    "messages": [{"role": "user", "content": [{"text": ASKED}]}],
    "system": [{"text": "be brief"}],
    "toolConfig": {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": SCHEMA}}}]},
}
BODY: Any = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 50,
    "system": "be brief",
    "messages": [{"role": "user", "content": ASKED}],
    "tools": [{"name": "weather", "input_schema": SCHEMA}],
}
PROMPT: Any = {
    "gen_ai.input.messages": QUESTION,
    "gen_ai.system_instructions": [{"type": "text", "content": "be brief"}],
    "gen_ai.tool.definitions": [{"type": "function", "name": "weather", "parameters": SCHEMA}],
}


@pytest.fixture
def client(provider: FakeProvider, capturing: Capturing) -> Iterator[Any]:
    capturing()
    runtime: Any = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=provider.bedrock_url,
        aws_access_key_id="fake",
        aws_secret_access_key="fake",
        config=Config(retries={"max_attempts": 0}),
    )
    with closing(runtime):
        yield runtime


def test_a_conversation_is_recorded(client: Any, spans: Spans) -> None:
    blocks = client.converse(**CONVERSATION)["output"]["message"]["content"]
    said = [says("assistant", blocks[0]["text"])]
    assert blocks[0]["text"]
    assert spans.contents() == {**PROMPT, "gen_ai.output.messages": said}


def test_a_streamed_conversation_is_recorded(client: Any, spans: Spans) -> None:
    events = list(client.converse_stream(**CONVERSATION)["stream"])
    text = "".join(each["contentBlockDelta"]["delta"]["text"] for each in events if "contentBlockDelta" in each)
    assert text
    assert spans.contents() == {**PROMPT, "gen_ai.output.messages": [says("assistant", text)]}
    assert spans.source() == "reported"


def test_a_stream_that_is_left_keeps_what_was_said(client: Any, spans: Spans) -> None:
    stream = client.converse_stream(**CONVERSATION)["stream"]
    first = next(event for event in stream if "contentBlockDelta" in event)
    stream.close()
    said = first["contentBlockDelta"]["delta"]["text"]
    assert spans.contents()["gen_ai.output.messages"] == [says("assistant", said)]


@pytest.mark.parametrize("encode", [str, str.encode])
def test_a_body_of_anthropics_is_recorded(encode: Any, client: Any, spans: Spans) -> None:
    response = client.invoke_model(modelId=CLAUDE, body=encode(json.dumps(BODY)))
    answer = json.loads(response["body"].read())["content"][0]["text"]
    assert spans.contents() == {**PROMPT, "gen_ai.output.messages": [says("assistant", answer)]}
    assert spans.source() == "reported"


def test_a_streamed_body_of_anthropics_is_recorded(client: Any, spans: Spans) -> None:
    response = client.invoke_model_with_response_stream(modelId=CLAUDE, body=json.dumps(BODY))
    events = [json.loads(each["chunk"]["bytes"]) for each in response["body"]]
    text = "".join(each["delta"]["text"] for each in events if each["type"] == "content_block_delta")
    assert text
    assert spans.contents() == {**PROMPT, "gen_ai.output.messages": [says("assistant", text)]}


def test_other_families_bodies_are_left_out(client: Any, spans: Spans) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": [{"text": ASKED}]}]})
    client.invoke_model(modelId=NOVA, body=body)["body"].read()
    assert spans.contents() == {}
    assert spans.source() == "reported"


def test_pictures_and_tools_are_told_apart() -> None:
    blocks = [
        {"image": {"format": "png", "source": {"bytes": b"\x00"}}},
        {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://films/one.mp4"}}}},
        {"toolResult": {"toolUseId": "t1", "content": [{"json": {"rain": True}}, {"text": "wet"}]}},
        {"cachePoint": {"type": "default"}},
    ]
    asked = CONVERSE.asked(("Converse", {"messages": [{"role": "user", "content": blocks}]}), {})
    assert asked is not None
    response = [{"rain": True}, {"type": "text", "content": "wet"}]
    assert asked.messages[0]["parts"] == [
        {"type": "blob", "modality": "image", "mime_type": None, "content": ""},
        {"type": "uri", "modality": "video", "mime_type": None, "uri": "s3://films/one.mp4"},
        {"type": "tool_call_response", "id": "t1", "response": response},
    ]


def grown(index: int, **delta: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": delta}}


def test_streamed_tool_calls_and_thoughts_are_put_together() -> None:
    content = CONVERSE.chunks()
    begun = {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t1", "name": "weather"}}}
    for event in (
        {"messageStart": {"role": "assistant"}},
        grown(0, reasoningContent={"text": "hm"}),
        grown(0, reasoningContent={"signature": "c2ln"}),
        grown(1, text="I look"),
        {"contentBlockStart": begun},
        grown(2, toolUse={"input": '{"city":'}),
        grown(2, toolUse={"input": ' "Bern"}'}),
        {"messageStop": {"stopReason": "tool_use"}},
    ):
        content.read(event)
    [message] = content.messages()
    assert message["parts"] == [
        {"type": "reasoning", "content": "hm"},
        {"type": "text", "content": "I look"},
        {"type": "tool_call", "id": "t1", "name": "weather", "arguments": {"city": "Bern"}},
    ]
