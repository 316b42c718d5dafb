"""LiteLLM, in an environment that has it: exact usage on one span however the call is made, whoever serves it."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from typing import Any

import openai
import pytest
from packaging.version import Version

from fake_provider.testing import FakeProvider
from instrumentation.cells import Cells, every_failure, every_stream, every_way
from instrumentation.litellm_inside.litellm_ways import (
    ANTHROPIC,
    BEDROCK,
    COHERE_1,
    COHERE_2,
    GEMINI,
    MESSAGES,
    OPENAI,
    WAYS,
    Api,
    Caller,
    call_and_read,
)
from instrumentation.litellm_inside.sparse_host import SparseHost, sparse_host
from instrumentation.reading import Way, have, leave_early
from instrumentation.spans import Spans
from llmlab.formats import openai_streams
from llmlab.instrumentor import LLMLabInstrumentor

litellm: Any = import_module("litellm")  # the environment of the type checker has none

pytestmark = pytest.mark.usefixtures("instrumentor")

APIS = (OPENAI, ANTHROPIC, GEMINI)
CHATS = ("completion", "acompletion")
RESPONSES = ("responses", "aresponses")
CELLS = Cells("litellm", WAYS)
COMPLETION, ACOMPLETION = litellm.completion, litellm.acompletion
EMBEDDINGS = ("embedding", "aembedding")
by_api = pytest.mark.parametrize("api", APIS, ids=lambda api: api.provider)
both_kinds = pytest.mark.parametrize("name", CHATS)
both_versions_of_cohere = pytest.mark.parametrize("api", [COHERE_1, COHERE_2], ids=["v1", "v2"])
streamed_or_not = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "suppress_debug_info", True)


@pytest.fixture(autouse=True)
def fresh_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let LiteLLM's logging begin anew: what waits in its queue for another test's event loop would wait forever."""
    worker = import_module("litellm.litellm_core_utils.logging_worker").GLOBAL_LOGGING_WORKER
    monkeypatch.setattr(worker, "_queue", None)
    monkeypatch.setattr(worker, "_worker_task", None)


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


def go(way: Way, caller: Caller) -> None:
    async def make() -> None:
        await way(caller)

    asyncio.run(make())


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


@every_way(CELLS)
def test_every_way_carries_what_the_provider_billed(
    way: Way, asynchronous: bool, provider: FakeProvider, spans: Spans
) -> None:
    go(way, Caller(provider, asynchronous=asynchronous))
    (request,) = provider.requests
    counts = request.usage or {}
    usage = spans.usage()
    assert (usage["gen_ai.usage.input_tokens"], usage.get("gen_ai.usage.output_tokens")) == total_counts(counts)
    assert spans.attributes()["llmlab.usage.source"] == "reported"


def total_counts(usage: dict[str, Any]) -> tuple[int | None, int | None]:
    if "prompt_tokens" in usage:
        return usage["prompt_tokens"], usage.get("completion_tokens")
    beside = usage.get("cache_read_input_tokens", 0) + usage.get("cache_creation_input_tokens", 0)
    return usage["input_tokens"] + beside, usage["output_tokens"]


@every_stream(CELLS)
def test_every_stream_that_is_left_early_is_partial(
    way: Way, asynchronous: bool, provider: FakeProvider, spans: Spans
) -> None:
    leave_early(go, way, Caller(provider, asynchronous=asynchronous))
    assert spans.is_partial()


@every_failure(CELLS)
def test_every_call_that_fails_has_no_usage(way: Way, asynchronous: bool, provider: FakeProvider, spans: Spans) -> None:
    with pytest.raises(openai.RateLimitError) as raised:
        go(way, Caller(provider, asynchronous=asynchronous, behaviour="error-429"))
    assert spans.is_refused(raised.value)


@both_kinds
@streamed_or_not
def test_the_lifetimes_of_cache_writes_are_told_apart(
    name: str, stream: bool, provider: FakeProvider, spans: Spans
) -> None:
    run(name, chat(ANTHROPIC, provider, stream=stream))
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
@pytest.mark.parametrize("api", [ANTHROPIC, GEMINI], ids=lambda api: api.provider)
def test_a_response_made_of_a_chat_completion_keeps_that_ones_usage(
    name: str, stream: bool, api: Api, provider: FakeProvider, spans: Spans
) -> None:
    keywords = chat(api, provider, stream=stream)
    del keywords["messages"]
    run(name, {**keywords, "input": "one two"})
    usage = spans.usage()
    assert {key: usage.get(f"gen_ai.usage.{key}_tokens") for key in api.counts} == api.counts
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


