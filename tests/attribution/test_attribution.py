"""Which calls are attributed to what: blocks, baggage and the environment."""

import asyncio
import logging
from collections.abc import Callable

import openai
import pytest
from opentelemetry import baggage, context
from opentelemetry.baggage.propagation import W3CBaggagePropagator

import llmlab
from attribution.conftest import Ask
from fake_provider.testing import FakeProvider
from llmlab.attribution import current_tags

Read = Callable[[], list[dict[str, object]]]


def test_calls_inside_a_block_bear_its_tags(ask: Ask, attributed: Read) -> None:
    with llmlab.attribute(feature="search", user="u1", run="r7", session="s3", project="shop", team="core"):
        ask()
    assert attributed() == [
        {
            "feature": "search",
            "user": "u1",
            "run": "r7",
            "session": "s3",
            "project": "shop",
            "tag.team": "core",
        }
    ]


def test_calls_outside_bear_none(ask: Ask, attributed: Read) -> None:
    with llmlab.attribute(feature="search"):
        pass
    ask()
    assert attributed() == [{}]


def test_an_inner_block_adds_and_overrides(ask: Ask, attributed: Read) -> None:
    with llmlab.attribute(feature="search", user="u1"):
        with llmlab.attribute(feature="rerank", run="r1"):
            ask()
        ask()
    assert attributed() == [{"feature": "rerank", "user": "u1", "run": "r1"}, {"feature": "search", "user": "u1"}]


def test_none_says_nothing(ask: Ask, attributed: Read) -> None:
    with llmlab.attribute(user="u1"), llmlab.attribute(user=None, feature="search"):
        ask()
    assert attributed() == [{"user": "u1", "feature": "search"}]


def test_a_block_ends_with_an_exception(ask: Ask, attributed: Read) -> None:
    with pytest.raises(ZeroDivisionError), llmlab.attribute(feature="search"):
        raise ZeroDivisionError
    ask()
    assert attributed() == [{}]


def test_a_failed_call_is_attributed_too(client: openai.OpenAI, attributed: Read) -> None:
    with llmlab.attribute(feature="search"), pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="error-429", messages=[{"role": "user", "content": "x"}])
    assert attributed() == [{"feature": "search"}]


def test_a_stream_is_attributed_to_where_it_was_asked_for(client: openai.OpenAI, attributed: Read) -> None:
    with llmlab.attribute(feature="search"):
        stream = client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "x"}], stream=True
        )
    with llmlab.attribute(feature="other"):
        list(stream)
    assert attributed() == [{"feature": "search"}]


def test_nothing_wrong_with_a_tag_reaches_the_caller(ask: Ask, attributed: Read) -> None:
    with llmlab.attribute(user=["u1"], feature="x" * 1000, run="r1"):  # pyright: ignore[reportArgumentType]
        ask()
    assert attributed() == [{"run": "r1"}]


def test_one_object_serves_nested_blocks(ask: Ask, attributed: Read) -> None:
    search = llmlab.attribute(feature="search")
    with search, llmlab.attribute(feature="other"), search:
        ask()
    ask()
    assert attributed() == [{"feature": "search"}, {}]


@pytest.mark.usefixtures("client")
def test_one_object_serves_tasks_that_overlap(running: FakeProvider, attributed: Read) -> None:
    search = llmlab.attribute(feature="search")

    async def one(client: openai.AsyncOpenAI, number: int, others: asyncio.Barrier) -> None:
        with llmlab.attribute(run=number):
            with search:
                await others.wait()
                await client.embeddings.create(model="text-embedding-3-small", input="one")
            await others.wait()
            assert "llmlab.feature" not in current_tags()

    async def all_of_them() -> None:
        async with openai.AsyncOpenAI(base_url=running.openai_url, api_key="fake") as client:
            others = asyncio.Barrier(5)
            await asyncio.gather(*(one(client, number, others) for number in range(5)))

    asyncio.run(all_of_them())
    assert sorted(tags["run"] for tags in attributed()) == ["0", "1", "2", "3", "4"]  # pyright: ignore[reportArgumentType]
    assert {tags["feature"] for tags in attributed()} == {"search"}


@pytest.mark.usefixtures("client")
def test_tasks_keep_what_held_where_they_were_created(running: FakeProvider, attributed: Read) -> None:
    async def call() -> None:
        async with openai.AsyncOpenAI(base_url=running.openai_url, api_key="fake") as client:
            await client.embeddings.create(model="text-embedding-3-small", input="one")

    async def main() -> None:
        with llmlab.attribute(feature="search"):
            task = asyncio.create_task(call())
        await task

    asyncio.run(main())
    assert attributed() == [{"feature": "search"}]


