"""Running a function inside a block, whatever kind of function it is.

A generator runs in pieces, in whatever context its consumer has then, so the block is entered for each piece and left
before the consumer goes on.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import partial, wraps
from inspect import isasyncgenfunction, iscoroutine, iscoroutinefunction, isgeneratorfunction
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


class Block:
    """What surrounds code. It may be entered and left many times before it ends."""

    def __enter__(self) -> object:
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        raise NotImplementedError

    def returned(self, value: object) -> None:
        """Take note of what the function returned."""

    def ended(self, error: BaseException | None = None) -> None:
        """Take note that the function is over."""


Begin = Callable[[], Block]


def surround(function: Callable[P, R], begin: Begin) -> Callable[P, R]:
    """Return a function of the same kind that runs in a block of its own each time it is called."""
    if not callable(function):
        raise TypeError(f"{function!r} is no function: decorate the function below @staticmethod or @classmethod")
    wrapped = wraps(function)(_surrounding(function)(function, begin))
    return cast("Callable[P, R]", wrapped)


def call_within(block: Block, function: Callable[..., R], args: tuple[Any, ...], keywords: dict[str, Any]) -> R:
    """Call a plain function inside a block; when it returns a coroutine, that runs inside too."""
    try:
        with block:
            result = function(*args, **keywords)
    except BaseException as error:
        block.ended(error)
        raise
    if iscoroutine(result):
        return cast("R", _await_within(block, result))
    block.returned(result)
    block.ended()
    return result


def _surrounding(function: Callable[..., Any]) -> Callable[[Callable[..., Any], Begin], Callable[..., Any]]:
    if isasyncgenfunction(function):
        return within_async_generator
    if isgeneratorfunction(function):
        return within_generator
    return _coroutine if iscoroutinefunction(function) else _plain


def _plain(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    def call(*args: Any, **keywords: Any) -> Any:
        return call_within(begin(), function, args, keywords)

    return call


def _coroutine(function: Callable[..., Coroutine[Any, Any, Any]], begin: Begin) -> Callable[..., Any]:
    async def call(*args: Any, **keywords: Any) -> Any:
        coroutine = function(*args, **keywords)
        return await _await_within(begin(), coroutine)

    return call


async def _await_within(block: Block, coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        with block:
            result = await coroutine
    except BaseException as error:
        block.ended(error)
        raise
    block.returned(result)
    block.ended()
    return result


def within_generator(function: Callable[..., Generator[Any, Any, Any]], begin: Begin) -> Callable[..., Any]:
    """Return a generator function whose pieces run inside a block."""

    def call(*args: Any, **keywords: Any) -> Generator[Any, Any, Any]:
        generator = function(*args, **keywords)
        block = begin()
        try:
            result = yield from _in_pieces(generator, block)
        except GeneratorExit:
            block.ended()
            raise
        except BaseException as error:
            block.ended(error)
            raise
        block.ended()
        return result

    return call


def _in_pieces(generator: Generator[Any, Any, Any], block: Block) -> Generator[Any, Any, Any]:
    """Do what `yield from` does (PEP 380), with the block around each piece."""
    resume = partial(next, generator)
    while True:
        try:
            with block:
                value = resume()
        except StopIteration as stop:
            return stop.value
        try:
            sent = yield value
        except GeneratorExit:
            with block:
                generator.close()
            raise
        except BaseException as error:  # noqa: BLE001 - the generator gets it
            resume = partial(generator.throw, error)
        else:
            resume = partial(generator.send, sent)


def within_async_generator(function: Callable[..., AsyncGenerator[Any, Any]], begin: Begin) -> Callable[..., Any]:
    """Return an asynchronous generator function whose pieces run inside a block."""

    async def call(*args: Any, **keywords: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **keywords)
        block = begin()
        resume = partial(generator.asend, None)
        try:
            while True:
                try:
                    with block:
                        value = await resume()
                except StopAsyncIteration:
                    break
                try:
                    sent = yield value
                except GeneratorExit:
                    with block:
                        await generator.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - the generator gets it
                    resume = partial(generator.athrow, error)
                else:
                    resume = partial(generator.asend, sent)
        except GeneratorExit:
            block.ended()
            raise
        except BaseException as error:
            block.ended(error)
            raise
        block.ended()

    return call