@both_kinds
@streamed_or_not
def test_an_answer_from_litellms_own_cache_is_no_call(
    name: str, stream: bool, provider: FakeProvider, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask_twice() -> None:
        for _ in range(2):
            await call_and_read(name, chat(OPENAI, provider, stream=stream, caching=True))
            await until_stored()

    async def until_stored() -> None:  # LiteLLM does it in the background
        for _ in range(500):
            if not litellm.cache.cache.cache_dict:
                await asyncio.sleep(0.01)

    monkeypatch.setattr(litellm, "cache", litellm.Cache())
    asyncio.run(ask_twice())
    assert len(provider.requests) == 1
    assert spans.attributes()["llmlab.usage.source"] == "reported"


class TestWhatLiteLLMEstimates:
    @pytest.fixture
    def host(self) -> Iterator[SparseHost]:
        with sparse_host() as host:
            yield host

    @both_kinds
    def test_a_stream_without_usage_is_estimated(self, name: str, provider: FakeProvider, spans: Spans) -> None:
        run(name, chat(OPENAI, provider, stream=True, extra_headers={"x-fake-behaviour": "stream-no-usage"}))
        assert spans.attributes()["llmlab.usage.source"] == "estimated"
        assert spans.usage().keys() == {"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"}

    @both_kinds
    def test_an_answer_without_usage_has_none(self, name: str, provider: FakeProvider, spans: Spans) -> None:
        run(name, chat(OPENAI, provider, extra_headers={"x-fake-behaviour": "stream-no-usage"}))
        assert not spans.usage()
        assert "llmlab.usage.source" not in spans.attributes()

    def test_counts_of_litellms_tokenizer_are_estimated(self, host: SparseHost, spans: Spans) -> None:
        litellm.completion("petals/petals-team/StableBeluga2", messages=MESSAGES, api_base=host.url)
        assert spans.attributes()["llmlab.usage.source"] == "estimated"
        assert spans.usage()["gen_ai.usage.input_tokens"]

    @both_kinds
    def test_reasoning_that_nobody_reported_is_left_out(self, name: str, host: SparseHost, spans: Spans) -> None:
        run(name, {"model": ANTHROPIC.model, "messages": MESSAGES, "api_base": host.url, "api_key": "fake"})
        assert spans.attributes()["llmlab.usage.source"] == "reported"
        usage = spans.usage()
        assert (usage["gen_ai.usage.input_tokens"], usage["gen_ai.usage.output_tokens"]) == (211, 389)
        assert "gen_ai.usage.reasoning.output_tokens" not in usage

    @both_kinds
    def test_a_host_that_refuses_stream_options_is_asked_once(
        self, name: str, host: SparseHost, spans: Spans, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(openai_streams, "refusing", set())
        keywords = {"model": "openai/m", "messages": MESSAGES, "api_base": host.url, "api_key": "fake"}
        for _ in range(2):
            assert run(name, {**keywords, "stream": True, "max_retries": 0})
        assert ["stream_options" in body for body in host.bodies] == [True, False, False]
        assert len(spans.all()) == 2
        assert not any((span.attributes or {}).get("llmlab.usage.source") for span in spans.all())


@by_api
@both_kinds
def test_a_truncated_stream_is_partial(name: str, api: Api, provider: FakeProvider, spans: Spans) -> None:
    if api is GEMINI and name == "acompletion" and Version(version("litellm")) < Version("1.106"):
        pytest.skip("LiteLLM itself takes this one for complete")
    keywords = chat(api, provider, stream=True)
    keywords["extra_headers"] |= {"x-fake-behaviour": "truncated"}
    with suppress(openai.APIError):  # some of LiteLLM's streams end as if nothing were wrong
        run(name, keywords)
    assert spans.attributes()["llmlab.usage.source"] == "partial"


@pytest.mark.parametrize("name", ["completion", "acompletion"])
def test_every_attempt_of_a_router_is_a_call(name: str, provider: FakeProvider, spans: Spans) -> None:
    failing = {"model": "openai/error-500", **reached(provider)}
    router = litellm.Router(
        model_list=[{"model_name": "mine", "litellm_params": failing}],
        num_retries=1,
        retry_after=0,
        disable_cooldowns=True,
    )

    async def ask() -> None:
        await have(getattr(router, name)(model="mine", messages=MESSAGES))

    with pytest.raises(openai.InternalServerError):
        asyncio.run(ask())
    assert len(spans.all()) == len(provider.requests) == 2
    assert all("error.type" in (span.attributes or {}) for span in spans.all())


def test_every_attempt_of_a_call_is_a_call(provider: FakeProvider, spans: Spans) -> None:
    with pytest.raises(openai.InternalServerError):
        run("completion", chat(OPENAI, provider, model="openai/error-500", num_retries=1))
    assert len(spans.all()) == 2


def reached(provider: FakeProvider) -> dict[str, Any]:
    return {"api_base": provider.openai_url, "api_key": "fake", "max_retries": 0}


class TestProviders:
    @both_kinds
    @streamed_or_not
    def test_azure(self, name: str, stream: bool, provider: FakeProvider, spans: Spans) -> None:
        azure = {"model": "azure/prod-gpt-4o-mini", "api_base": provider.url, "api_version": "2024-10-21"}
        run(name, chat(OPENAI, provider, stream=stream, **azure))
        self.assert_exact(spans, "azure.ai.openai", OPENAI.counts)
        assert spans.attributes()["gen_ai.request.model"] == "prod-gpt-4o-mini"

    @both_kinds
    @streamed_or_not
    @both_versions_of_cohere
    def test_cohere(self, name: str, stream: bool, api: Api, provider: FakeProvider, spans: Spans) -> None:
        run(name, chat(api, provider, stream=stream))
        self.assert_exact(spans, "cohere", api.counts)

    @both_kinds
    @both_versions_of_cohere
    def test_a_stream_of_cohere_that_is_left_early_is_partial(
        self, name: str, api: Api, provider: FakeProvider, spans: Spans
    ) -> None:
        leave_early(run, name, chat(api, provider, stream=True))
        assert spans.is_partial()
        assert not spans.usage()

    @both_kinds
    @both_versions_of_cohere
    def test_a_stream_of_cohere_that_breaks_off_is_partial(
        self, name: str, api: Api, provider: FakeProvider, spans: Spans
    ) -> None:
        keywords = chat(api, provider, stream=True)
        keywords["extra_headers"] |= {"x-fake-behaviour": "truncated"}
        with suppress(openai.APIError):
            run(name, keywords)
        assert spans.attributes()["llmlab.usage.source"] == "partial"
        assert not spans.usage()

    @both_kinds
    @streamed_or_not
    def test_bedrock(self, name: str, stream: bool, provider: FakeProvider, spans: Spans) -> None:
        keywords = chat(BEDROCK, provider, stream=stream)
        keywords |= {"aws_bedrock_runtime_endpoint": keywords.pop("api_base"), "aws_region_name": "us-east-1"}
        keywords |= {"aws_access_key_id": "fake", "aws_secret_access_key": "fake"}
        run(name, keywords)
        self.assert_exact(spans, "aws.bedrock", BEDROCK.counts)

    def assert_exact(self, spans: Spans, provider: str, counts: dict[str, int]) -> None:
        usage = spans.usage()
        assert {key: usage.get(f"gen_ai.usage.{key}_tokens") for key in counts} == counts
        assert spans.attributes()["llmlab.usage.source"] == "reported"
        assert spans.attributes()["gen_ai.provider.name"] == provider


class TestImportedBefore:
    """LiteLLM and its functions are imported above, long before anything is instrumented."""

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_function_that_was_imported_before_is_recorded(
        self, stream: bool, provider: FakeProvider, spans: Spans
    ) -> None:
        result = COMPLETION(**chat(ANTHROPIC, provider, stream=stream))
        assert list(result) if stream else result
        assert spans.usage()["gen_ai.usage.input_tokens"] == 5807

    def test_an_asynchronous_function_too(self, provider: FakeProvider, spans: Spans) -> None:
        asyncio.run(ACOMPLETION(**chat(ANTHROPIC, provider)))
        assert spans.usage()["gen_ai.usage.input_tokens"] == 5807

    def test_uninstrumenting_reaches_it_as_well(
        self, provider: FakeProvider, spans: Spans, instrumentor: LLMLabInstrumentor
    ) -> None:
        instrumentor.uninstrument()
        COMPLETION(**chat(ANTHROPIC, provider))
        assert len(provider.requests) == 1
        assert not spans.all()


def test_the_cost_that_openrouter_reports_is_kept(provider: FakeProvider, spans: Spans) -> None:
    dictated = json.dumps({**OPENAI.dictated, "cost": 0.0042})
    run(
        "completion", chat(OPENAI, provider, model="openrouter/openai/gpt-4o", extra_headers={"x-fake-usage": dictated})
    )
    attributes = spans.attributes()
    assert attributes["gen_ai.provider.name"] == "openrouter"
    assert attributes["gen_ai.request.model"] == "openai/gpt-4o"
    assert attributes["llmlab.cost.provider_usd"] == "0.0042"
