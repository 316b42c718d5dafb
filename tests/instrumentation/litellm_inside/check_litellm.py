"""LiteLLM, in an environment that has it: exact usage on one span however the call is made, whoever serves it."""

import asyncio
import json
from importlib import import_module
from typing import Any

import openai
import pytest

from fake_provider.testing import FakeProvider
from instrumentation.litellm_inside.litellm_ways import (
    ANTHROPIC,
    GEMINI,
    MESSAGES,
    OPENAI,
    Api,
    call_and_read,
)
from instrumentation.reading import leave_early
from instrumentation.spans import Spans
from llmlab.instrumentor import LLMLabInstrumentor

litellm: Any = import_module("litellm")  # the environment of the type checker has none

pytestmark = pytest.mark.usefixtures("instrumentor")

APIS = (OPENAI, ANTHROPIC, GEMINI)
CHATS = ("completion", "acompletion")
RESPONSES = ("responses", "aresponses")
EMBEDDINGS = ("embedding", "aembedding")
by_api = pytest.mark.parametrize("api", APIS, ids=lambda api: api.provider)
both_kinds = pytest.mark.parametrize("name", CHATS)
streamed_or_not = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "suppress_debug_info", True)


def chat(api: Api, provider: FakeProvider, *, stream: bool = False, **more: Any) -> dict[str, Any]:
    keywords: dict[str, Any] = {
        "model": api.model,
        "messages": MESSAGES,
        "api_base": provider.url + api.path,
        "api_key": "fake",
        "max_retries": 0,
        "extra_headers": {"x-fake-usage": json.dumps(api.dictated)},
    }
    return keywords | ({"stream": True} if stream else {}) | more


def run(name: str, keywords: dict[str, Any]) -> Any:
    return asyncio.run(call_and_read(name, keywords))


def billed(provider: FakeProvider) -> list[Any]:
    return [request for request in provider.requests if request.usage is not None]


@by_api
@both_kinds
@streamed_or_not
def test_the_span_carries_what_the_provider_billed(
    name: str, api: Api, stream: bool, provider: FakeProvider, spans: Spans
) -> None:
    run(name, chat(api, provider, stream=stream))
    assert len(billed(provider)) == 1
    usage, attributes = spans.usage(), spans.attributes()
    found = {key: usage.get(f"gen_ai.usage.{key}_tokens") for key in api.counts}
    assert found == api.counts
    assert attributes["llmlab.usage.source"] == "reported"
    assert attributes["gen_ai.provider.name"] == api.provider
    assert attributes["gen_ai.request.model"] == api.model.partition("/")[2]
    assert "llmlab.cost.provider_usd" not in attributes


@both_kinds
def test_the_lifetimes_of_cache_writes_are_told_apart(name: str, provider: FakeProvider, spans: Spans) -> None:
    run(name, chat(ANTHROPIC, provider))
    assert spans.usage()["llmlab.usage.cache_write_5m.input_tokens"] == 1000
    assert spans.usage()["llmlab.usage.cache_write_1h.input_tokens"] == 500


@by_api
@both_kinds
def test_the_caller_sees_the_chunks_that_it_would_see_without_us(
    name: str, api: Api, provider: FakeProvider, instrumentor: LLMLabInstrumentor
) -> None:
    instrumented = run(name, chat(api, provider, stream=True))
    instrumentor.uninstrument()
    plain = run(name, chat(api, provider, stream=True))
    assert [shown(chunk) for chunk in instrumented] == [shown(chunk) for chunk in plain]


def shown(chunk: Any) -> dict[str, Any]:
    return chunk.model_dump(exclude={"id", "created"}, exclude_unset=False)


