from typing import Any

import openai
import pytest

from fake_provider.testing import FakeProvider

ASK: dict[str, Any] = {"model": "gpt-3.5-turbo-instruct", "prompt": "one two"}


def test_a_prompt_is_continued_and_billed(provider: FakeProvider, client: openai.OpenAI) -> None:
    answer = client.completions.create(**ASK)
    assert answer.usage is not None
    assert answer.id.startswith("cmpl-")
    assert (answer.object, answer.choices[0].text) == ("text_completion", "You asked: one two")
    assert provider.requests[0].usage == answer.usage.model_dump(exclude_unset=True)


def test_each_prompt_has_its_choices(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="gpt-3.5-turbo-instruct", prompt=["one", "two"], n=2)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]


@pytest.mark.parametrize("asks", [False, True])
def test_a_stream_reports_its_usage_when_asked(asks: bool, provider: FakeProvider, client: openai.OpenAI) -> None:
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if asks else {}
    chunks: list[Any] = list(client.completions.create(**ASK, stream=True, **options))
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == "You asked: one two"
    assert [chunk.usage.model_dump(exclude_unset=True) for chunk in chunks if chunk.usage] == [
        provider.requests[0].usage
    ] * asks
    assert not chunks[-1].choices if asks else chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize("prompt", [[11, 12], [[11], [12]]])
def test_a_prompt_may_be_tokens(prompt: Any, client: openai.OpenAI) -> None:
    assert client.completions.create(model="gpt-3.5-turbo-instruct", prompt=prompt).usage


def test_errors_come_as_in_a_chat(client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError):
        client.completions.create(model="error-429", prompt="one")
