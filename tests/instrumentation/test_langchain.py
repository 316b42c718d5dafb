"""LangChain: one inference span for each billed request, whoever makes it, below the runs that surround it."""

import asyncio
import gc
import json
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from itertools import count
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.globals import set_llm_cache
from langchain_core.language_models import LLM, BaseLLM, FakeListChatModel, FakeListLLM
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import Generation, LLMResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.tools import tool
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from fake_provider.testing import FakeProvider
from instrumentation.langchain_models import HttpChat, HttpLLM
from instrumentation.spans import Spans
from llmlab import attribute
from llmlab.capture import runs
from llmlab.frameworks.langchain import _runs  # pyright: ignore[reportPrivateUsage]
from llmlab.instrumentor import LLMLabInstrumentor

langchain_openai = pytest.importorskip("langchain_openai")
langchain_anthropic = pytest.importorskip("langchain_anthropic")

pytestmark = pytest.mark.usefixtures("instrumentor")

DICTATED = {
    "prompt_tokens": 1873,
    "completion_tokens": 317,
    "prompt_tokens_details": {"cached_tokens": 1024},
    "completion_tokens_details": {"reasoning_tokens": 192},
}
HEADERS = {"x-fake-usage": json.dumps(DICTATED)}
_TIMEOUTS_S = count(30)
"""LangChain shares one HTTP client among models of the same address and timeout. Different ones keep tests apart."""
_to_close: list[Callable[[], Coroutine[Any, Any, None]]] = []
_loop = asyncio.Runner()
Model = Callable[[FakeProvider], Any]
Way = Callable[[Runnable[Any, Any]], Coroutine[Any, Any, object]]


def http_chat(provider: FakeProvider, **more: Any) -> HttpChat:
    return HttpChat(url=provider.openai_url, headers=HEADERS, **more)


def http_llm(provider: FakeProvider, **more: Any) -> HttpLLM:
    return HttpLLM(url=provider.openai_url, headers=HEADERS, **more)


def openai_chat(provider: FakeProvider, **more: Any) -> Any:
    keywords = {"model": "gpt-4o", "default_headers": HEADERS, "timeout": next(_TIMEOUTS_S)} | more
    model = langchain_openai.ChatOpenAI(base_url=provider.openai_url, api_key="fake", max_retries=0, **keywords)
    _to_close.append(model.root_async_client.close)
    return model


@pytest.fixture(autouse=True)
def closed_clients() -> Iterator[None]:
    yield
    while _to_close:
        _loop.run(_to_close.pop()())


def openai_responses(provider: FakeProvider, **more: Any) -> Any:
    return openai_chat(provider, use_responses_api=True, default_headers={}, **more)


def anthropic_chat(provider: FakeProvider, **more: Any) -> Any:
    keywords = {"model": "claude-haiku-4-5", "timeout": next(_TIMEOUTS_S)} | more
    model = langchain_anthropic.ChatAnthropic(
        base_url=provider.anthropic_url, api_key="fake", max_retries=0, max_tokens=50, **keywords
    )
    _to_close.append(model._async_client.close)
    return model


async def invoke(model: Runnable[Any, Any]) -> object:
    return model.invoke("hello there")


async def ainvoke(model: Runnable[Any, Any]) -> object:
    return await model.ainvoke("hello there")


async def stream(model: Runnable[Any, Any]) -> object:
    return list(model.stream("hello there"))


async def astream(model: Runnable[Any, Any]) -> object:
    return [chunk async for chunk in model.astream("hello there")]


async def batch(model: Runnable[Any, Any]) -> object:
    return model.batch(["hello there"])


async def abatch(model: Runnable[Any, Any]) -> object:
    return await model.abatch(["hello there"])


async def events(model: Runnable[Any, Any]) -> object:
    return [event async for event in model.astream_events("hello there", version="v2")]


WAYS: dict[Way, str] = {
    invoke: "sync",
    ainvoke: "async",
    stream: "sync stream",
    astream: "async stream",
    batch: "sync",
    abatch: "async",
    events: "async stream",
}
MODELS: dict[Model, str] = {
    http_chat: "chat model",
    http_llm: "LLM",
    openai_chat: "chat model",
    openai_responses: "chat model",
    anthropic_chat: "chat model",
}


