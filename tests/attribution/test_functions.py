"""Decorated functions of every kind: attributed inside, unchanged outside."""

import asyncio
import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, closing
from typing import Any

import pytest

import llmlab
from llmlab.attribution import current_tags

SEARCH = {"llmlab.feature": "search"}
OUTSIDE = {"llmlab.feature": "outside"}

search = llmlab.attribute(feature="search")


@pytest.fixture(autouse=True)
def outside() -> Iterator[None]:
    """Whatever calls the functions is attributed to something else."""
    with llmlab.attribute(feature="outside"):
        yield
        assert current_tags() == OUTSIDE


@search
def plain(*_: object, **__: object) -> dict[str, str]:
    """Say where it runs."""
    return dict(current_tags())


@search
async def coroutine() -> dict[str, str]:
    await asyncio.sleep(0)
    return dict(current_tags())


@search
def generator(until: int = 2) -> Generator[dict[str, str], str, str]:
    for _ in range(until):
        sent = yield dict(current_tags())
        assert current_tags()["llmlab.feature"] == "search"
        if sent == "raise":
            raise ValueError(sent)
    return "the end"


@search
async def async_generator(until: int = 2) -> AsyncGenerator[dict[str, str], str]:
    for _ in range(until):
        await asyncio.sleep(0)
        sent = yield dict(current_tags())
        assert current_tags()["llmlab.feature"] == "search"
        if sent == "raise":
            raise ValueError(sent)


class Service:
    @search
    def method(self) -> dict[str, str]:
        return dict(current_tags())

    @classmethod
    @search
    def of_class(cls) -> dict[str, str]:
        return dict(current_tags())

    @staticmethod
    @search
    def static() -> dict[str, str]:
        return dict(current_tags())


def test_a_plain_function_is_attributed() -> None:
    assert plain(1, key=2) == SEARCH


def test_methods_are_attributed() -> None:
    assert Service().method() == Service.of_class() == Service.static() == SEARCH


def test_a_coroutine_is_attributed() -> None:
    async def main() -> None:
        assert await coroutine() == SEARCH
        assert current_tags() == OUTSIDE

    asyncio.run(main())


def test_a_plain_function_that_returns_a_coroutine_is_attributed_while_that_runs() -> None:
    undecorated = inspect.unwrap(coroutine)

    @search
    def returning() -> Any:
        return undecorated()

    async def main() -> None:
        awaiting = returning()
        assert inspect.iscoroutine(awaiting)
        assert await awaiting == SEARCH

    asyncio.run(main())


def test_a_generator_is_attributed_and_its_consumer_is_not() -> None:
    seen: list[dict[str, str]] = []
    for tags in generator():
        seen.append(tags)
        assert current_tags() == OUTSIDE
    assert seen == [SEARCH, SEARCH]


def test_an_async_generator_is_attributed_and_its_consumer_is_not() -> None:
    async def main() -> None:
        seen: list[dict[str, str]] = []
        async for tags in async_generator():
            seen.append(tags)
            assert current_tags() == OUTSIDE
        assert seen == [SEARCH, SEARCH]

    asyncio.run(main())


def test_one_function_serves_tasks_that_overlap() -> None:
    async def consume(number: int) -> None:
        with llmlab.attribute(run=number):
            async for tags in async_generator(5):
                assert tags == SEARCH | {"llmlab.run": str(number)}
                assert current_tags() == OUTSIDE | {"llmlab.run": str(number)}

    async def main() -> None:
        await asyncio.gather(*(consume(number) for number in range(5)))

    asyncio.run(main())


@pytest.mark.parametrize("function", [plain, coroutine, generator, async_generator], ids=lambda made: made.__name__)
def test_a_decorated_function_is_of_the_same_kind(function: Callable[..., Any]) -> None:
    original = inspect.unwrap(function)
    assert original is not function
    for kind in (
        inspect.isfunction,
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    ):
        assert kind(function) == kind(original)
    assert inspect.signature(function) == inspect.signature(original)
    assert (function.__name__, function.__doc__) == (original.__name__, original.__doc__)


