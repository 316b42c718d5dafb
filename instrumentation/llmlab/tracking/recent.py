"""Responses that were recorded lately: whoever returns one again, from a cache, made no call."""

from collections import OrderedDict
from threading import Lock

MAX_IDS = 4096


class RecentResponses:
    """The ids of the last responses, a bounded number of them."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def add(self, response_id: str) -> None:
        """Remember an id."""
        with self._lock:
            self._ids[response_id] = None
            if len(self._ids) > MAX_IDS:
                self._ids.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._ids.clear()

    def __contains__(self, response_id: object) -> bool:
        with self._lock:
            return response_id in self._ids


RECENT = RecentResponses()
"""Those of this process."""
