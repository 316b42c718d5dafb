"""What every commit did to the spend, for whoever keeps sums of their own beside the ledger's: budgets.

The thread that writes the ledger gives, another one takes. Nobody waits for the other, and what is not taken in time
is thrown away: then the taker must read the ledger again.
"""

import threading
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from llmlab_exporter.tally import FeatureSum, Series

MAX_WAITING = 200_000
"""Changes that wait to be taken, about 60 MB."""

NO_FEATURES: Mapping[str, FeatureSum] = {}


class SpendChange(NamedTuple):
    """What a commit added to the spend of one series in one quarter of an hour; may be negative."""

    bucket: int
    """Start of the quarter, Unix seconds."""
    series: Series
    requests: int
    unpriced: int
    cost_yocto: int
    features: Mapping[str, FeatureSum] = NO_FEATURES
    """Those of the calls that say a feature."""
    is_new: bool = True
    """False where only the price of calls changed that were counted long ago."""


class Feed:
    """Changes of the spend that were committed and not yet taken. Closed until somebody opens it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[SpendChange] = []
        self._is_open = False
        self._is_lost = False

    @property
    def is_open(self) -> bool:
        """Whether somebody takes."""
        return self._is_open

    def open(self) -> None:
        """Begin to keep changes."""
        with self._lock:
            self._is_open = True
            self._is_lost = False
            self._waiting = []

    def close(self) -> None:
        """Keep no more changes."""
        with self._lock:
            self._is_open = False
            self._waiting = []

    def lose(self) -> None:
        """Say that the spend changed in another way, so that it must be read again."""
        with self._lock:
            self._is_lost = self._is_open
            self._waiting = []

    def give(self, changes: Iterable[SpendChange]) -> None:
        """Keep what a commit changed."""
        with self._lock:
            if self._is_open and not self._is_lost:
                self._waiting += changes
                if len(self._waiting) > MAX_WAITING:
                    self._is_lost = True
                    self._waiting = []

    def take(self) -> list[SpendChange] | None:
        """Return what was committed since the last time; None when some of it was lost."""
        with self._lock:
            taken, self._waiting = self._waiting, []
            return None if self._is_lost else taken
