import time
from typing import Any

import httpx2
import openai
import pytest
from dirty_equals import IsPartialDict
from openai.types.chat import ChatCompletionMessageParam

from fake_provider.testing import FakeProvider

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello"}]


@pytest.mark.parametrize(
    ("model", "kind", "code"),
    [
        ("error-400", openai.BadRequestError, "context_length_exceeded"),
        ("error-401", openai.AuthenticationError, "invalid_api_key"),
        ("error-429", openai.RateLimitError, "rate_limit_exceeded"),
        ("error-500", openai.InternalServerError, None),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_model_named_after_an_error_raises_it_and_bills_nothing(
    provider: FakeProvider, client: openai.OpenAI, model: str, kind: type[openai.APIStatusError], code: str, stream: Any
) -> None:
    with pytest.raises(kind) as caught:
        client.chat.completions.create(model=model, messages=HELLO, stream=stream)
    assert caught.value.code == code
    assert provider.requests[0].usage is None


def test_a_rate_limit_says_when_to_come_back(client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.embeddings.create(model="error-429", input="text")
    headers = caught.value.response.headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("1", "20")
    assert headers["x-ratelimit-remaining-tokens"] == "0"


def test_a_flaky_call_succeeds_on_the_retry_of_the_sdk(provider: FakeProvider, client: openai.OpenAI) -> None:
    retrying = client.with_options(max_retries=2)
    response = retrying.chat.completions.create(
        model="gpt-4o", messages=HELLO, extra_headers={"x-fake-behaviour": "flaky"}
    )
    assert response.model == "gpt-4o-2024-08-06"
    assert [request.usage is None for request in provider.requests] == [True, False]


@pytest.mark.parametrize("stream", [False, True])
def test_a_truncated_answer_breaks_off_and_is_billed(
    provider: FakeProvider, client: openai.OpenAI, stream: bool
) -> None:
    pieces: list[str] = []
    with pytest.raises((httpx2.RemoteProtocolError, openai.APIConnectionError)):  # noqa: PT012 - the loop raises
        response = client.chat.completions.create(model="truncated", messages=HELLO, stream=stream)
        if isinstance(response, openai.Stream):
            pieces.extend(chunk.choices[0].delta.content or "" for chunk in response)
    assert provider.requests[0].usage == IsPartialDict(prompt_tokens=9, completion_tokens=2 if stream else 4)


def test_an_error_inside_a_stream_reaches_the_caller(provider: FakeProvider, client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model="error-in-stream", messages=HELLO, stream=True)
    with pytest.raises(openai.APIError, match="The server had an error"):
        list(stream)
    assert provider.requests[0].usage == IsPartialDict(completion_tokens=2)


@pytest.mark.parametrize("stream", [False, True])
def test_usage_can_be_withheld_and_is_billed_all_the_same(
    provider: FakeProvider, client: openai.OpenAI, stream: bool
) -> None:
    if stream:
        chunks = client.chat.completions.create(
            model="stream-no-usage", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        assert all(chunk.usage is None for chunk in chunks)
    else:
        assert client.chat.completions.create(model="stream-no-usage", messages=HELLO).usage is None
    assert provider.requests[0].usage == IsPartialDict(completion_tokens=4)


def test_a_slow_stream_pauses_between_chunks(client: openai.OpenAI) -> None:
    started = time.perf_counter()
    list(client.chat.completions.create(model="slow", messages=HELLO, stream=True))
    assert time.perf_counter() - started >= 4 * 0.02


def test_an_abandoned_stream_is_billed_for_what_was_said(provider: FakeProvider, client: openai.OpenAI) -> None:
    asked = {"x-fake-behaviour": "slow", "x-fake-reply": " ".join(["word"] * 100)}
    with client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True, extra_headers=asked) as stream:
        for _ in range(3):
            next(stream)
    deadline = time.monotonic() + 5
    while provider.requests[0].usage is None and time.monotonic() < deadline:
        time.sleep(0.01)
    usage = provider.requests[0].usage
    assert usage is not None
    assert 2 <= usage["completion_tokens"] < 100


def test_a_request_without_a_model_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="model"):
        client.chat.completions.create(model="", messages=HELLO)
