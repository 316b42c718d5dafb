import asyncio
import json
from typing import Any

import openai
import pytest
import urllib3
from dirty_equals import IsFloat, IsPartialDict
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from fake_provider.testing import FakeProvider

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello"}]
LONG: list[ChatCompletionMessageParam] = [{"role": "user", "content": "word " * 1200}]


def stream_chunks(client: openai.OpenAI, **options: Any) -> list[ChatCompletionChunk]:
    with client.chat.completions.create(messages=HELLO, stream=True, **options) as stream:
        return list(stream)


def test_a_plain_call_is_answered_by_the_dated_snapshot_and_billed(
    provider: FakeProvider, client: openai.OpenAI
) -> None:
    response = client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
    assert response.choices[0].message.content == "You asked: Say hello"
    assert response.model == "gpt-4o-mini-2024-07-18"
    assert response.service_tier == "default"
    assert response.usage is not None
    # 3 for the request, 3 for the message, 9 bytes of text; one token per word of the answer
    assert (response.usage.prompt_tokens, response.usage.completion_tokens) == (9, 4)
    [request] = provider.requests
    assert (request.method, request.path, request.body["model"]) == ("POST", "/v1/chat/completions", "gpt-4o-mini")
    assert request.headers["authorization"] == "Bearer fake"
    assert request.usage == response.usage.model_dump(exclude_unset=True)


def test_the_same_request_costs_the_same_again_under_another_id(client: openai.OpenAI) -> None:
    first, second = (client.chat.completions.create(model="gpt-4o", messages=HELLO) for _ in range(2))
    assert first.usage == second.usage
    assert first.id != second.id


def test_the_book_shows_what_was_billed(provider: FakeProvider, client: openai.OpenAI) -> None:
    response = client.chat.completions.create(model="gpt-4o", messages=HELLO, service_tier="flex")
    assert response.service_tier == "flex"
    assert response.usage is not None
    assert urllib3.request("GET", f"{provider.url}/_book").json() == {
        "calls": [
            {
                "path": "/v1/chat/completions",
                "model": "gpt-4o-2024-08-06",
                "tier": "flex",
                "usage": response.usage.model_dump(exclude_unset=True),
                "at": IsFloat(ge=response.created),
            }
        ]
    }


def test_a_long_prompt_is_cached_from_the_second_time_on(provider: FakeProvider, client: openai.OpenAI) -> None:
    def cached() -> int | None:
        usage = client.chat.completions.create(model="gpt-4o", messages=LONG).usage
        assert usage is not None
        assert usage.prompt_tokens == 1506
        assert usage.prompt_tokens_details is not None
        return usage.prompt_tokens_details.cached_tokens

    assert [cached(), cached()] == [0, 1408]
    provider.reset()
    assert cached() == 0


@pytest.mark.parametrize(("effort", "reasoning"), [("low", 64), ("minimal", 0)])
def test_reasoning_models_bill_their_thoughts_inside_the_completion(
    client: openai.OpenAI, effort: Any, reasoning: int
) -> None:
    usage = client.chat.completions.create(model="gpt-5-mini", messages=HELLO, reasoning_effort=effort).usage
    assert usage is not None
    assert usage.completion_tokens_details is not None
    assert usage.completion_tokens_details.reasoning_tokens == reasoning
    assert usage.completion_tokens == reasoning + 4


def test_usage_can_be_dictated_to_the_token(client: openai.OpenAI) -> None:
    dictated = {
        "prompt_tokens": 2006,
        "completion_tokens": 300,
        "prompt_tokens_details": {"cached_tokens": 1920, "cache_write_tokens": 64},
    }
    response = client.chat.completions.create(
        model="gpt-4o", messages=HELLO, extra_headers={"x-fake-usage": json.dumps(dictated)}
    )
    assert response.usage is not None
    assert response.usage.total_tokens == 2306
    assert response.usage.model_dump() == IsPartialDict(
        prompt_tokens=2006,
        completion_tokens=300,
        prompt_tokens_details=IsPartialDict(cached_tokens=1920, cache_write_tokens=64, audio_tokens=0),
        completion_tokens_details=IsPartialDict(reasoning_tokens=0),
    )


