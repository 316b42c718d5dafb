"""Work in finalisers, which the garbage collector may run in the middle of anything."""

import gc
import sys
from _thread import start_new_thread
from collections.abc import Callable
from typing import Literal

from llmlab.capture.faults import Guard

_in_a_thread = Guard("leave a call that was thrown away to a thread")


class _Collector:
    """Knows whether the garbage collector is at work."""

    def __init__(self) -> None:
        self.is_at_work = False

    def __call__(self, phase: Literal["start", "stop"], _info: dict[str, int]) -> None:
        self.is_at_work = phase == "start"


_collector = _Collector()


def watch_collector() -> None:
    """Begin to tell finalisers that the collector runs from those that run when a last reference goes."""
    if _collector not in gc.callbacks:
        gc.callbacks.append(_collector)


def settle_safely(settle: Callable[[], None]) -> None:
    """End a span from a finaliser.

    The collector may have stopped this very thread while it holds a lock of the span processor or of a metric reader.
    Ending a span here would wait for that lock forever, so it is left to another thread. Without the collector the
    finaliser runs where the last reference went, in the caller's own code.
    """
    if sys.is_finalizing():
        return
    if _collector.is_at_work:
        with _in_a_thread:
            start_new_thread(settle, ())
    else:
        settle()