def cases(*ways: Way, as_way: str | None = None) -> Any:
    return pytest.mark.parametrize(
        ("make", "way"),
        [
            pytest.param(
                make,
                way,
                marks=pytest.mark.cell("langchain-core", call, as_way or WAYS[way]),
                id=f"{make.__name__}-{way.__name__}",
            )
            for make, call in MODELS.items()
            for way in ways
        ],
    )


def inferences(spans: Spans) -> list[ReadableSpan]:
    return [span for span in spans.all() if span.kind is trace.SpanKind.CLIENT]


def inference(spans: Spans) -> dict[str, Any]:
    (span,) = inferences(spans)
    return dict(span.attributes or {})


def billed(provider: FakeProvider) -> list[tuple[int, int]]:
    """Return input and output tokens of each billed request."""
    return [_tokens(request.usage) for request in provider.requests if request.usage is not None]


def _tokens(usage: dict[str, Any]) -> tuple[int, int]:
    if "prompt_tokens" in usage:
        return usage["prompt_tokens"], usage["completion_tokens"]
    cached = (usage.get("cache_read_input_tokens") or 0) + (usage.get("cache_creation_input_tokens") or 0)
    return usage["input_tokens"] + cached, usage["output_tokens"]


def recorded(spans: Spans) -> list[tuple[Any, Any]]:
    names = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
    found = [dict(span.attributes or {}) for span in inferences(spans)]
    return [(attributes.get(names[0]), attributes.get(names[1])) for attributes in found]


def path(spans: Spans, span: ReadableSpan) -> list[str]:
    """Return the names of a span's ancestors, the outermost first."""
    by_id = {each.context.span_id: each for each in spans.all() if each.context is not None}
    names: list[str] = []
    while span.parent is not None:
        span = by_id[span.parent.span_id]
        names.insert(0, span.name)
    return names


@cases(*WAYS)
def test_one_span_carries_what_was_billed(make: Model, way: Way, provider: FakeProvider, spans: Spans) -> None:
    _loop.run(way(make(provider)))  # pyright: ignore[reportArgumentType]
    assert len(billed(provider)) == 1
    assert recorded(spans) == billed(provider)
    attributes = inference(spans)
    assert attributes["llmlab.usage.source"] == "reported"
    if make in (http_chat, http_llm, openai_chat):
        assert recorded(spans) == [(1873, 317)]
    if make is http_chat:
        assert attributes["gen_ai.usage.cache_read.input_tokens"] == 1024
        assert attributes["gen_ai.usage.reasoning.output_tokens"] == 192
        assert attributes["gen_ai.response.model"] == "gpt-4o-2024-08-06"
        assert str(attributes["gen_ai.response.id"]).startswith("chatcmpl-")
        assert attributes["gen_ai.provider.name"] == "http"


@pytest.mark.parametrize("make", [http_chat, http_llm])
@pytest.mark.parametrize("way", [stream, astream])
def test_a_stream_says_when_it_began_to_answer(make: Model, way: Way, provider: FakeProvider, spans: Spans) -> None:
    _loop.run(way(make(provider)))  # pyright: ignore[reportArgumentType]
    (span,) = inferences(spans)
    assert (span.attributes or {})["gen_ai.request.stream"] is True
    waited_s = (span.attributes or {})["gen_ai.response.time_to_first_chunk"]
    assert isinstance(waited_s, float)
    assert span.start_time is not None
    assert span.end_time is not None
    assert 0 < waited_s * 1e9 < span.end_time - span.start_time


@pytest.mark.parametrize("way", [invoke, ainvoke])
def test_only_a_stream_has_a_first_chunk(way: Way, provider: FakeProvider, spans: Spans) -> None:
    _loop.run(way(http_chat(provider)))  # pyright: ignore[reportArgumentType]
    assert "gen_ai.response.time_to_first_chunk" not in inference(spans)