@pytest.mark.parametrize("header", ["nonsense", "[1]"])
def test_an_unreadable_dictation_is_refused(provider: FakeProvider, client: openai.OpenAI, header: str) -> None:
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="gpt-4o", messages=HELLO, extra_headers={"x-fake-usage": header})
    assert provider.requests[0].usage is None


def test_an_answer_stops_at_its_token_limit(client: openai.OpenAI) -> None:
    response = client.chat.completions.create(model="gpt-4o", messages=HELLO, max_completion_tokens=2)
    assert response.choices[0].finish_reason == "length"
    assert response.usage is not None
    assert response.usage.completion_tokens == 2


def test_several_choices_are_billed_several_times(client: openai.OpenAI) -> None:
    response = client.chat.completions.create(model="gpt-4o", messages=HELLO, n=3)
    assert [choice.index for choice in response.choices] == [0, 1, 2]
    assert response.usage is not None
    assert response.usage.completion_tokens == 12


def test_a_required_tool_is_called(client: openai.OpenAI) -> None:
    response = client.chat.completions.create(
        model="gpt-4o",
        messages=HELLO,
        tools=[{"type": "function", "function": {"name": "greet", "parameters": {"type": "object"}}}],
        tool_choice="required",
    )
    [choice] = response.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert choice.message.tool_calls is not None
    [call] = choice.message.tool_calls
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("greet", "{}")


def test_an_unknown_model_answers_under_its_own_name(client: openai.OpenAI) -> None:
    response = client.chat.completions.create(model="unknown-model-xyz", messages=HELLO)
    assert response.model == "unknown-model-xyz"


def test_a_stream_ends_without_usage_unless_asked(provider: FakeProvider, client: openai.OpenAI) -> None:
    chunks = stream_chunks(client, model="gpt-4o-mini")
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "You asked: Say hello"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all("usage" not in chunk.model_fields_set for chunk in chunks)
    assert provider.requests[0].usage == IsPartialDict(prompt_tokens=9, completion_tokens=4)


def test_a_stream_that_was_asked_ends_with_usage_and_says_null_before(client: openai.OpenAI) -> None:
    chunks = stream_chunks(client, model="gpt-4o-mini", stream_options={"include_usage": True})
    *others, last = chunks
    assert [chunk.usage for chunk in others] == [None] * len(others)
    assert all("usage" in chunk.model_fields_set for chunk in chunks)
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (9, 4, 13)
    assert {chunk.id for chunk in chunks} == {last.id}


def test_a_stream_of_several_choices_interleaves_them(client: openai.OpenAI) -> None:
    chunks = stream_chunks(client, model="gpt-4o", n=2)
    texts = ["", ""]
    for chunk in chunks:
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts == ["You asked: Say hello"] * 2


def test_the_stream_helper_of_the_sdk_puts_an_answer_together(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="gpt-4o", messages=HELLO) as stream:
        assert stream.get_final_completion().choices[0].message.content == "You asked: Say hello"


def test_raw_responses_carry_the_request_id(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO)
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.parse().usage is not None


async def _ask_async(provider: FakeProvider) -> tuple[str | None, list[ChatCompletionChunk]]:
    async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="fake") as client:
        response = await client.chat.completions.create(model="gpt-4o", messages=HELLO)
        stream = await client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
        return response.choices[0].message.content, [chunk async for chunk in stream]


def test_the_async_client_gets_the_same_answers(provider: FakeProvider) -> None:
    text, chunks = asyncio.run(_ask_async(provider))
    assert text == "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "You asked: Say hello"


def test_azure_answers_by_deployment_and_opens_a_stream_with_its_verdict(provider: FakeProvider) -> None:
    with openai.AzureOpenAI(azure_endpoint=provider.url, api_key="fake", api_version="2024-10-21") as client:
        response = client.chat.completions.create(model="prod-gpt-4o-mini", messages=HELLO)
        chunks = stream_chunks(client, model="prod-gpt-4o-mini")
    assert response.model == "gpt-4o-mini-2024-07-18"
    assert provider.requests[0].path == "/openai/deployments/prod-gpt-4o-mini/chat/completions"
    assert provider.requests[0].headers["api-key"] == "fake"
    assert (chunks[0].choices, chunks[0].id, chunks[0].model) == ([], "", "")
    assert chunks[1].model == "gpt-4o-mini-2024-07-18"