class TestBaggage:
    def carried(self, **entries: str) -> context.Context:
        inside = context.get_current()
        for name, value in entries.items():
            inside = baggage.set_baggage(name.replace("__", "."), value, inside)
        return inside

    def test_entries_with_our_prefix_are_tags(self, ask: Ask, attributed: Read) -> None:
        token = context.attach(self.carried(llmlab__user="u1", llmlab__team="core", other="x", llmlabs="y"))
        ask()
        context.detach(token)
        assert attributed() == [{"user": "u1", "tag.team": "core"}]

    def test_what_a_client_sends_is_checked(self, ask: Ask, attributed: Read) -> None:
        header = "llmlab.user=" + "x" * 300 + ",llmlab.feature=a%0Ab,llmlab.run=r1"
        token = context.attach(W3CBaggagePropagator().extract({"baggage": header}))
        ask()
        context.detach(token)
        assert attributed() == [{"run": "r1"}]

    def test_a_block_is_stronger(self, ask: Ask, attributed: Read) -> None:
        token = context.attach(self.carried(llmlab__user="u1", llmlab__feature="api"))
        with llmlab.attribute(feature="search"):
            ask()
        context.detach(token)
        assert attributed() == [{"user": "u1", "feature": "search"}]

    def test_attribution_stays_in_the_process_by_default(self) -> None:
        with llmlab.attribute(feature="search"):
            assert self.sent() == {}

    def test_it_is_sent_on_when_asked_to(self) -> None:
        with llmlab.attribute(feature="se,arch", team="core", propagate=True):
            assert self.sent() == {"baggage": "llmlab.feature=se%2Carch,llmlab.team=core"}
        assert self.sent() == {}

    def test_what_is_sent_on_arrives_as_it_was(self, ask: Ask, attributed: Read) -> None:
        with llmlab.attribute(feature="se,arch=ü", team="core", propagate=True):
            headers = self.sent()
        token = context.attach(W3CBaggagePropagator().extract(headers))
        ask()
        context.detach(token)
        assert attributed() == [{"feature": "se,arch=ü", "tag.team": "core"}]

    def sent(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        W3CBaggagePropagator().inject(headers)
        return headers


class TestEnvironment:
    @pytest.fixture(autouse=True)
    def variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LLMLAB_TAGS", "feature=batch,team=core,user=nobody")

    def test_it_holds_for_every_call(self, ask: Ask, attributed: Read) -> None:
        ask()
        assert attributed() == [{"feature": "batch", "tag.team": "core", "user": "nobody"}]

    def test_baggage_is_stronger_and_a_block_is_strongest(self, ask: Ask, attributed: Read) -> None:
        token = context.attach(baggage.set_baggage("llmlab.feature", "b", baggage.set_baggage("llmlab.user", "b")))
        with llmlab.attribute(user="a"):
            ask()
        context.detach(token)
        assert attributed() == [{"feature": "b", "tag.team": "core", "user": "a"}]


class TestForeignContexts:
    """Where a block is entered in one context and left in another, as the closing of abandoned generators does."""

    def test_leaving_in_a_foreign_context_changes_nothing_there(self, caplog: pytest.LogCaptureFixture) -> None:
        block = llmlab.attribute(feature="search")

        async def enter() -> None:
            block.__enter__()

        async def main() -> None:
            await asyncio.create_task(enter())
            with llmlab.attribute(feature="other"):
                block.__exit__(None, None, None)
                assert current_tags() == {"llmlab.feature": "other"}

        with caplog.at_level(logging.DEBUG):
            asyncio.run(main())
        assert not [record for record in caplog.records if record.name.startswith(("llmlab", "opentelemetry"))]

    def test_leaving_in_a_copy_of_the_context_works_there(self) -> None:
        block = llmlab.attribute(feature="search")

        async def leave() -> None:
            block.__exit__(None, None, None)
            assert current_tags() == {}

        async def main() -> None:
            with block:
                await asyncio.create_task(leave())
                assert current_tags() == {"llmlab.feature": "search"}

        asyncio.run(main())

    def test_blocks_left_in_the_wrong_order_leave_nothing_behind(self) -> None:
        outer, inner = llmlab.attribute(feature="outer"), llmlab.attribute(feature="inner")
        outer.__enter__()
        inner.__enter__()
        outer.__exit__(None, None, None)
        assert current_tags() == {}
        inner.__exit__(None, None, None)
        assert current_tags() == {}
