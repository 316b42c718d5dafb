"""Our own failures inside somebody else's program: never passed on, each kind logged once, all of them counted."""

import logging
from functools import cache
from types import TracebackType
from typing import Self

from opentelemetry import metrics

FAULTS = "llmlab.instrumentation.faults"
"""The OpenTelemetry counter of our failures, by `step` and `error.type`."""

READ_CHUNK = "read a chunk of a stream"
"""A step that is taken in several places."""

_logger = logging.getLogger("llmlab")
_logged: set[tuple[str, type[BaseException]]] = set()


class Guard:
    """Runs a step of ours so that its failure stays with us.

    Only our own code belongs inside, never the caller's: what escapes from here is swallowed. A guard has no state, so
    one may serve many threads; where calls come often, make it once.
    """

    __slots__ = ("_step",)

    def __init__(self, step: str) -> None:
        """`step` completes the sentence "llmlab could not ...": few distinct values, no numbers."""
        self._step = step

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        note(error, self._step)
        return True


@cache
def counter() -> metrics.Counter:
    """Return the counter. It is made when it is first needed: a program without faults never has it."""
    return metrics.get_meter("llmlab").create_counter(
        FAULTS, unit="{fault}", description="Failures of the instrumentation itself, none of which reached a call"
    )


def note(error: Exception, step: str) -> None:
    """Count a failure, and log the first of its kind with the traceback."""
    counter().add(1, {"step": step, "error.type": type(error).__qualname__})
    if (step, type(error)) not in _logged:
        _logged.add((step, type(error)))
        _logger.error("llmlab could not %s; your call is not affected", step, exc_info=error)