@cases(stream, as_way="abandoned")
def test_a_stream_that_is_left_early_is_partial(make: Model, way: Way, provider: FakeProvider, spans: Spans) -> None:
    chunks = iter(make(provider).stream("hello there"))
    next(chunks)
    chunks.close()
    attributes = inference(spans)
    assert attributes["llmlab.usage.source"] == "partial"
    assert "error.type" not in attributes


@cases(astream, as_way="abandoned")
def test_an_asynchronous_stream_that_is_left_early_is_partial(
    make: Model, way: Way, provider: FakeProvider, spans: Spans
) -> None:
    async def leave() -> None:
        chunks: AsyncIterator[Any] = make(provider).astream("hello there")
        await anext(chunks)
        await chunks.aclose()  # pyright: ignore[reportAttributeAccessIssue]

    _loop.run(leave())
    assert inference(spans)["llmlab.usage.source"] == "partial"


@cases(invoke, ainvoke, stream, astream, as_way="error")
def test_a_call_that_fails_has_no_usage(make: Model, way: Way, provider: FakeProvider, spans: Spans) -> None:
    with pytest.raises(Exception, match="429") as raised:
        _loop.run(way(make(provider, model="error-429")))  # pyright: ignore
    attributes = inference(spans)
    assert attributes["error.type"] in {kind.__name__ for kind in type(raised.value).__mro__}  # LangChain derives some
    assert recorded(spans) == [(None, None)]
    assert "llmlab.usage.source" not in attributes or attributes["llmlab.usage.source"] == "partial"


class CountsTogether(BaseLLM):
    """A model that sends all prompts in one request."""

    fails: bool = False
    before: Any = None

    @property
    def _llm_type(self) -> str:
        return "counting"

    def _generate(self, prompts: list[str], stop: Any = None, run_manager: Any = None, **_: Any) -> LLMResult:
        if self.fails:
            raise ValueError("busy")
        if self.before is not None:
            self.before(self, prompts)
        usage = {"prompt_tokens": 10 * len(prompts), "completion_tokens": len(prompts)}
        return LLMResult(generations=[[Generation(text=each)] for each in prompts], llm_output={"token_usage": usage})


class CountsEach(CountsTogether):
    """A model that sends a request for each prompt and adds up what they used."""

    def _generate(self, prompts: list[str], stop: Any = None, run_manager: Any = None, **_: Any) -> LLMResult:
        total = super()._generate(prompts).llm_output
        info = {"token_usage": {"prompt_tokens": 10, "completion_tokens": 1}}
        generations = [[Generation(text=each, generation_info=info)] for each in prompts]
        return LLMResult(generations=generations, llm_output=total)


class Simple(LLM):
    """A model that knows one prompt at a time."""

    fails: bool = False

    @property
    def _llm_type(self) -> str:
        return "simple"

    def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **_: Any) -> str:
        if self.fails:
            raise ValueError("busy")
        return prompt


def generate(model: BaseLLM, *, asynchronous: bool) -> None:
    prompts = ["one", "two", "three"]
    if asynchronous:
        _loop.run(model.agenerate(prompts))
    else:
        model.generate(prompts)


