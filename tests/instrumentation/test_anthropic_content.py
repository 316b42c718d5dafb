"""Prompts and answers of Anthropic."""

import anthropic
import pytest

from fake_provider.testing import FakeProvider
from instrumentation.conftest import Capturing
from instrumentation.spans import Spans


@pytest.mark.parametrize("stream", [False, True])
def test_a_message_of_anthropic_is_recorded(
    stream: bool, provider: FakeProvider, capturing: Capturing, spans: Spans
) -> None:
    capturing()
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
    assert spans.contents() == {
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "password: [secret]"}]}],
        "gen_ai.system_instructions": [{"type": "text", "content": "be brief"}],
        "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "one two three"}]}],
    }
