"""What other exporters published of their ledgers, as far as it is known here, and what is in doubt about it.

One thread tells of them (`sharing.py`), any thread may ask, and nobody waits for the network. What was known once stays
known: while Redis is away, after it has lost its memory, and over a restart, by a file.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import orjson

from llmlab.budgets import Window
from llmlab_exporter.budgets.shared import presence as presences
from llmlab_exporter.budgets.shared.presence import LOST, RUNNING, STALE_S, Presence
from llmlab_exporter.budgets.shared.share import Share, load, load_hours

_log = logging.getLogger(__name__)


class Heard(NamedTuple):
    """What is known of a budget from other exporters."""

    shares: Sequence[Share]
    doubts: Sequence[str]
    """Why they may have spent more than that."""
    age_s: float
    """How old the oldest part is of those that may still grow; 0 without any."""


@dataclass(frozen=True, slots=True)
class Other:
    """What one other exporter published: texts by the `identity` of a budget."""

    presence: Presence
    sums: Mapping[str, str]
    history: Mapping[str, str]
    shares: Mapping[str, Share]
    """What the texts say; those that nobody can read are missing."""


def read_other(presence: Presence, sums: Mapping[str, str], history: Mapping[str, str], before: Other | None) -> Other:
    """Read what an exporter published. Hours that are the same texts as `before` are not read again."""
    shares: dict[str, Share] = {}
    for name, text in sums.items():
        try:
            shares[name] = load(text, _hours(name, history, before))
        except ValueError as error:
            _log.error("what the exporter %s says of the budget %s cannot be read: %s", presence.name, name, error)
    return Other(presence, sums, history, shares)


class Others:
    """All other exporters that were ever heard of, but for those that were removed. Thread-safe."""

    def __init__(self, remembered: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        """`remembered` is the file that keeps what is known. `clock` counts seconds; Redis has one of its own."""
        self._file = remembered
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Mapping[str, Other] = {} if remembered is None else _remembered(remembered)
        self._ahead_s = 0.0
        self._heard_at: float | None = None
        self._started_at = clock()
        self.problem = ""
        """Why nothing is published under this exporter's name, "" when it is."""

    @property
    def known(self) -> Mapping[str, Other]:
        """The others by their ids."""
        return self._known

    @property
    def skew_s(self) -> float:
        """How far the clock of Redis is ahead of this machine's."""
        return self._ahead_s

    @property
    def now(self) -> float:
        """The time by the clock of Redis, as far as it is known."""
        return self._clock() + self._ahead_s

    @property
    def is_connected(self) -> bool:
        """Whether Redis has answered lately."""
        return self._heard_at is not None and self._clock() - self._heard_at <= STALE_S

    def hear(self, known: Mapping[str, Other], redis_now: float) -> None:
        """Learn what is known now, complete."""
        with self._lock:
            self._known = dict(known)
            self._heard_at = self._clock()
            self._ahead_s = redis_now - self._heard_at

    def remember(self) -> None:
        """Write what is known to the file. Raises OSError."""
        if self._file is None:
            return
        written = [
            {"presence": presences.dump(other.presence), "sums": other.sums, "history": other.history}
            for other in self._known.values()
        ]
        partial = self._file.with_name(f"{self._file.name}.partial")
        partial.write_bytes(orjson.dumps(written))
        partial.replace(self._file)

    def state(self, presence: Presence) -> str:
        """Return the state of an exporter as it is from here: one that should have been heard of is lost."""
        return LOST if presence.is_silent(self.now) else presence.state

    def of(self, identity: str, window: Window) -> Heard:
        """Return what is known of a budget in a period."""
        with self._lock:
            known = list(self._known.values())
            away = None if self.is_connected else self._heard_at or self._started_at
        shares = [share for other in known if (share := other.shares.get(identity)) is not None]
        doubts = [doubt for other in known if (doubt := self._doubt(other, identity, window, away is None))]
        if away is not None:
            doubts.insert(0, f"Redis has not answered since {_moment(away)}: what others spent since then is missing")
        if self.problem:
            doubts.insert(0, self.problem)
        return Heard(shares, doubts, self.oldest_s())

    def oldest_s(self) -> float:
        """Return how old the oldest part is of those that may still grow; 0 without any."""
        ages = (self.now - other.presence.seen_at for other in self._known.values() if other.presence.state == RUNNING)
        return max(0.0, max(ages, default=0.0))

    def _doubt(self, other: Other, identity: str, window: Window, connected: bool) -> str:
        """Say why an exporter may have spent more of a budget than is known; "" when it has not."""
        presence, share = other.presence, other.shares.get(identity)
        if presence.is_silent(self.now):
            if not connected:
                return ""  # what is said of Redis says it
            return f"the exporter {presence.name} has not been heard of since {_moment(presence.seen_at)}"
        if presence.state == RUNNING:
            if share is None:
                return f"the exporter {presence.name} says nothing of this budget"
            if share.window != window:
                return f"the exporter {presence.name} speaks of another period"
        elif share is None and presence.seen_at >= window.start_s:
            return f"the exporter {presence.name} ended before it said anything of this budget"
        return ""


def _hours(name: str, history: Mapping[str, str], before: Other | None) -> Mapping[int, float]:
    text = history.get(name)
    if text is None:
        return {}
    if before and before.history.get(name) == text and name in before.shares:
        return before.shares[name].hours
    return load_hours(text)


def _remembered(file: Path) -> dict[str, Other]:
    """Read the file. One that is damaged is no reason not to start: the exporters will be heard of again."""
    try:
        return {other.presence.exporter_id: other for other in _read(file.read_bytes())}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        _log.exception("%s cannot be read; other exporters are unknown until they are heard of", file)
        return {}


def _read(written: bytes) -> Iterator[Other]:
    for each in orjson.loads(written):
        yield read_other(presences.load(each["presence"]), each["sums"], each["history"], None)


def _moment(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%H:%M:%S} UTC"
