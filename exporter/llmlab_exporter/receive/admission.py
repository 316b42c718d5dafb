"""How much is held at once. Memory is bounded by refusing early, never by a queue."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from llmlab_exporter.receive.refusal import Busy, Draining

MAX_HELD_BYTES = 64 * 1024 * 1024
"""Request bytes that are being processed at once. Decoded, a request takes a few times its size."""


class Hold:
    """The bytes that one request occupies."""

    def __init__(self, admission: "Admission") -> None:
        self._admission = admission
        self.size = 0

    def grow(self, size: int) -> None:
        """Occupy more bytes; raises `Busy` when there is no room."""
        self._admission.take(size)
        self.size += size


class Admission:
    """The byte budget. Used on the event loop only."""

    def __init__(self, *, obstacle: Callable[[], Busy | None], max_held_bytes: int = MAX_HELD_BYTES) -> None:
        """`obstacle` says why nothing is admitted at the moment, None when something is."""
        self._obstacle = obstacle
        self._max_held_bytes = max_held_bytes
        self.held_bytes = 0
        self.draining = False

    @contextmanager
    def hold(self, size: int) -> Generator[Hold]:
        """Admit a request of a size that is known so far; raises `Busy` or `Draining`."""
        if self.draining:
            raise Draining("the exporter is shutting down; try again in a second")
        if obstacle := self._obstacle():
            raise obstacle
        hold = Hold(self)
        hold.grow(size)
        try:
            yield hold
        finally:
            self.held_bytes -= hold.size

    def take(self, size: int) -> None:
        """Occupy bytes; a single request is always admitted when nothing else is held."""
        if self.held_bytes and self.held_bytes + size > self._max_held_bytes:
            raise Busy(
                f"{self.held_bytes} bytes are being processed and {size} more exceed the limit of "
                f"{self._max_held_bytes}; try again in a second"
            )
        self.held_bytes += size
