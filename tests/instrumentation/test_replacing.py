"""What stands where an SDK's function was: it looks like that function, and can be switched off for good."""

import asyncio
import inspect
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from types import FunctionType
from typing import Any

import pytest
import wrapt

from llmlab.capture.replacing import Switch, is_replaced, replacement


class Sdk:
    """Something of each kind that can be called."""

    def plain(self, number: int, *, factor: int = 2) -> int:
        """Multiply."""
        return number * factor

    async def coroutine(self, number: int, *, factor: int = 2) -> int:
        return number * factor

    def generator(self, number: int, *, factor: int = 2) -> Iterator[int]:
        yield number * factor

    async def async_generator(self, number: int, *, factor: int = 2) -> AsyncIterator[int]:
        yield number * factor

    @classmethod
    def of_class(cls, number: int, *, factor: int = 2) -> int:
        return number * factor

    @staticmethod
    def of_nobody(number: int, *, factor: int = 2) -> int:
        return number * factor


def loose(number: int, *, factor: int = 2) -> int:
    return number * factor


KINDS = ("plain", "coroutine", "generator", "async_generator", "of_class", "of_nobody")
QUESTIONS = (
    inspect.isfunction,
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
    asyncio.iscoroutinefunction,
    inspect.signature,
    inspect.getdoc,
    inspect.getsource,
)


class Heard:
    """Keeps what came through."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = []

    def __call__(
        self, original: Callable[..., Any], client: Any, args: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        self.calls.append((client, args, keywords))
        return original(*args, **keywords)


def replaced(kind: str, heard: Heard, switch: Switch) -> type[Sdk]:
    """Return a class one of whose functions was replaced."""
    copy = type("Copy", (Sdk,), dict(vars(Sdk)))
    setattr(copy, kind, replacement(vars(Sdk)[kind], heard, switch, is_method=True))
    return copy


async def result_of(made: Any) -> int:
    """Return what a call of any kind gives."""
    if inspect.isawaitable(made):
        return await made
    if hasattr(made, "__anext__"):
        return await anext(made)
    return next(made) if hasattr(made, "__next__") else made


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_comes_through(kind: str) -> None:
    heard = Heard()
    sdk = replaced(kind, heard, Switch())()
    assert asyncio.run(result_of(getattr(sdk, kind)(3, factor=5))) == 15
    ((client, args, keywords),) = heard.calls
    assert (args, keywords) == ((3,), {"factor": 5})
    assert client is {"of_class": type(sdk), "of_nobody": None}.get(kind, sdk)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ask", QUESTIONS)
def test_it_looks_like_what_was_there(kind: str, ask: Callable[[Any], Any]) -> None:
    sdk = replaced(kind, Heard(), Switch())
    assert ask(getattr(sdk, kind)) == ask(getattr(Sdk, kind))
    assert ask(getattr(sdk(), kind)) == ask(getattr(Sdk(), kind))


@pytest.mark.parametrize("kind", KINDS)
def test_switched_off_it_passes_calls_on(kind: str) -> None:
    heard, switch = Heard(), Switch()
    sdk = replaced(kind, heard, switch)()
    switch.is_on = False
    assert asyncio.run(result_of(getattr(sdk, kind)(3))) == 6
    assert heard.calls == []


def test_a_plain_function_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    ours = replacement(loose, heard, Switch(), is_method=False)
    assert type(ours) is FunctionType
    assert ours(2, factor=4) == 8
    assert heard.calls == [(None, (2,), {"factor": 4})]
    monkeypatch.setitem(globals(), "loose", ours)
    assert pickle.loads(pickle.dumps(ours)) is ours  # noqa: S301 - our own bytes


def test_an_argument_may_be_called_self() -> None:
    def method(_: Any, **keywords: Any) -> dict[str, Any]:
        return keywords

    ours = replacement(method, Heard(), Switch(), is_method=True)
    assert ours(object(), self=1, original=2) == {"self": 1, "original": 2}


def test_a_replacement_is_recognised_and_so_is_that_of_another_library() -> None:
    ours = replacement(loose, Heard(), Switch(), is_method=False)
    theirs = wrapt.FunctionWrapper(loose, Heard())
    assert [is_replaced(each) for each in (loose, ours, theirs)] == [False, True, True]


def test_what_another_library_put_there_is_replaced_too() -> None:
    theirs, ours = Heard(), Heard()
    both = replacement(wrapt.FunctionWrapper(loose, theirs), ours, Switch(), is_method=False)
    assert both(2) == 4
    assert len(theirs.calls) == len(ours.calls) == 1
