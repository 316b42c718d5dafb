"""Google's API as its real SDK meets it, and what the book says of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.genai import Client, errors, types

from fake_provider.testing import FakeProvider

MODEL = "gemini-2.5-flash"


@pytest.fixture
def gemini(provider: FakeProvider) -> Iterator[Client]:
    client = Client(api_key="fake", http_options=types.HttpOptions(base_url=provider.url))
    yield client
    client.close()


def counts(usage: Any) -> dict[str, Any]:
    """Return the counts that the SDK hands out, by their names in the API."""
    return usage.model_dump(mode="json", by_alias=True, exclude_none=True)


def test_the_book_holds_what_the_answer_reports(gemini: Client, provider: FakeProvider) -> None:
    answer = gemini.models.generate_content(model=MODEL, contents="one two three")
    (bill,) = provider.book.bills()
    assert counts(answer.usage_metadata) == bill["usage"]
    assert answer.model_version == bill["model"] == MODEL


def test_the_total_is_the_sum_of_its_parts(gemini: Client, provider: FakeProvider) -> None:
    image = types.Part.from_bytes(data=b"PNG", mime_type="image/png")
    gemini.models.generate_content(model=MODEL, contents=["one two three", image])
    usage: dict[str, Any] = provider.book.bills()[0]["usage"]
    parts = (usage[name] for name in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"))
    assert usage["totalTokenCount"] == sum(parts)
    assert usage["promptTokenCount"] == sum(detail["tokenCount"] for detail in usage["promptTokensDetails"])
    assert {detail["modality"] for detail in usage["promptTokensDetails"]} == {"TEXT", "IMAGE"}


def test_each_chunk_counts_up_to_then(gemini: Client, provider: FakeProvider) -> None:
    chunks = list(gemini.models.generate_content_stream(model=MODEL, contents="one two three"))
    said = [counts(chunk.usage_metadata).get("candidatesTokenCount", 0) for chunk in chunks]
    assert said == sorted(said)
    assert counts(chunks[-1].usage_metadata) == provider.book.bills()[0]["usage"]
    whole = gemini.models.generate_content(model=MODEL, contents="one two three")
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text


@pytest.mark.parametrize(("model", "code"), [("error-400", 400), ("error-401", 401), ("error-429", 429)])
def test_a_refused_call_is_not_billed(model: str, code: int, gemini: Client, provider: FakeProvider) -> None:
    with pytest.raises(errors.ClientError) as raised:
        gemini.models.generate_content(model=model, contents="one")
    assert raised.value.code == code
    assert not provider.book.bills()


def test_a_stream_that_breaks_off_is_billed_as_far_as_it_got(gemini: Client, provider: FakeProvider) -> None:
    gemini.models.generate_content(model=MODEL, contents="one two three")
    with pytest.raises(Exception, match=r"peer closed|incomplete"):
        list(gemini.models.generate_content_stream(model="truncated", contents="one two three"))
    whole, broken = (bill["usage"] for bill in provider.book.bills())
    assert broken["promptTokenCount"] == whole["promptTokenCount"]
    assert 0 < broken["candidatesTokenCount"] < whole["candidatesTokenCount"]