class TestWhoRecords:
    def test_where_the_sdk_records_its_span_stands_for_the_run_of_the_model(
        self, provider: FakeProvider, spans: Spans
    ) -> None:
        openai_chat(provider).invoke("hi")
        (span,) = spans.all()
        assert span.instrumentation_scope is not None
        assert span.instrumentation_scope.name == "llmlab.instrumentation.openai"

    def test_without_the_sdks_instrumentation_langchain_records(
        self, monkeypatch: pytest.MonkeyPatch, provider: FakeProvider, tracer_provider: TracerProvider, spans: Spans
    ) -> None:
        LLMLabInstrumentor().uninstrument()
        monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "llmlab-openai,llmlab-anthropic")
        LLMLabInstrumentor().instrument(tracer_provider=tracer_provider)
        openai_chat(provider).invoke("hi")
        anthropic_chat(provider).invoke("hi")
        assert len(spans.all()) == 2
        assert recorded(spans) == billed(provider)
        assert [(span.attributes or {})["gen_ai.provider.name"] for span in spans.all()] == ["openai", "anthropic"]

    def test_a_model_without_usage_is_unknown_not_free(self, spans: Spans) -> None:
        FakeListChatModel(responses=["yes"]).invoke("hi")
        FakeListLLM(responses=["yes"]).invoke("hi")
        assert recorded(spans) == [(None, None), (None, None)]
        assert not [span for span in spans.all() if "llmlab.usage.source" in (span.attributes or {})]

    @pytest.mark.parametrize("make", [http_chat, http_llm, openai_chat])
    def test_what_comes_out_of_langchains_cache_is_no_call(
        self, make: Model, provider: FakeProvider, spans: Spans
    ) -> None:
        set_llm_cache(InMemoryCache())
        try:
            model = make(provider)
            for _ in range(2):
                model.invoke("hi")
            _loop.run(model.ainvoke("hi"))
        finally:
            set_llm_cache(None)
        assert recorded(spans) == billed(provider) == [(1873, 317)]

    @pytest.mark.parametrize("make", [http_chat, openai_chat])
    def test_every_request_of_a_batch_is_one_span(self, make: Model, provider: FakeProvider, spans: Spans) -> None:
        make(provider).batch(["one", "two", "three"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # langchain-openai complains of itself when it adds up some fields
            make(provider).generate_prompt(
                [ChatPromptTemplate.from_template(each).invoke({}) for each in ("four", "five")]
            )
        assert len(recorded(spans)) == len(billed(provider)) == 5

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_prompts_that_are_counted_together_are_one_span(self, asynchronous: bool, spans: Spans) -> None:
        generate(CountsTogether(), asynchronous=asynchronous)
        assert recorded(spans) == [(30, 3)]

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_prompts_that_are_counted_each_are_a_span_each(self, asynchronous: bool, spans: Spans) -> None:
        generate(CountsEach(), asynchronous=asynchronous)
        assert recorded(spans) == [(10, 1)] * 3

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_a_simple_model_is_asked_once_for_each_prompt(self, asynchronous: bool, spans: Spans) -> None:
        generate(Simple(), asynchronous=asynchronous)
        assert recorded(spans) == [(None, None)] * 3

    @pytest.mark.parametrize("make", [CountsTogether, Simple])
    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_prompts_that_fail_together_are_one_failure(
        self, make: Callable[..., BaseLLM], asynchronous: bool, spans: Spans
    ) -> None:
        with pytest.raises(ValueError, match="busy"):
            generate(make(fails=True), asynchronous=asynchronous)
        assert inference(spans)["error.type"] == "ValueError"

    def test_a_request_for_several_prompts_is_the_sdks_span(self, provider: FakeProvider, spans: Spans) -> None:
        def ask_together(model: CountsTogether, prompts: list[str]) -> None:
            openai_chat(provider).invoke(", ".join(prompts))

        generate(CountsTogether(before=ask_together), asynchronous=False)
        assert recorded(spans) == billed(provider) == [(1873, 317)]

    def test_structured_output_and_bound_tools(self, provider: FakeProvider, spans: Spans) -> None:
        schema = {"title": "answer", "description": "An answer.", "type": "object", "properties": {}}
        openai_chat(provider).with_structured_output(schema, method="function_calling").invoke("hi")
        openai_chat(provider).bind_tools([weather], tool_choice="weather").invoke("hi")
        assert recorded(spans) == billed(provider)
        assert len(billed(provider)) == 2

    def test_a_model_that_asks_another_one_is_no_second_call(self, provider: FakeProvider, spans: Spans) -> None:
        class Router(FakeListChatModel):
            def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> Any:
                inner = http_chat(provider).invoke(messages)
                return http_chat(provider)._generate([inner])  # pyright: ignore[reportPrivateUsage]

        Router(responses=[]).invoke("hi")
        assert len(inferences(spans)) == 1


class TestAttribution:
    def chain(self, provider: FakeProvider, make: Model = openai_chat) -> Runnable[Any, Any]:
        return ChatPromptTemplate.from_template("{subject}") | make(provider) | StrOutputParser()

    @pytest.mark.parametrize("make", [http_chat, openai_chat])
    def test_the_runs_around_a_call_are_its_parents(self, make: Model, provider: FakeProvider, spans: Spans) -> None:
        self.chain(provider, make).invoke({"subject": "sea"}, {"run_name": "tell"})
        (span,) = inferences(spans)
        assert path(spans, span) == ["tell"]

    def test_streams_and_batches_too(self, provider: FakeProvider, spans: Spans) -> None:
        list(self.chain(provider).stream({"subject": "sea"}))
        self.chain(provider).batch([{"subject": "sea"}, {"subject": "sky"}])
        assert {tuple(path(spans, span)) for span in inferences(spans)} == {("RunnableSequence",)}

    def test_a_call_of_the_sdk_itself_is_below_the_run_it_is_made_in(self, client: Any, spans: Spans) -> None:
        def ask(question: str) -> str:
            completion = client.chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": question}]
            )
            return str(completion.id)

        RunnableLambda(ask).with_config(run_name="ask").invoke("hi")
        (span,) = inferences(spans)
        assert path(spans, span) == ["ask"]

    def test_a_span_of_the_application_in_between_stays_the_parent(
        self, provider: FakeProvider, tracer_provider: TracerProvider, spans: Spans
    ) -> None:
        model = http_chat(provider)

        def ask(question: str) -> Any:
            with tracer_provider.get_tracer("app").start_as_current_span("mine"):
                return model.invoke(question)

        RunnableLambda(ask).invoke("hi")
        (span,) = inferences(spans)
        assert path(spans, span) == ["mine"]
        assert "llmlab.run" in (span.attributes or {})

    def test_runs_without_a_call_are_no_spans(self, spans: Spans) -> None:
        (ChatPromptTemplate.from_template("{subject}") | RunnableLambda(str)).invoke({"subject": "sea"})
        assert spans.all() == []

    @pytest.mark.parametrize("make", [http_chat, openai_chat])
    def test_metadata_says_whom_a_call_is_for(self, make: Model, provider: FakeProvider, spans: Spans) -> None:
        config: RunnableConfig = {
            "metadata": {"llmlab.feature": "tales", "llmlab.team": "core", "user_id": "u1"},
            "configurable": {"thread_id": "t1"},
        }
        self.chain(provider, make).invoke({"subject": "sea"}, config)
        attributes = inference(spans)
        assert attributes["llmlab.feature"] == "tales"
        assert attributes["llmlab.tag.team"] == "core"
        assert attributes["llmlab.user"] == "u1"
        assert attributes["llmlab.session"] == "t1"
        assert len(str(attributes["llmlab.run"])) == 36

    def test_what_is_derived_never_overrides_what_the_application_said(
        self, provider: FakeProvider, spans: Spans
    ) -> None:
        with attribute(run="r7", user="u7", feature="search"):
            self.chain(provider).invoke({"subject": "sea"}, {"metadata": {"user_id": "u1", "llmlab.feature": "tales"}})
        attributes = inference(spans)
        assert (attributes["llmlab.run"], attributes["llmlab.user"]) == ("r7", "u7")
        assert attributes["llmlab.feature"] == "tales"

    def test_a_failed_run_says_so(self, provider: FakeProvider, spans: Spans) -> None:
        with pytest.raises(Exception, match="429"):
            self.chain(provider, lambda provider: openai_chat(provider, model="error-429")).invoke({"subject": "sea"})
        assert (spans.all()[0].attributes or {})["error.type"] == "RateLimitError"
        assert all("error.type" in (span.attributes or {}) for span in spans.all())
        assert [span.name for span in spans.all()] == ["chat error-429", "RunnableSequence"]

    def test_nothing_is_left_behind_in_the_context_of_the_caller(self, provider: FakeProvider, spans: Spans) -> None:
        before = trace.get_current_span()
        chunks = openai_chat(provider).stream("hi")
        next(chunks)
        assert trace.get_current_span() is before
        with attribute(feature="other"):
            http_chat(provider).invoke("hi")
        assert path(spans, inferences(spans)[0]) == []
        del chunks


@tool
def weather(city: str = "Oslo") -> str:
    """Return the weather in a city."""
    return f"sunny in {city}"


class TestAgents:
    @pytest.fixture
    def create_agent(self) -> Any:
        agents = pytest.importorskip("langchain.agents")
        if not hasattr(agents, "create_agent"):
            pytest.skip("came with langchain 1.0")
        return agents.create_agent

    def ask(self, *, asynchronous: bool, agent: Any, question: str) -> None:
        state = {"messages": [{"role": "user", "content": question}]}
        config = {"configurable": {"thread_id": "t1"}}
        if asynchronous:
            _loop.run(agent.ainvoke(state, config))
        else:
            agent.invoke(state, config)

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_an_agent_and_its_tools_are_the_parents(
        self, asynchronous: bool, create_agent: Any, provider: FakeProvider, spans: Spans
    ) -> None:
        writer = anthropic_chat(provider)

        @tool
        def translate(text: str = "sea") -> str:
            """Translate a text."""
            return str(writer.invoke(text).text)

        agent = create_agent(openai_chat(provider), [weather, translate], name="helper")
        self.ask(asynchronous=asynchronous, agent=agent, question="please translate this")
        found = {tuple(path(spans, span)) for span in inferences(spans)}
        assert found == {
            ("invoke_agent helper", "model"),
            ("invoke_agent helper", "tools", "execute_tool translate"),
        }
        assert sorted(recorded(spans)) == sorted(billed(provider))
        assert len(billed(provider)) == 3
        assert {str((span.attributes or {})["llmlab.session"]) for span in inferences(spans)} == {"t1"}
        assert len({str((span.attributes or {})["llmlab.run"]) for span in inferences(spans)}) == 1

    def test_a_tool_that_makes_no_call_is_seen_between_those_that_do(
        self, create_agent: Any, provider: FakeProvider, spans: Spans
    ) -> None:
        self.ask(asynchronous=False, agent=create_agent(openai_chat(provider), [weather]), question="what weather")
        (span,) = (span for span in spans.all() if span.name == "execute_tool weather")
        assert path(spans, span)[-1] == "tools"
        assert len(billed(provider)) == 2

    def test_a_tool_alone_is_no_span(self, spans: Spans) -> None:
        weather.invoke({"city": "Bergen"})
        assert spans.all() == []

    def test_only_inference_spans_count_tokens(self, create_agent: Any, provider: FakeProvider, spans: Spans) -> None:
        self.ask(asynchronous=False, agent=create_agent(http_chat(provider), []), question="hello")
        others = [span for span in spans.all() if span.kind is not trace.SpanKind.CLIENT]
        assert others
        assert not [name for span in others for name in span.attributes or {} if ".usage." in name]


class Listener(BaseCallbackHandler):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        self.heard.append("start")

    def on_llm_end(self, *_: Any, **__: Any) -> None:
        self.heard.append("end")


class TestTheApplicationNoticesNothing:
    @pytest.mark.parametrize("make", [http_chat, openai_chat])
    def test_callbacks_hear_the_same(self, make: Model, provider: FakeProvider) -> None:
        first, second = Listener(), Listener()
        model = make(provider)
        model.invoke("hi", {"callbacks": [first, second]})
        list(model.stream("hi", {"callbacks": [first]}))
        assert (first.heard, second.heard) == (["start", "end"] * 2, ["start", "end"])

    def test_results_are_the_same_without_us(self, provider: FakeProvider) -> None:
        model = http_chat(provider)
        chain = ChatPromptTemplate.from_template("{subject}") | model | StrOutputParser()

        def results() -> Any:
            return (
                chain.invoke({"subject": "a"}),
                list(chain.stream({"subject": "a"})),
                model.invoke("a").usage_metadata,
            )

        ours = results()
        LLMLabInstrumentor().uninstrument()
        assert ours == results()

    @pytest.mark.parametrize("make", [http_chat, http_llm, openai_chat])
    def test_runs_are_gone_without_the_garbage_collector(self, make: Model, provider: FakeProvider) -> None:
        model = make(provider)
        gc.collect()
        before = len(_runs)
        gc.disable()
        try:
            (ChatPromptTemplate.from_template("{subject}") | model).invoke({"subject": "sea"})
            list(model.stream("hi"))
            next(iter(model.stream("hi")))
            assert len(_runs) <= before
        finally:
            gc.enable()

    def test_a_fault_of_ours_stays_with_us(
        self, monkeypatch: pytest.MonkeyPatch, provider: FakeProvider, spans: Spans
    ) -> None:
        monkeypatch.setattr(runs.Run, "enclose", None)
        chain = ChatPromptTemplate.from_template("{subject}") | openai_chat(provider)
        assert chain.invoke({"subject": "a"}).content
        assert recorded(spans) == billed(provider)

    def test_uninstrumented_langchain_records_nothing(self, provider: FakeProvider, spans: Spans) -> None:
        LLMLabInstrumentor().uninstrument()
        http_chat(provider).invoke("hi")
        assert spans.all() == []

    def test_it_can_be_disabled(
        self, monkeypatch: pytest.MonkeyPatch, provider: FakeProvider, tracer_provider: TracerProvider, spans: Spans
    ) -> None:
        LLMLabInstrumentor().uninstrument()
        monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "llmlab-langchain")
        LLMLabInstrumentor().instrument(tracer_provider=tracer_provider)
        http_chat(provider).invoke("hi")
        openai_chat(provider).invoke("hi")
        assert [span.name for span in spans.all()] == ["chat gpt-4o"]


