"""Taking the attribution along to where OpenTelemetry's context does not go by itself."""

from collections.abc import Callable
from functools import update_wrapper
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar

from llmlab.attribution import current_tags
from llmlab.blocks import Block, call_within
from llmlab.surroundings import Surroundings, enter, here, leave

P = ParamSpec("P")
R = TypeVar("R")


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function whose calls are attributed as they would be here, wherever it runs.

    For executors that nobody instruments, and for other processes: the result can be pickled if the function can.

        executor.submit(llmlab.carry(summarise), text)
    """
    return _Carried(function, Surroundings(current_tags(), here().block))


class _Carried(Generic[P, R]):
    """A function and what surrounded it."""

    def __init__(self, function: Callable[P, R], surroundings: Surroundings) -> None:
        self._function = function
        self._surroundings = surroundings
        update_wrapper(self, function, updated=())

    def __call__(self, *args: P.args, **keywords: P.kwargs) -> R:
        return call_within(_Inside(self._surroundings), self._function, args, keywords)

    def __reduce__(self) -> tuple[Any, ...]:
        # A block of `track_cost` means nothing to another process.
        return _Carried, (self._function, Surroundings(self._surroundings.tags))


class _Inside(Block):
    """A block in which the surroundings of another place hold."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def __enter__(self) -> None:
        enter(self, self._surroundings.tags, self._surroundings.block)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        leave(self)
