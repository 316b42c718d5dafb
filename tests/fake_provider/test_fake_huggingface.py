"""Hugging Face's servers as its real SDK meets them, and what the book says of them."""

from typing import Any

import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from fake_provider.testing import FakeProvider

PROMPT = "one two three four"


@pytest.fixture
def client() -> Any:
    return InferenceClient(token="fake")


@pytest.fixture
def server(provider: FakeProvider) -> str:
    """The address of the server that generates text."""
    return f"{provider.url}/huggingface/generate"


def billed(provider: FakeProvider) -> list[tuple[int, int]]:
    usages = (bill["usage"] for bill in provider.book.bills())
    return [(usage["input_length"], usage["generated_tokens"]) for usage in usages]


def test_the_details_say_what_the_book_holds(client: Any, server: str, provider: FakeProvider) -> None:
    answer = client.text_generation(PROMPT, model=server, details=True, decoder_input_details=True)
    assert [(len(answer.details.prefill), answer.details.generated_tokens)] == billed(provider)
    assert len(answer.details.tokens) == answer.details.generated_tokens


def test_a_stream_ends_with_what_the_book_holds(client: Any, server: str, provider: FakeProvider) -> None:
    tokens = list(client.text_generation(PROMPT, model=server, details=True, stream=True))
    assert [token.details for token in tokens[:-1]] == [None] * (len(tokens) - 1)
    details = tokens[-1].details
    assert [(details.input_length, details.generated_tokens)] == billed(provider)
    assert details.generated_tokens == len(tokens)
    assert tokens[-1].generated_text == client.text_generation(PROMPT, model=server)


def test_less_is_generated_where_less_is_asked_for(client: Any, server: str, provider: FakeProvider) -> None:
    client.text_generation(PROMPT, model=server, max_new_tokens=1)
    client.text_generation(PROMPT, model=server, max_new_tokens=2)
    assert [generated for _, generated in billed(provider)] == [1, 2]


def test_an_embedding_depends_on_the_text_alone(client: Any, provider: FakeProvider) -> None:
    address = f"{provider.url}/huggingface/embed"
    one, same, other = (client.feature_extraction(text, model=address) for text in ("one", "one", "two"))
    assert (one == same).all()
    assert (one != other).any()
    assert [generated for _, generated in billed(provider)] == [0, 0, 0]


@pytest.mark.parametrize("status", [401, 429, 500])
def test_a_refused_call_is_not_billed(status: int, server: str, provider: FakeProvider) -> None:
    client: Any = InferenceClient(token="fake", headers={"x-fake-behaviour": f"error-{status}"})
    with pytest.raises(HfHubHTTPError) as raised:
        client.text_generation(PROMPT, model=server)
    assert raised.value.response.status_code == status
    assert not provider.book.bills()


def test_a_chat_that_breaks_off_is_billed_as_far_as_it_got(provider: FakeProvider) -> None:
    client: Any = InferenceClient(base_url=provider.openai_url, token="fake")
    question = [{"role": "user", "content": PROMPT}]
    client.chat_completion(question)
    with pytest.raises(Exception, match=r"peer closed|prematurely|incomplete"):
        list(client.chat_completion(question, model="truncated", stream=True))
    whole, broken = (bill["usage"] for bill in provider.book.bills())
    assert broken["prompt_tokens"] == whole["prompt_tokens"]
    assert 0 < broken["completion_tokens"] < whole["completion_tokens"]
