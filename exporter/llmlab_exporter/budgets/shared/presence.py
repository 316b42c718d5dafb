"""Who publishes what it spent, and whether it still does."""

from typing import Any, NamedTuple

import orjson

RUNNING = "running"
STOPPED = "stopped"
"""Ended in order: what it published is all that it spent."""
GONE = "gone"
"""Somebody said that it will not come back; what it published still counts."""
REMOVED = "removed"
"""Somebody said that what it published shall not count."""
LOST = "lost"
"""Ran, and has not been heard of for a while; never published."""

_STATES = (RUNNING, STOPPED, GONE, REMOVED)

KEEP_S = 70 * 24 * 3600
"""After so long without a word an exporter has nothing in any period, and is forgotten."""

STALE_S = 10.0
"""After so long without a word an exporter that runs is taken for lost: it says something every second."""


class Presence(NamedTuple):
    """What an exporter says of itself, every second."""

    exporter_id: str
    """Of its ledger, so that a ledger that moves stays itself."""
    name: str
    """Of the machine, for people."""
    process: str
    """Made up at each start."""
    state: str
    seen_at: float
    """When it said so, Unix seconds, by the clock of Redis."""
    revision: int = 0
    """Changes whenever its sums do."""
    history_revision: int = 0
    """Changes whenever its hours do."""
    budgets_file: str = ""
    """A digest of the budgets that it has from a file."""

    def is_silent(self, now: float) -> bool:
        """Whether it should have been heard of by now; `now` by the clock of Redis."""
        return self.state == RUNNING and now - self.seen_at > STALE_S


def dump(presence: Presence) -> str:
    """Write a presence."""
    return orjson.dumps(presence._asdict()).decode()


def load(text: str) -> Presence:
    """Read what `dump` wrote. Raises `ValueError` when it is something else."""
    try:
        written: dict[str, Any] = orjson.loads(text)
        found = Presence(
            exporter_id=str(written["exporter_id"]),
            name=str(written["name"]),
            process=str(written["process"]),
            state=str(written["state"]),
            seen_at=float(written["seen_at"]),
            revision=int(written["revision"]),
            history_revision=int(written["history_revision"]),
            budgets_file=str(written["budgets_file"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"no presence of an exporter: {error!r}") from error
    if found.state not in _STATES:
        raise ValueError(f"no state of an exporter: {found.state!r}")
    return found
