"""Threads and executors that keep the attribution by themselves.

`opentelemetry-instrumentation-threading` does so for all of OpenTelemetry's context; where it is active, this changes
nothing. Of the context only our own part is carried, so nobody's traces look different.
"""

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import wrapt
from opentelemetry import baggage

from llmlab.capture.faults import Guard
from llmlab.capture.patching import Patch, undo
from llmlab.carrying import carry
from llmlab.surroundings import enter, here, leave
from llmlab.tags import NO_TAGS

NAME = "threads"
"""As in `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=llmlab-threads`."""


class ThreadInstallation:
    """Makes every thread and every `ThreadPoolExecutor` of the process keep the attribution, until it is removed."""

    def __init__(self, *, leaves_wrapped: bool = False) -> None:
        """`leaves_wrapped` leaves functions alone that somebody has wrapped already, perhaps for the same reason."""
        self._leaves_wrapped = leaves_wrapped
        self._active = True
        self._patches: list[Patch] = []
        self._replace(threading.Thread, "start", _start)
        # Importing it here would slow down the start of applications that never use it.
        wrapt.register_post_import_hook(self._replace_submit, "concurrent.futures.thread")

    def remove(self) -> None:
        """Put the originals back."""
        self._active = False
        while self._patches:
            undo(self._patches.pop())

    def _replace_submit(self, module: ModuleType) -> None:
        with Guard("keep the attribution in executors"):
            if self._active:
                self._replace(module.ThreadPoolExecutor, "submit", _submit)

    def _replace(self, owner: type, attribute: str, around: Callable[..., Any]) -> None:
        original = vars(owner)[attribute]
        if self._leaves_wrapped and isinstance(original, wrapt.FunctionWrapper):
            return
        replacement: Any = wrapt.FunctionWrapper(original, around, enabled=self._is_needed)
        setattr(owner, attribute, replacement)
        self._patches.append(Patch(owner, attribute, original, replacement, inherited=False))

    def _is_needed(self) -> bool:
        surroundings = here()
        return self._active and bool(surroundings.tags or surroundings.block or baggage.get_all())


def _start(
    original: Callable[..., Any], thread: threading.Thread, args: tuple[Any, ...], keywords: dict[str, Any]
) -> Any:
    carried = carry(thread.run)

    def run() -> None:
        del thread.run  # else the thread and this function keep each other alive
        carried()

    thread.run = run
    return original(*args, **keywords)


def _submit(original: Callable[..., Any], _executor: object, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    if args:
        args = (carry(args[0]), *args[1:])
    outside = object()
    # The worker thread that this may start serves others later, so it must not inherit anything.
    enter(outside, NO_TAGS, None, baggage.clear())
    try:
        return original(*args, **keywords)
    finally:
        leave(outside)
