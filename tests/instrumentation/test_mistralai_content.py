"""Prompts and answers of Mistral."""

from importlib import import_module
from typing import Any

import pytest

from fake_provider.testing import FakeProvider
from instrumentation.conftest import Capturing
from instrumentation.contents import ASKED, HEADERS, QUESTION, SAID, says
from instrumentation.spans import Spans

try:  # 2.0 moved the client into a package of its own
    sdk: Any = import_module("mistralai.client.sdk")
except ModuleNotFoundError:
    sdk = import_module("mistralai.sdk")

MESSAGES = [{"role": "user", "content": ASKED}]
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("resource", ["chat", "agents"])
def test_a_chat_is_recorded(
    resource: str, streams: bool, provider: FakeProvider, capturing: Capturing, spans: Spans
) -> None:
    capturing()
    asked: Any = {"model": "mistral-small-latest"} if resource == "chat" else {"agent_id": "ag:7"}
    asked |= {"messages": MESSAGES, "tools": [TOOL], "tool_choice": "none", "http_headers": HEADERS}
    with sdk.Mistral(server_url=provider.mistral_url, api_key="fake") as client:
        method = getattr(client, resource)
        list(method.stream(**asked)) if streams else method.complete(**asked)
    assert spans.contents() == {
        "gen_ai.input.messages": QUESTION,
        "gen_ai.output.messages": SAID,
        "gen_ai.tool.definitions": [{"type": "function", "name": "weather", "parameters": {"type": "object"}}],
    }
    assert spans.source() == "reported"


@pytest.mark.parametrize("streams", [False, True])
def test_what_stands_before_the_gap_is_the_prompt(
    streams: bool, provider: FakeProvider, capturing: Capturing, spans: Spans
) -> None:
    capturing()
    asked: Any = {"model": "codestral-latest", "prompt": "def add(a, b):", "http_headers": HEADERS}
    with sdk.Mistral(server_url=provider.mistral_url, api_key="fake") as client:
        list(client.fim.stream(**asked)) if streams else client.fim.complete(**asked)
    assert spans.contents() == {
        "gen_ai.input.messages": [says("user", "def add(a, b):")],
        "gen_ai.output.messages": SAID,
    }
