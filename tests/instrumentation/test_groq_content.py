"""Prompts and answers of Groq."""

from typing import Any

import groq
import pytest

from fake_provider.testing import FakeProvider
from instrumentation.conftest import Capturing
from instrumentation.contents import ASKED, HEADERS, QUESTION, SAID
from instrumentation.spans import Spans

CHAT: Any = {
    "model": "llama-3.3-70b-versatile",
    "messages": [{"role": "user", "content": ASKED}],
    "extra_headers": HEADERS,
}
EXPECTED = {"gen_ai.input.messages": QUESTION, "gen_ai.output.messages": SAID}


@pytest.mark.parametrize("streams", [False, True])
def test_a_chat_is_recorded(streams: bool, provider: FakeProvider, capturing: Capturing, spans: Spans) -> None:
    capturing()
    with groq.Groq(base_url=provider.groq_url, api_key="fake") as client:
        answer = client.chat.completions.create(**CHAT, stream=streams)
        if streams:
            list(answer)
    assert spans.contents() == EXPECTED
    assert spans.source() == "reported"


def test_a_raw_response_is_recorded(provider: FakeProvider, capturing: Capturing, spans: Spans) -> None:
    capturing()
    with groq.Groq(base_url=provider.groq_url, api_key="fake") as client:
        client.chat.completions.with_raw_response.create(**CHAT).parse()
    assert spans.contents() == EXPECTED
