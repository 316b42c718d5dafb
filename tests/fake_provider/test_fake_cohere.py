"""Cohere's API as its real SDK meets it, in both versions, and what the book says of it."""

from collections.abc import Iterator
from typing import Any

import cohere
import httpx
import pytest
from cohere.core.api_error import ApiError

from fake_provider.testing import FakeProvider

MODEL = "command-r-plus"
QUESTION: Any = [{"role": "user", "content": "one two three"}]


@pytest.fixture
def client(provider: FakeProvider) -> Iterator[Any]:
    """Knows both versions of the API."""
    with httpx.Client() as http, cohere.Client("fake", base_url=provider.url, httpx_client=http) as client:
        yield client


def billed(provider: FakeProvider) -> list[dict[str, int]]:
    return [bill["usage"]["billed_units"] for bill in provider.book.bills()]


def counts(units: Any) -> dict[str, Any]:
    return units.model_dump(exclude_none=True)


def test_the_book_holds_what_both_versions_report(client: Any, provider: FakeProvider) -> None:
    first = client.chat(model=MODEL, message="one two three")
    second = client.v2.chat(model=MODEL, messages=QUESTION)
    assert [counts(first.meta.billed_units), counts(second.usage.billed_units)] == billed(provider)
    assert first.text == second.message.content[0].text


def test_what_is_billed_is_less_than_what_was_processed(client: Any) -> None:
    usage = client.v2.chat(model=MODEL, messages=QUESTION).usage
    assert usage.billed_units.input_tokens < usage.tokens.input_tokens


def test_a_stream_ends_with_what_the_book_holds(client: Any, provider: FakeProvider) -> None:
    *_, first = client.chat_stream(model=MODEL, message="one two three")
    *_, second = client.v2.chat_stream(model=MODEL, messages=QUESTION)
    reported = [first.response.meta.billed_units, second.delta.usage.billed_units]
    assert list(map(counts, reported)) == billed(provider)
    whole = client.v2.chat(model=MODEL, messages=QUESTION)
    assert counts(whole.usage.billed_units) == counts(reported[0]) == counts(reported[1])


@pytest.mark.parametrize(("documents", "searches"), [(100, 1), (101, 2)])
def test_reranking_is_billed_by_the_hundred_documents(
    documents: int, searches: int, client: Any, provider: FakeProvider
) -> None:
    client.v2.rerank(model="rerank-v3.5", query="one", documents=["two"] * documents)
    assert billed(provider) == [{"search_units": searches}]


@pytest.mark.parametrize(("model", "status"), [("error-400", 400), ("error-401", 401)])
def test_a_refused_call_is_not_billed(model: str, status: int, client: Any, provider: FakeProvider) -> None:
    with pytest.raises(ApiError) as raised:
        client.v2.chat(model=model, messages=QUESTION)
    assert raised.value.status_code == status
    assert not provider.book.bills()


@pytest.mark.parametrize("version", ["first", "second"])
def test_a_stream_that_breaks_off_is_billed_as_far_as_it_got(version: str, client: Any, provider: FakeProvider) -> None:
    client.v2.chat(model=MODEL, messages=QUESTION)
    with pytest.raises(Exception, match=r"peer closed|incomplete"):
        list(
            client.chat_stream(model="truncated", message="one two three")
            if version == "first"
            else client.v2.chat_stream(model="truncated", messages=QUESTION)
        )
    whole, broken = billed(provider)
    assert broken["input_tokens"] == whole["input_tokens"]
    assert 0 < broken["output_tokens"] < whole["output_tokens"]
