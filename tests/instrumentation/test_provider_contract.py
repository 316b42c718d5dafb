"""The contract fits SDKs of other shapes than OpenAI's, without a line of shared code for any of them."""

import asyncio
import re
import sys
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from instrumentation import odd_sdk
from instrumentation.spans import Spans
from llmlab.capture.patching import Installation
from llmlab.hosts import Endpoint
from llmlab.providers import Call, Provider, Reply, Request
from llmlab.usage import Usage

HERE = Endpoint("odd")


class Cumulative:
    """Reads chunks whose counts grow: the last one holds."""

    def __init__(self) -> None:
        self._tokens: int | None = None

    def read(self, chunk: Any) -> bool:
        self._tokens = chunk.tokens
        return False

    def reply(self) -> Reply:
        return Reply().with_usage(Usage(output=self._tokens))


def plain_request(_client: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    names = dict(zip(("model", "prompt"), args, strict=False)) | keywords
    return Request("chat", names["model"], HERE, keywords)


def stream_request(_client: Any, _args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    return Request("chat", keywords["model"], HERE, keywords, chunks=Cumulative())


def api_request(_client: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Request | None:
    operation, parameters = args
    if operation != "ConverseStream":
        return None
    return Request("chat", parameters["model"], HERE, keywords, chunks=Cumulative())


def in_entry(result: Any, wrap: Callable[[Any], Any]) -> Any:
    result["stream"] = wrap(result["stream"])
    return result


def read_answer(answer: odd_sdk.Answer) -> Reply:
    return Reply().with_usage(Usage(output=answer.tokens))


MODULE = odd_sdk.__name__
PROVIDER = Provider(
    name="odd",
    distribution="openai",  # any that is installed
    versions=">=1",
    calls=(
        Call(module=MODULE, attribute="complete", request=plain_request, reply=read_answer),
        Call(module=MODULE, attribute="Client.stream", request=stream_request, reply=read_answer),
        Call(module=MODULE, attribute="Client.astream", request=stream_request, reply=read_answer),
        Call(module=MODULE, attribute="Client.hang", kind="async", request=plain_request, reply=read_answer),
        Call(
            module=MODULE,
            attribute="Client.call_api",
            request=api_request,
            reply=read_answer,
            replace_stream=in_entry,
        ),
    ),
)


@pytest.fixture(autouse=True)
def installation(tracer_provider: TracerProvider, spans: Spans) -> Iterator[Installation]:
    installation = Installation(PROVIDER, tracer_provider)
    yield installation
    installation.remove()


def is_reported(spans: Spans, tokens: int) -> bool:
    attributes = spans.attributes()
    return (attributes["gen_ai.usage.output_tokens"], attributes["llmlab.usage.source"]) == (tokens, "reported")


def test_a_plain_function_with_positional_arguments(spans: Spans) -> None:
    assert odd_sdk.complete("m", "one two three").text == "m: one two three"
    assert spans.one().name == "chat m"
    assert is_reported(spans, 3)


def test_a_generator_is_settled_at_its_end(spans: Spans) -> None:
    answers = odd_sdk.Client().stream(model="m", prompt="one two three")
    assert not spans.all()
    assert [answer.text for answer in answers] == ["m: one", "m: two", "m: three"]
    assert is_reported(spans, 3)


def test_an_asynchronous_generator_that_is_not_awaited(spans: Spans) -> None:
    async def run() -> list[str]:
        return [answer.text async for answer in odd_sdk.Client().astream(model="m", prompt="one two three")]

    assert asyncio.run(run()) == ["m: one", "m: two", "m: three"]
    assert is_reported(spans, 3)


def test_a_stream_that_is_an_entry_of_the_response(spans: Spans) -> None:
    response = odd_sdk.Client().call_api("ConverseStream", {"model": "m", "prompt": "one two three"})
    assert response["status"] == 200
    assert isinstance(response["stream"], odd_sdk.EventStream)
    assert len(list(response["stream"])) == 3
    assert is_reported(spans, 3)


def test_an_operation_that_is_not_billed_is_left_alone(spans: Spans) -> None:
    assert odd_sdk.Client().call_api("ListRegions", {}) == {"regions": ["here"]}
    assert not spans.all()


def test_a_coroutine_that_is_thrown_away_elsewhere_makes_no_noise(
    spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = odd_sdk.Client().hang(model="m", prompt="one")
    copy_context().run(waiting.send, None)
    waiting.close()
    assert not caplog.records
    assert spans.attributes()["error.type"] == "GeneratorExit"


def test_a_function_known_under_two_names_is_recorded_once_and_restored_twice(
    spans: Spans, tracer_provider: TracerProvider, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.remove()
    original = odd_sdk.complete
    elsewhere = "instrumentation.odd_names"
    monkeypatch.delitem(sys.modules, elsewhere, raising=False)
    defined = Call(module=MODULE, attribute="complete", request=plain_request, reply=read_answer)
    installation = Installation(replace(PROVIDER, calls=(defined, replace(defined, module=elsewhere))), tracer_provider)
    taken = import_module(elsewhere)
    taken.complete("m", "one")
    assert is_reported(spans, 1)
    installation.remove()
    assert odd_sdk.complete is original
    assert taken.complete is original


class AcmeClient:
    """The SDK that docs/instrumentation.md instruments."""

    base_url = "https://api.acme.example"

    def answer(self, *, model: str, prompt: str) -> Any:
        return acme_answer(model, prompt)

    def answer_stream(self, *, model: str, prompt: str) -> Iterator[Any]:
        yield SimpleNamespace(total=None)
        yield SimpleNamespace(total=acme_answer(model, prompt))


class AcmeAsyncClient:
    base_url = "https://api.acme.example"

    async def answer(self, *, model: str, prompt: str) -> Any:
        return acme_answer(model, prompt)


def acme_answer(model: str, prompt: str) -> Any:
    return SimpleNamespace(model=model, tokens_in=len(prompt.split()), tokens_out=2)


@pytest.fixture
def acme(tracer_provider: TracerProvider, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    page = (Path(__file__).parents[2] / "docs" / "instrumentation.md").read_text()
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "PROVIDER = " in block)
    module: dict[str, Any] = {}
    exec(code, module)  # noqa: S102 - our own page
    sdk = ModuleType("acme.client")
    sdk.__dict__.update(Client=AcmeClient, AsyncClient=AcmeAsyncClient)
    monkeypatch.setitem(sys.modules, "acme.client", sdk)
    documented: Provider = module["PROVIDER"]
    installation = Installation(replace(documented, distribution="openai", versions=">=1"), tracer_provider)
    yield
    installation.remove()


@pytest.mark.usefixtures("acme")
class TestTheDocumentedExample:
    def test_it_records_a_call(self, spans: Spans) -> None:
        AcmeClient().answer(model="a-1", prompt="one two three")
        assert spans.one().name == "chat a-1"
        assert spans.attributes()["server.address"] == "api.acme.example"
        assert spans.usage() == {"gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 2}

    def test_it_records_a_stream(self, spans: Spans) -> None:
        assert len(list(AcmeClient().answer_stream(model="a-1", prompt="one two three"))) == 2
        assert spans.usage() == {"gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 2}

    def test_it_records_an_asynchronous_call(self, spans: Spans) -> None:
        asyncio.run(AcmeAsyncClient().answer(model="a-1", prompt="one two three"))
        assert spans.usage() == {"gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 2}