@pytest.mark.parametrize("decorator", [staticmethod, classmethod])
def test_what_cannot_be_called_cannot_be_decorated(decorator: Callable[..., Any]) -> None:
    made = decorator(plain)
    if callable(made):
        assert search(made)() == SEARCH
    else:
        with pytest.raises(TypeError, match="decorate the function below"):
            search(made)


def test_a_partial_is_attributed() -> None:
    assert search(functools.partial(plain, 1))() == SEARCH


class TestGeneratorProtocol:
    """What PEP 342 and PEP 525 say of generators holds for decorated ones."""

    def test_values_are_sent_in_and_the_result_comes_out(self) -> None:
        @search
        def echo() -> Generator[str, str, str]:
            first = yield "ready"
            second = yield first + "!"
            return second

        running = echo()
        assert next(running) == "ready"
        assert running.send("one") == "one!"
        with pytest.raises(StopIteration) as stop:
            running.send("two")
        assert stop.value.value == "two"

    def test_exceptions_are_thrown_in(self) -> None:
        @search
        def careful() -> Generator[str, None, None]:
            try:
                yield "ready"
            except KeyError as error:
                yield f"caught {error} in {current_tags()['llmlab.feature']}"

        running = careful()
        next(running)
        assert running.throw(KeyError("x")) == "caught 'x' in search"
        with pytest.raises(ValueError, match="raise"):
            running.throw(ValueError("raise"))

    def test_an_exception_of_the_generator_comes_out(self) -> None:
        running = generator()
        next(running)
        with pytest.raises(ValueError, match="raise"):
            running.send("raise")
        assert list(running) == []

    def test_closing_runs_the_cleanup_inside(self) -> None:
        cleaned: list[dict[str, str]] = []

        @search
        def cleaning() -> Generator[None, None, None]:
            try:
                yield
                yield
            finally:
                cleaned.append(dict(current_tags()))

        with closing(cleaning()) as running:
            next(running)
        assert cleaned == [SEARCH]

    def test_a_generator_that_was_thrown_away_is_cleaned_up(self) -> None:
        cleaned: list[dict[str, str]] = []

        @search
        def cleaning() -> Generator[None, None, None]:
            try:
                yield
            finally:
                cleaned.append(dict(current_tags()))

        next(cleaning())
        assert cleaned == [SEARCH]
        assert current_tags() == OUTSIDE

    def test_it_does_not_begin_before_it_is_asked_to(self) -> None:
        began: list[bool] = []

        @search
        def lazy() -> Generator[None, None, None]:
            began.append(True)
            yield

        lazy()
        assert not began

    def test_the_same_holds_for_async_generators(self) -> None:
        cleaned: list[dict[str, str]] = []

        @search
        async def echo() -> AsyncGenerator[str, str]:
            try:
                sent = yield "ready"
                while True:
                    try:
                        sent = yield sent + "!"
                    except KeyError as error:
                        sent = f"caught {error}"
            finally:
                await asyncio.sleep(0)
                cleaned.append(dict(current_tags()))

        async def main() -> None:
            async with aclosing(echo()) as running:
                assert await anext(running) == "ready"
                assert await running.asend("one") == "one!"
                assert await running.athrow(KeyError("x")) == "caught 'x'!"
            failing = async_generator()
            await anext(failing)
            with pytest.raises(ValueError, match="raise"):
                await failing.asend("raise")
            assert current_tags() == OUTSIDE

        asyncio.run(main())
        assert cleaned == [SEARCH]

    def test_an_abandoned_async_generator_is_cleaned_up_by_the_loop(self, caplog: pytest.LogCaptureFixture) -> None:
        cleaned: list[dict[str, str]] = []

        @search
        async def cleaning() -> AsyncIterator[None]:
            try:
                yield
            finally:
                cleaned.append(dict(current_tags()))

        async def main() -> None:
            await anext(cleaning())
            await asyncio.sleep(0.01)
            assert current_tags() == OUTSIDE

        asyncio.run(main())
        assert cleaned == [SEARCH]
        assert not caplog.records
