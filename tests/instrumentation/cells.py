"""The cells of the table in `docs/instrumentation.md`: one call of one SDK, made in one way.

A function that makes a call says which one (`makes`). From that come the parameters of the tests that prove the cells,
each with its mark:

* `every_way`: the usage on the span is what the provider billed (`sync`, `async`, `sync stream`, `async stream`).
* `every_stream`: of a stream that was left early there is one partial span, with what was reported until then
  (`abandoned`).
* `every_failure`: the span of a call that was refused has the error and no usage (`error`).
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, NamedTuple, TypeVar

import pytest
from packaging.version import Version

WAYS = ("sync", "async", "sync stream", "async stream", "abandoned", "error")

_Way = TypeVar("_Way", bound=Hashable)


class Made(NamedTuple):
    """What a way makes."""

    call: str
    """As the application writes it, without the client: `chat.completions.create`."""
    is_stream: bool
    can_leave: bool
    """The application reads the stream's chunks itself."""
    since: str
    """The lowest version of the SDK that it is tested with; "" when that is the lowest one that is supported."""


_made: dict[Any, Made] = {}


def makes(call: str, *, stream: bool = False, can_leave: bool = True, since: str = "") -> Callable[[_Way], _Way]:
    """Decorate a way with the call that it makes."""

    def note(way: _Way) -> _Way:
        _made[way] = Made(call, stream, stream and can_leave, since)
        return way

    return note


def available(sdk: str, ways: Sequence[_Way]) -> tuple[_Way, ...]:
    """Return the ways that the installed version of an SDK has."""
    installed = Version(version(sdk))
    return tuple(way for way in ways if installed >= Version(_made[way].since or "0"))


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells that the ways of one SDK fill."""

    sdk: str
    ways: Sequence[Any]
    sides: tuple[Any, ...] = (False, True)
    """What makes a call synchronous, and what makes it asynchronous: the test's parameter."""
    side: str = "asynchronous"
    """The name of that parameter."""
    at: str = ""
    """Another provider than usual that serves the calls."""

    def cases(self, *, streams_alone: bool = False, ends_as: str | None = None) -> list[Any]:
        """Return each way on each side, with its mark."""
        return [
            pytest.param(
                way,
                side,
                marks=pytest.mark.cell(self.sdk, self._call(way), ends_as or _way(_made[way], is_async=index == 1)),
                id="-".join((getattr(way, "__name__", way), ("sync", "async")[index], *([self.at] if self.at else []))),
            )
            for way in self.ways
            if _made[way].can_leave or not streams_alone
            for index, side in enumerate(self.sides)
        ]

    def _call(self, way: Any) -> str:
        return f"{_made[way].call} ({self.at})" if self.at else _made[way].call


def _way(made: Made, *, is_async: bool) -> str:
    return f"{'async' if is_async else 'sync'}{' stream' if made.is_stream else ''}"


def every_way(*cells: Cells) -> pytest.MarkDecorator:
    """Parametrise a test with all ways."""
    return _parametrised(cells, [case for each in cells for case in each.cases()])


def every_stream(*cells: Cells) -> pytest.MarkDecorator:
    """Parametrise a test with the ways whose stream can be left early."""
    return _parametrised(
        cells, [case for each in cells for case in each.cases(streams_alone=True, ends_as="abandoned")]
    )


def every_failure(*cells: Cells) -> pytest.MarkDecorator:
    """Parametrise a test with all ways."""
    return _parametrised(cells, [case for each in cells for case in each.cases(ends_as="error")])


def _parametrised(cells: Sequence[Cells], cases: list[Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("way", cells[0].side), cases)
