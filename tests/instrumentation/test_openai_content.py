"""Prompts and answers of OpenAI: how streams, the Responses API and raw responses are read."""

import json
from typing import Any

import openai
import pytest

from instrumentation.conftest import Capturing
from instrumentation.contents import ASKED, HEADERS, QUESTION, REPLY, SAID, says
from instrumentation.reading import of_model
from instrumentation.sdk_versions import requires
from instrumentation.spans import Spans

CHAT: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": ASKED}], "extra_headers": HEADERS}
RESPONSE: Any = {"model": "gpt-4o", "input": ASKED, "instructions": "be brief", "extra_headers": HEADERS}


@pytest.mark.parametrize("streams", [False, True])
def test_a_chat_is_recorded(streams: bool, client: openai.OpenAI, capturing: Capturing, spans: Spans) -> None:
    capturing()
    answer = client.chat.completions.create(**CHAT, stream=streams)
    if streams:
        list(answer)
    assert spans.contents() == {"gen_ai.input.messages": QUESTION, "gen_ai.output.messages": SAID}


@pytest.mark.parametrize("streams", [False, True])
def test_a_continued_prompt_is_recorded(
    streams: bool, client: openai.OpenAI, capturing: Capturing, spans: Spans
) -> None:
    capturing()
    answer = client.completions.create(model="gpt-4o", prompt=ASKED, extra_headers=HEADERS, stream=streams)
    if streams:
        list(answer)
    assert spans.contents() == {"gen_ai.input.messages": QUESTION, "gen_ai.output.messages": SAID}


def test_of_several_prompts_each_is_a_message_and_tokens_are_left_out(
    client: openai.OpenAI, capturing: Capturing, spans: Spans
) -> None:
    capturing()
    client.completions.create(model="gpt-4o", prompt=["one", "two"], extra_headers=HEADERS)
    client.completions.create(model="gpt-4o", prompt=[11, 12], extra_headers=HEADERS)
    texts, tokens = (dict(span.attributes or {}) for span in spans.all())
    assert json.loads(str(texts["gen_ai.input.messages"])) == [says("user", "one"), says("user", "two")]
    assert json.loads(str(texts["gen_ai.output.messages"])) == SAID * 2
    assert "gen_ai.input.messages" not in tokens


def test_a_raw_response_is_recorded(client: openai.OpenAI, capturing: Capturing, spans: Spans) -> None:
    capturing()
    client.chat.completions.with_raw_response.create(**CHAT).parse()
    assert spans.contents() == {"gen_ai.input.messages": QUESTION, "gen_ai.output.messages": SAID}


def test_a_response_that_is_read_as_bytes_is_recorded(
    client: openai.OpenAI, capturing: Capturing, spans: Spans
) -> None:
    capturing()
    with client.chat.completions.with_streaming_response.create(**CHAT) as response:
        response.read()
    assert spans.contents() == {"gen_ai.input.messages": QUESTION, "gen_ai.output.messages": SAID}


def test_a_stream_that_is_left_keeps_what_was_said(client: openai.OpenAI, capturing: Capturing, spans: Spans) -> None:
    capturing()
    with client.chat.completions.create(**CHAT, stream=True) as stream:
        next(chunk for chunk in stream if chunk.choices and chunk.choices[0].delta.content)
    assert spans.is_partial()
    assert spans.contents()["gen_ai.output.messages"] == [says("assistant", "one")]


def test_what_the_application_changes_later_was_not_asked(
    client: openai.OpenAI, capturing: Capturing, spans: Spans
) -> None:
    capturing()
    messages: Any = [{"role": "user", "content": ASKED}]
    stream = client.chat.completions.create(**CHAT | {"messages": messages}, stream=True)
    messages.append({"role": "user", "content": "later"})
    list(stream)
    assert spans.contents()["gen_ai.input.messages"] == QUESTION


def test_embeddings_are_no_content(client: openai.OpenAI, capturing: Capturing, spans: Spans) -> None:
    capturing()
    client.embeddings.create(model="text-embedding-3-small", input=ASKED)
    assert spans.contents() == {}


@requires("openai", "1.66")
class TestResponses:
    @pytest.mark.parametrize("streams", [False, True])
    def test_instructions_are_kept_apart(
        self, streams: bool, client: openai.OpenAI, capturing: Capturing, spans: Spans
    ) -> None:
        capturing()
        answer = client.responses.create(**RESPONSE, stream=streams)
        if streams:
            list(answer)
        found = spans.contents()
        assert found["gen_ai.input.messages"] == QUESTION
        assert found["gen_ai.system_instructions"] == [{"type": "text", "content": "be brief"}]
        assert {"type": "text", "content": REPLY} in found["gen_ai.output.messages"][0]["parts"]

    def test_a_stream_that_is_left_keeps_what_was_said(
        self, client: openai.OpenAI, capturing: Capturing, spans: Spans
    ) -> None:
        capturing()
        with client.responses.create(**RESPONSE, stream=True) as stream:
            first = next(event for event in stream if event.type == "response.output_text.delta")
        assert spans.is_partial()
        [message] = spans.contents()["gen_ai.output.messages"]
        assert message["parts"][-1] == {"type": "text", "content": first.delta}

    def test_a_stream_that_breaks_off_keeps_what_was_said(
        self, client: openai.OpenAI, capturing: Capturing, spans: Spans
    ) -> None:
        capturing()
        seen: list[Any] = []
        with pytest.raises(Exception, match=r"peer closed connection|Connection error"):  # of httpx, in older versions
            seen.extend(client.responses.create(**of_model("truncated", RESPONSE), stream=True))
        [message] = spans.contents()["gen_ai.output.messages"]
        said = message["parts"][-1]["content"]
        assert said
        assert REPLY.startswith(said)
        assert said != REPLY