@by_api
def test_a_caller_that_asks_for_usage_gets_it(api: Api, provider: FakeProvider, spans: Spans) -> None:
    chunks = run("completion", chat(api, provider, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].usage.prompt_tokens == api.counts["input"] == spans.usage()["gen_ai.usage.input_tokens"]


@by_api
@both_kinds
def test_a_stream_that_is_left_early_is_partial(name: str, api: Api, provider: FakeProvider, spans: Spans) -> None:
    leave_early(run, name, chat(api, provider, stream=True))
    assert spans.is_partial()


@by_api
@both_kinds
@pytest.mark.parametrize("behaviour", ["error-401", "error-429", "error-500"])
def test_a_call_that_fails_has_no_usage(
    name: str, behaviour: str, api: Api, provider: FakeProvider, spans: Spans
) -> None:
    with pytest.raises(openai.APIError) as raised:
        run(name, chat(api, provider, extra_headers={"x-fake-behaviour": behaviour}))
    assert spans.is_refused(raised.value)


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_embeddings_count_what_goes_in(name: str, provider: FakeProvider, spans: Spans) -> None:
    where = {"api_base": provider.openai_url, "api_key": "fake"}
    run(name, {"model": "openai/text-embedding-3-small", "input": ["one", "two"], **where})
    (request,) = provider.requests
    assert request.usage is not None
    assert spans.usage() == {"gen_ai.usage.input_tokens": request.usage["prompt_tokens"]}


@pytest.mark.parametrize("name", RESPONSES)
@streamed_or_not
def test_responses_carry_what_the_provider_billed(
    name: str, stream: bool, provider: FakeProvider, spans: Spans
) -> None:
    keywords: dict[str, Any] = {"model": "openai/gpt-4o", "input": "one two", "stream": stream, "api_key": "fake"}
    run(name, {**keywords, "api_base": provider.openai_url})
    (request,) = provider.requests
    assert request.usage is not None
    assert spans.usage()["gen_ai.usage.input_tokens"] == request.usage["input_tokens"]
    assert spans.usage()["gen_ai.usage.output_tokens"] == request.usage["output_tokens"]
    assert spans.attributes()["llmlab.usage.source"] == "reported"


@pytest.mark.parametrize("name", ["text_completion", "atext_completion"])
def test_a_text_completion_over_chat_is_one_span(name: str, provider: FakeProvider, spans: Spans) -> None:
    keywords = chat(ANTHROPIC, provider)
    del keywords["messages"]
    run(name, {**keywords, "prompt": "one two"})
    assert spans.usage()["gen_ai.usage.input_tokens"] == 5807
    assert spans.attributes()["gen_ai.operation.name"] == "text_completion"


def router(provider: FakeProvider, **more: Any) -> Any:
    reached = {"api_base": provider.openai_url, "api_key": "fake", "max_retries": 0}
    failing = {"model_name": "first", "litellm_params": {"model": "openai/error-500", **reached}}
    working = {"model_name": "second", "litellm_params": {"model": "openai/gpt-4o", **reached}}
    return litellm.Router(
        model_list=[failing, working], fallbacks=[{"first": ["second"]}], num_retries=0, cooldown_time=0, **more
    )


@both_kinds
@streamed_or_not
def test_a_router_falls_back_after_a_span_with_an_error(
    name: str, stream: bool, provider: FakeProvider, spans: Spans
) -> None:
    async def ask() -> None:
        function = getattr(router(provider), name)
        keywords: dict[str, Any] = {"model": "first", "messages": MESSAGES, "stream": stream}
        result = await function(**keywords) if name == "acompletion" else function(**keywords)
        if stream:
            _ = [chunk async for chunk in result] if name == "acompletion" else list(result)

    asyncio.run(ask())
    outcomes = [dict(span.attributes or {}) for span in spans.all()]
    assert len(billed(provider)) == 1
    assert [outcome.get("llmlab.usage.source") for outcome in outcomes if "error.type" not in outcome] == ["reported"]
    assert len([outcome for outcome in outcomes if "error.type" in outcome]) == len(provider.requests) - 1 == 1


@both_kinds
def test_fallbacks_of_a_call_are_calls_of_their_own(name: str, provider: FakeProvider, spans: Spans) -> None:
    run(name, chat(OPENAI, provider, model="openai/error-500", fallbacks=["openai/gpt-4o"]))
    reported = [span for span in spans.all() if (span.attributes or {}).get("llmlab.usage.source") == "reported"]
    assert len(reported) == len(billed(provider)) == 1


def test_an_answer_that_is_mocked_is_no_call(provider: FakeProvider, spans: Spans) -> None:
    run("completion", chat(OPENAI, provider, mock_response="hello"))
    assert not spans.all()
    assert not provider.requests


def test_an_answer_from_litellms_own_cache_has_no_usage(
    provider: FakeProvider, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litellm, "cache", litellm.Cache())
    for _ in range(2):
        run("completion", chat(OPENAI, provider, caching=True))
    assert len(provider.requests) == 1
    first, second = (dict(span.attributes or {}) for span in spans.all())
    assert first["llmlab.usage.source"] == "reported"
    assert "gen_ai.usage.input_tokens" not in second
    assert "llmlab.usage.source" not in second


def test_the_cost_that_openrouter_reports_is_kept(provider: FakeProvider, spans: Spans) -> None:
    dictated = json.dumps({**OPENAI.dictated, "cost": 0.0042})
    run(
        "completion", chat(OPENAI, provider, model="openrouter/openai/gpt-4o", extra_headers={"x-fake-usage": dictated})
    )
    attributes = spans.attributes()
    assert attributes["gen_ai.provider.name"] == "openrouter"
    assert attributes["gen_ai.request.model"] == "openai/gpt-4o"
    assert attributes["llmlab.cost.provider_usd"] == "0.0042"
