"""A thread that does something again and again until it is told to stop."""

import logging
import threading
from collections.abc import Callable

POLL_S = 2.0
"""Between looks at what may change at any time, such as files."""

_log = logging.getLogger(__name__)


class Watcher:
    """A thread that looks at things again and again, for the first time at once."""

    def __init__(self, name: str, *looks: Callable[[], object], every_s: float = POLL_S) -> None:
        self._looks = looks
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=name, daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End watching."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            for look in self._looks:
                try:
                    look()
                except Exception:  # noqa: BLE001 - logged with its traceback: watching must go on
                    _log.exception("%s failed; trying again in %s s", self._thread.name, self._every_s)
            self._stopping.wait(self._every_s)
