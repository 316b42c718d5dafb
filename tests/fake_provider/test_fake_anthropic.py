"""Anthropic's API as its real SDK meets it, and what the book says of it."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from fake_provider.testing import FakeProvider

MESSAGE: dict[str, Any] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "one two three"}],
}


def of_model(model: str) -> dict[str, Any]:
    return {**MESSAGE, "model": model}


@pytest.fixture
def claude(provider: FakeProvider) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=provider.anthropic_url, api_key="fake", max_retries=0) as client:
        yield client


def test_the_book_holds_what_the_message_reports(claude: anthropic.Anthropic, provider: FakeProvider) -> None:
    message = claude.messages.create(**MESSAGE)
    assert message.to_dict()["usage"] == provider.requests[0].usage
    assert message.model == provider.requests[0].model == "claude-haiku-4-5-20251001"


def test_a_stream_adds_up_to_the_message(claude: anthropic.Anthropic, provider: FakeProvider) -> None:
    with claude.messages.stream(**MESSAGE) as stream:
        streamed = stream.get_final_message()
    whole = claude.messages.create(**MESSAGE)
    assert [block.to_dict() for block in streamed.content] == [block.to_dict() for block in whole.content]
    assert streamed.usage == whole.usage
    assert [request.usage for request in provider.requests] == [whole.to_dict()["usage"]] * 2


def test_what_is_marked_is_written_to_the_cache_once_and_read_from_then_on(claude: anthropic.Anthropic) -> None:
    system: Any = [{"type": "text", "text": "x" * 400, "cache_control": {"type": "ephemeral"}}]
    first, second, other = (
        claude.messages.create(**of_model(model), system=system).usage
        for model in ("claude-haiku-4-5", "claude-haiku-4-5", "claude-opus-4-5")
    )
    assert (first.cache_creation_input_tokens, first.cache_read_input_tokens) == (103, 0)
    assert (second.cache_creation_input_tokens, second.cache_read_input_tokens) == (0, 103)
    assert (other.cache_creation_input_tokens, other.cache_read_input_tokens) == (103, 0)
    assert first.input_tokens == second.input_tokens


def test_counting_tokens_is_free_and_right(claude: anthropic.Anthropic, provider: FakeProvider) -> None:
    counted = claude.messages.count_tokens(model=MESSAGE["model"], messages=MESSAGE["messages"])
    assert not provider.book.bills()
    assert claude.messages.create(**MESSAGE).usage.input_tokens == counted.input_tokens


def test_a_stream_that_is_left_is_billed_as_far_as_it_got(claude: anthropic.Anthropic, provider: FakeProvider) -> None:
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        list(claude.messages.create(**of_model("error-in-stream"), stream=True))
    (bill,) = provider.book.bills()
    assert bill["usage"]["output_tokens"] == 2


def test_a_rate_limit_says_when_to_come_back(claude: anthropic.Anthropic, provider: FakeProvider) -> None:
    with pytest.raises(anthropic.RateLimitError) as raised:
        claude.messages.create(**of_model("error-429"))
    assert raised.value.response.headers["retry-after"] == "1"
    assert not provider.book.bills()


def test_a_batch_bills_what_succeeded(claude: anthropic.Anthropic, provider: FakeProvider) -> None:
    requests: Any = [{"custom_id": "a", "params": MESSAGE}, {"custom_id": "b", "params": of_model("expired")}]
    batch = claude.messages.batches.create(requests=requests)
    assert (batch.request_counts.succeeded, batch.request_counts.expired) == (1, 1)
    assert [result.result.type for result in claude.messages.batches.results(batch.id)] == ["succeeded", "expired"]
    assert [bill["tier"] for bill in provider.book.bills()] == ["batch"]
