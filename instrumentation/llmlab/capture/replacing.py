"""The function that takes the place of one of an SDK's.

It is a plain function where the SDK's is one, and a coroutine function where the SDK's is one: that costs a call least,
and whoever looks at it (`inspect`, `pickle`, a type) finds what was there before. Everything else that can be called
(what another library has put there, a generator function, a class method, compiled code) gets a wrapper of wrapt's.
"""

from collections.abc import Callable
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import wrapt

if TYPE_CHECKING:
    from llmlab.capture.wrapping import Wrapper

_MARK = "__llmlab__"


class Switch:
    """Whether replacements do anything. Off, they pass calls on: somebody may hold one who no longer should."""

    __slots__ = ("is_on",)

    def __init__(self) -> None:
        self.is_on = True


def replacement(original: Any, around: "Wrapper", switch: Switch, *, is_method: bool) -> Any:
    """Return what to put in the place of `original`: it calls `around`, which calls the original."""
    if type(original) is not FunctionType or isgeneratorfunction(original) or isasyncgenfunction(original):
        return wrapt.FunctionWrapper(original, around, enabled=lambda: switch.is_on)
    made = _method(original, around, switch) if is_method else _function(original, around, switch)
    ours = wraps(original)(_coroutine_function(made) if iscoroutinefunction(original) else made)
    setattr(ours, _MARK, True)
    return ours


def is_replaced(function: Any) -> bool:
    """Say whether an instrumentation, ours or another, has taken the place of a function."""
    return isinstance(function, wrapt.FunctionWrapper) or hasattr(function, _MARK)


def _method(original: FunctionType, around: "Wrapper", switch: Switch) -> Callable[..., Any]:
    def method(self: Any, /, *args: Any, **keywords: Any) -> Any:
        if switch.is_on:
            return around(MethodType(original, self), self, args, keywords)
        return original(self, *args, **keywords)

    return method


def _function(original: FunctionType, around: "Wrapper", switch: Switch) -> Callable[..., Any]:
    def function(*args: Any, **keywords: Any) -> Any:
        if switch.is_on:
            return around(original, None, args, keywords)
        return original(*args, **keywords)

    return function


def _coroutine_function(function: Callable[..., Any]) -> Callable[..., Any]:
    async def coroutine_function(*args: Any, **keywords: Any) -> Any:
        return await function(*args, **keywords)

    return coroutine_function
