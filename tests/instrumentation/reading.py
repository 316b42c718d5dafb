"""What all ways of making calls share: one text for both kinds of clients, and streams that can be left early."""

import gc
import re
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from inspect import isawaitable
from typing import Any, ParamSpec

import pytest

Way = Callable[[Any], Awaitable[Any]]
"""Makes a call with a client of either kind and returns what the caller sees."""


_Given = ParamSpec("_Given")


class LeftEarlyError(Exception):
    """What an application stumbles over while it reads a stream."""


_leaves_early: ContextVar[bool] = ContextVar("leaves_early", default=False)


def leave_early(call: Callable[_Given, Any], *args: _Given.args, **keywords: _Given.kwargs) -> None:
    """Make a call whose stream the application throws away after the first chunk, for an error of its own."""
    token = _leaves_early.set(True)
    try:
        with pytest.raises(LeftEarlyError):
            call(*args, **keywords)
    finally:
        _leaves_early.reset(token)
    gc.collect()  # the error's traceback knew the stream


async def have(result: Any) -> Any:
    """Return the result of a call of either client."""
    return await result if isawaitable(result) else result


async def read_all(stream: Any) -> list[Any]:
    """Read a stream of either client to its end, unless it shall be left early."""
    if _leaves_early.get():
        await _leave(stream)
    if hasattr(stream, "__aiter__"):
        return [chunk async for chunk in stream]
    return list(stream)


async def _leave(stream: Any) -> None:
    if hasattr(stream, "__aiter__"):
        await anext(aiter(stream))
    else:
        next(iter(stream))
    for close in ("aclose", "close"):
        if hasattr(stream.__class__, close):
            await have(getattr(stream, close)())
            break
    raise LeftEarlyError


def of_model(model: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return the request for another model; the fake provider has models that misbehave."""
    return {**request, "model": model}


_VOLATILE = re.compile(
    r"(?:chat)?cmpl-\w+|\b(?:req|resp|msg|rs|ws|fs|cmp)_[0-9a-f]{24}|(?<=\"created\": )\d+|(?<=\"created\":)\d+"
    r"|(?<=[\"']created_at[\"']: )[\d.]+|(?<=\"created_at\":)[\d.]+"
)


async def read(stream: Any) -> Any:
    """Read a stream; its class is what `isinstance` goes by."""
    return stream.__class__, [seen(chunk) for chunk in await read_all(stream)]


def seen(value: Any) -> Any:
    """Return a model of the SDK as its class, all its fields, and the fields that the server set."""
    return type(value), steady(repr(value)), steady(value.to_json() if hasattr(value, "to_json") else "")


def steady(text: str) -> str:
    """Blank out what differs from call to call."""
    return _VOLATILE.sub("-", re.sub(r"(created|created_at)=[\d.]+", r"\1=-", text))


class either:  # noqa: N801 - reads as a keyword
    """`async with` for a context manager of either client."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        # Our stand-in for a manager has the methods of both kinds.
        self._asynchronous = hasattr(getattr(manager, "__wrapped__", manager), "__aenter__")

    async def __aenter__(self) -> Any:
        return await self._manager.__aenter__() if self._asynchronous else self._manager.__enter__()

    async def __aexit__(self, *error: Any) -> Any:
        return await self._manager.__aexit__(*error) if self._asynchronous else self._manager.__exit__(*error)
