"""Prompts and answers of calls through LiteLLM, in an environment that has it."""

from importlib import import_module
from typing import Any

import pytest

from fake_provider.testing import FakeProvider
from instrumentation.conftest import Capturing
from instrumentation.contents import ASKED, HEADERS, QUESTION, REPLY, SAID
from instrumentation.litellm_inside.litellm_ways import ANTHROPIC, GEMINI, OPENAI, Api
from instrumentation.spans import Spans

litellm: Any = import_module("litellm")  # the environment of the type checker has none

MESSAGES = [{"role": "user", "content": ASKED}]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "suppress_debug_info", True)


def to(api: Api, provider: FakeProvider, **more: Any) -> dict[str, Any]:
    given = {"model": api.model, "api_base": provider.url + api.path, "api_key": "fake", "extra_headers": HEADERS}
    return given | more


@pytest.mark.parametrize("api", [OPENAI, ANTHROPIC, GEMINI], ids=lambda api: api.provider)
@pytest.mark.parametrize("stream", [False, True])
def test_a_completion_is_recorded(
    stream: bool, api: Api, provider: FakeProvider, capturing: Capturing, spans: Spans
) -> None:
    capturing()
    answer = litellm.completion(**to(api, provider, messages=MESSAGES, stream=stream))
    if stream:
        list(answer)
    assert spans.contents() == {"gen_ai.input.messages": QUESTION, "gen_ai.output.messages": SAID}


def test_messages_may_be_positional(provider: FakeProvider, capturing: Capturing, spans: Spans) -> None:
    capturing()
    keywords = to(OPENAI, provider)
    litellm.completion(keywords.pop("model"), MESSAGES, **keywords)
    assert spans.contents() == {"gen_ai.input.messages": QUESTION, "gen_ai.output.messages": SAID}


@pytest.mark.parametrize("stream", [False, True])
def test_a_completed_text_is_recorded(stream: bool, provider: FakeProvider, capturing: Capturing, spans: Spans) -> None:
    capturing()
    answer = litellm.text_completion(**to(ANTHROPIC, provider, prompt=ASKED, stream=stream))
    if stream:
        list(answer)
    assert spans.contents() == {"gen_ai.input.messages": QUESTION, "gen_ai.output.messages": SAID}


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_is_recorded(stream: bool, provider: FakeProvider, capturing: Capturing, spans: Spans) -> None:
    capturing()
    answer = litellm.responses(**to(OPENAI, provider, input=ASKED, stream=stream))
    if stream:
        list(answer)
    found = spans.contents()
    assert found["gen_ai.input.messages"] == QUESTION
    [message] = found["gen_ai.output.messages"]
    assert {"type": "text", "content": REPLY} in message["parts"]
