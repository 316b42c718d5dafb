"""The helpers of the SDK `openai`: an answer that `parse` refuses is billed, and `stream` settles when it is left."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest
from pydantic import ValidationError

from fake_provider.testing import FakeProvider
from instrumentation.reading import either, have, of_model
from instrumentation.responses_ways import ASK
from instrumentation.sdk_versions import requires
from instrumentation.spans import Spans
from instrumentation.ways import CHAT, Verdict
from llmlab.instrumentor import LLMLabInstrumentor

pytestmark = pytest.mark.usefixtures("instrumentor")

both_clients = pytest.mark.parametrize("kind", [openai.OpenAI, openai.AsyncOpenAI])

VERDICT = {"x-fake-reply": '{"yes":true}'}


def run(kind: type[Any], provider: FakeProvider, use: Callable[[Any], Awaitable[Any]]) -> Any:
    async def with_client() -> Any:
        async with either(kind(base_url=provider.openai_url, api_key="fake", max_retries=0)) as client:
            return await use(client)

    return asyncio.run(with_client())


def billed_tokens(provider: FakeProvider) -> list[tuple[int, int]]:
    """Return the tokens of each billed call, in the words of either API."""
    usages = [request.usage for request in provider.requests if request.usage is not None]
    names = (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"))
    return [tuple(usage[name] for name in pair) for usage in usages for pair in names if pair[0] in usage]


def tokens(spans: Spans) -> tuple[Any, Any]:
    usage = spans.usage()
    return usage["gen_ai.usage.input_tokens"], usage["gen_ai.usage.output_tokens"]


@requires("openai", "1.92")
@both_clients
@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (CHAT, ValidationError),
        ({**CHAT, "max_tokens": 2}, openai.LengthFinishReasonError),
        (of_model("content-filter", CHAT), openai.ContentFilterFinishReasonError),
    ],
    ids=["form", "length", "filter"],
)
def test_a_completion_that_cannot_be_parsed_is_billed(
    request_: dict[str, Any], error: type[Exception], kind: type[Any], provider: FakeProvider, spans: Spans
) -> None:
    async def parse(client: Any) -> None:
        with pytest.raises(error):
            await have(client.chat.completions.parse(**request_, response_format=Verdict))

    run(kind, provider, parse)
    assert [tokens(spans)] == billed_tokens(provider)
    assert spans.attributes()["error.type"] == error.__name__
    assert spans.attributes()["llmlab.usage.source"] == "reported"
    assert str(spans.attributes()["gen_ai.response.id"]).startswith("chatcmpl-")


@requires("openai", "1.66")
@both_clients
def test_a_response_that_cannot_be_parsed_is_billed(kind: type[Any], provider: FakeProvider, spans: Spans) -> None:
    async def parse(client: Any) -> None:
        with pytest.raises(ValidationError):
            await have(client.responses.parse(**ASK, text_format=Verdict))

    run(kind, provider, parse)
    assert [tokens(spans)] == billed_tokens(provider)
    assert spans.attributes()["error.type"] == "ValidationError"
    assert spans.attributes()["llmlab.usage.source"] == "reported"
    assert str(spans.attributes()["gen_ai.response.id"]).startswith("resp_")


@requires("openai", "1.92")
def test_a_refused_answer_is_not_that_of_the_next_call(client: openai.OpenAI, spans: Spans) -> None:
    with pytest.raises(ValidationError):
        client.chat.completions.parse(**CHAT, response_format=Verdict)
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.parse(**of_model("error-429", CHAT), response_format=Verdict)
    assert [".usage.input_tokens" in "".join(span.attributes or {}) for span in spans.all()] == [True, False]


@requires("openai", "1.92")
def test_an_answer_that_nobody_recorded_is_not_that_of_the_next_call(
    client: openai.OpenAI, instrumentor: LLMLabInstrumentor, spans: Spans
) -> None:
    raw = client.chat.completions.with_raw_response.parse(**CHAT, response_format=Verdict)
    with pytest.raises(ValidationError):
        raw.parse()  # after the call, which was settled with what its body says
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.parse(**of_model("error-429", CHAT), response_format=Verdict)
    assert [".usage.input_tokens" in "".join(span.attributes or {}) for span in spans.all()] == [True, False]


@requires("openai", "1.92")
@both_clients
def test_a_helper_that_is_left_early_is_settled_at_once(kind: type[Any], provider: FakeProvider, spans: Spans) -> None:
    async def leave(client: Any) -> None:
        async with either(client.chat.completions.stream(**CHAT)) as stream:
            await first_of(stream)
            assert not spans.all()
        assert spans.attributes()["llmlab.usage.source"] == "partial"
        assert stream.current_completion_snapshot  # which the caller may still want

    run(kind, provider, leave)
    assert len(spans.all()) == 1


@requires("openai", "1.92")
@both_clients
def test_a_helper_that_is_closed_by_hand_is_settled_at_once(
    kind: type[Any], provider: FakeProvider, spans: Spans
) -> None:
    async def leave(client: Any) -> None:
        async with either(client.chat.completions.stream(**CHAT)) as stream:
            await first_of(stream)
            await have(stream.close())
            assert spans.attributes()["llmlab.usage.source"] == "partial"

    run(kind, provider, leave)
    assert len(spans.all()) == 1


@requires("openai", "1.92")
@both_clients
def test_a_helper_that_is_read_to_its_end_is_reported(kind: type[Any], provider: FakeProvider, spans: Spans) -> None:
    async def read(client: Any) -> None:
        async with either(client.chat.completions.stream(**CHAT)) as stream:
            await have(stream.until_done())

    run(kind, provider, read)
    assert [tokens(spans)] == billed_tokens(provider)
    assert spans.attributes()["llmlab.usage.source"] == "reported"


@requires("openai", "1.66")
@both_clients
def test_a_helper_of_the_responses_api_is_read_to_its_end(
    kind: type[Any], provider: FakeProvider, spans: Spans
) -> None:
    async def read(client: Any) -> None:
        # 1.66.0 and 1.66.1 fail over the thoughts of a model that reasons, with us and without.
        async with either(client.responses.stream(model="gpt-4o", input="one two three")) as stream:
            await have(stream.until_done())

    run(kind, provider, read)
    assert [tokens(spans)] == billed_tokens(provider)
    assert spans.attributes()["llmlab.usage.source"] == "reported"


@requires("openai", "1.92")
def test_a_helper_closes_as_ever_when_nothing_is_recorded(
    client: openai.OpenAI, instrumentor: LLMLabInstrumentor, spans: Spans
) -> None:
    manager = client.chat.completions.stream(**CHAT)
    instrumentor.uninstrument()
    with manager as stream:
        next(stream)
    assert not spans.all()


async def first_of(stream: Any) -> Any:
    return await anext(aiter(stream)) if hasattr(stream, "__aiter__") else next(iter(stream))