@pytest.mark.parametrize("make", [http_chat, openai_chat])
def test_the_events_of_the_third_version(make: Model, provider: FakeProvider, spans: Spans) -> None:
    model = make(provider)
    if not hasattr(model, "_iter_v2_events"):
        pytest.skip("this version has no such events")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert model.stream_events("hi", version="v3").output.content
    assert recorded(spans) == billed(provider) == [(1873, 317)]


def openai_embeddings(provider: FakeProvider, model: str = "text-embedding-3-small") -> Any:
    embeddings = langchain_openai.OpenAIEmbeddings(
        model=model,
        base_url=provider.openai_url,
        api_key="fake",
        check_embedding_ctx_length=False,
        max_retries=0,
        timeout=next(_TIMEOUTS_S),
    )
    _to_close.append(embeddings.async_client._client.close)
    return embeddings


def embed_documents(embeddings: Any) -> object:
    return embeddings.embed_documents(["a", "b"])


def embed_documents_async(embeddings: Any) -> object:
    return _loop.run(embeddings.aembed_documents(["a", "b"]))


@pytest.mark.parametrize(
    "embed",
    [
        pytest.param(embed_documents, marks=pytest.mark.cell("langchain-core", "embeddings", "sync")),
        pytest.param(embed_documents_async, marks=pytest.mark.cell("langchain-core", "embeddings", "async")),
    ],
)
def test_embeddings_are_recorded_by_the_sdk_below_the_run_around(
    embed: Callable[[Any], object], provider: FakeProvider, spans: Spans
) -> None:
    embeddings = openai_embeddings(provider)
    RunnableLambda(embed).with_config(run_name="index").invoke(embeddings)
    (span,) = inferences(spans)
    (request,) = provider.requests
    assert request.usage is not None
    assert (span.attributes or {})["gen_ai.usage.input_tokens"] == request.usage["prompt_tokens"]
    if embed is embed_documents:
        assert path(spans, span) == ["index"]


@pytest.mark.cell("langchain-core", "embeddings", "error")
def test_embeddings_that_fail_have_no_usage(provider: FakeProvider, spans: Spans) -> None:
    with pytest.raises(Exception, match="429") as raised:
        openai_embeddings(provider, "error-429").embed_documents(["a"])
    assert spans.is_refused(raised.value)
