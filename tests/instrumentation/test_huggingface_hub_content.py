"""Prompts and answers of Hugging Face: chat, and the generation of text."""

from typing import Any

import pytest
from huggingface_hub import InferenceClient

from fake_provider.testing import FakeProvider
from instrumentation.conftest import Capturing
from instrumentation.contents import ASKED, HEADERS, QUESTION, SAID, says
from instrumentation.spans import Spans

MESSAGES: Any = [{"role": "user", "content": ASKED}]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("positional", [False, True])
def test_a_chat_is_recorded(
    positional: bool, streams: bool, provider: FakeProvider, capturing: Capturing, spans: Spans
) -> None:
    capturing()
    client = InferenceClient(base_url=provider.openai_url, api_key="fake", headers=HEADERS)
    asked: Any = {"model": "gpt-4o", "stream": streams}
    answer: Any = (
        client.chat_completion(MESSAGES, **asked) if positional else client.chat_completion(messages=MESSAGES, **asked)
    )
    if streams:
        list(answer)
    assert spans.contents() == {"gen_ai.input.messages": QUESTION, "gen_ai.output.messages": SAID}
    assert spans.source() == "reported"


@pytest.mark.parametrize("details", [False, True])
@pytest.mark.parametrize("streams", [False, True])
def test_a_generated_text_is_recorded(
    streams: bool, details: bool, provider: FakeProvider, capturing: Capturing, spans: Spans
) -> None:
    capturing()
    client = InferenceClient(token="fake")
    asked: Any = {"model": f"{provider.url}/huggingface/generate", "stream": streams, "details": details}
    answer: Any = client.text_generation("one two", **asked)
    if streams:
        pieces = [piece.token.text if details else piece for piece in answer]
        text = "".join(pieces)
    else:
        text = answer.generated_text if details else answer
    assert text
    assert spans.contents() == {
        "gen_ai.input.messages": [says("user", "one two")],
        "gen_ai.output.messages": [says("assistant", text)],
    }
