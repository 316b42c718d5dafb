"""Sends calls to the exporter from a thread of its own, so that nobody waits for the network."""

import atexit
import logging
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain, repeat
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from typing import Any

from opentelemetry.instrumentation.utils import suppress_instrumentation

from llmlab.tracking.exporter_api import ExporterApi, Refused, Unreachable

CAPACITY = 10_000
"""Events that wait, a few MB of memory. Beyond that they are dropped, and counted."""

_PAUSES_S = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Between attempts while the exporter does not answer; the last one repeats."""

_logger = logging.getLogger("llmlab")


class EventQueue:
    """Events on their way to one exporter. They wait as long as it does not answer, up to a number."""

    def __init__(self, api: ExporterApi, *, capacity: int = CAPACITY) -> None:
        """Start no thread yet: the first event does."""
        self._api = api
        self._capacity = capacity
        self.dropped = 0
        """Events that will never arrive."""
        self._begin()
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._begin)

    def put(self, event: Mapping[str, Any]) -> None:
        """Queue an event, without waiting."""
        try:
            self._queue.put_nowait(event)
        except Full:
            self._drop(f"{self._capacity} calls wait already")
        else:
            self._ensure_thread()

    def flush(self, timeout_s: float) -> bool:
        """Wait until nothing is queued. Return False when the time is over before."""
        deadline = time.monotonic() + timeout_s
        while self._queue.unfinished_tasks:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)
        return True

    def close(self, timeout_s: float = 5.0) -> None:
        """Try every queued event once more, then drop it, and stop."""
        atexit.unregister(self.close)
        self._closing.set()
        if not self.flush(timeout_s):
            self._drop(f"the exporter took longer than {timeout_s} s", self._empty())
        self._queue.put_nowait(None)

    def _begin(self) -> None:
        """Begin with nothing. After a fork the parent sends what was queued, and the child has no thread."""
        self._queue: Queue[Mapping[str, Any] | None] = Queue(self._capacity)
        self._thread: Thread | None = None
        self._lock = Lock()
        self._closing = Event()

    def _empty(self) -> int:
        """Throw away what is queued, and return how many events that were."""
        events = 0
        with suppress(Empty):
            while True:
                self._queue.get_nowait()
                self._queue.task_done()
                events += 1
        return events

    def _ensure_thread(self) -> None:
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="llmlab-events", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        with suppress_instrumentation():
            while (event := self._queue.get()) is not None:
                try:
                    self._send(event)
                except Exception as error:
                    _logger.exception("llmlab could not send a call")
                    self._drop(str(error))
                finally:
                    self._queue.task_done()

    def _send(self, event: Mapping[str, Any]) -> None:
        for pause_s in chain(_PAUSES_S, repeat(_PAUSES_S[-1])):
            try:
                self._api.track(event)
            except Refused as error:
                self._drop(str(error))
                return
            except Unreachable as error:
                if self._closing.is_set():
                    self._drop(str(error))
                    return
                self._closing.wait(pause_s)
            else:
                return

    def _drop(self, reason: str, events: int = 1) -> None:
        with self._lock:
            is_first = self.dropped == 0
            self.dropped += events
        if is_first:
            _logger.warning("llmlab drops calls, and counts them in sdk.dropped_calls(): %s", reason)
