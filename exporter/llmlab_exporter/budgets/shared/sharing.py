"""The thread that tells other exporters what this one's ledger has of each budget, and learns what they have.

Calls are received, committed and counted whatever becomes of Redis: this thread alone speaks to it, and waits for it.
"""

import logging
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from llmlab_exporter.budgets.registry import Budgets
from llmlab_exporter.budgets.shared.board import Board, BoardError, Look, Post, Taken
from llmlab_exporter.budgets.shared.others import Other, Others, read_other
from llmlab_exporter.budgets.shared.presence import GONE, KEEP_S, REMOVED, RUNNING, STALE_S, STOPPED, Presence
from llmlab_exporter.budgets.shared.records import SharedRecords
from llmlab_exporter.budgets.shared.share import Share, dump, dump_hours
from llmlab_exporter.budgets.tracker import Tracker
from llmlab_exporter.watcher import Watcher

INTERVAL_S = 1.0
CLAIM_S = 3.0
"""How long the process before this one must have been silent, if it did not stop: another one with a copy of the
ledger says something every second."""
HISTORY_S = 60.0
"""How often the hours are published, of which a forecast is made."""
REMEMBER_S = 30.0
MAX_SKEW_S = 5.0
"""Beyond, exporters would enter a period at times that people notice."""

_log = logging.getLogger(__name__)


class StillRuns(Exception):
    """The exporter runs, so that its part cannot be given up."""


class Sharing:
    """Publishes and reads, from `start` to `stop`. Belongs to a thread of its own."""

    def __init__(
        self,
        board: Board,
        own: Presence,
        budgets: Budgets,
        tracker: Tracker,
        others: Others,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board = board
        self._own = own
        self._budgets = budgets
        self._tracker = tracker
        self._others = others
        self._records = SharedRecords(board, budgets)
        self._monotonic = monotonic
        self._published: Post | None = None
        self._history_at = self._remembered_at = -HISTORY_S
        self._said: dict[str, str] = {}
        self._differs_since: float | None = None
        self._taken_since: float | None = None
        self._turn = threading.Lock()
        self._watcher = Watcher("llmlab-sharing", self.share, every_s=INTERVAL_S)
        self.failures = 0
        """How often Redis or the ledger did not answer."""
        self.differing_files: tuple[str, ...] = ()
        """Names of running exporters that have other budgets in their file."""

    @property
    def others(self) -> Others:
        """What is known of other exporters."""
        return self._others

    @property
    def own(self) -> Presence:
        """What this exporter says of itself."""
        return self._own

    def start(self) -> None:
        """Start the thread."""
        self._watcher.start()

    def stop(self) -> None:
        """End, and say that what was published is all. The ledger must not take anything any more, and still run."""
        self._watcher.stop()
        self._own = self._own._replace(state=STOPPED)
        self.share()
        self._board.close()

    def share(self) -> None:
        """Publish and read once. Whatever is wrong is logged, and tried again next time."""
        with self._turn:
            try:
                look = self._board.look()
                self._hear(look)
                self._records.agree(look.records_revision)
                self._publish(look.now)
            except BoardError as error:
                self.failures += 1
                self._say("redis", f"budgets are not shared, Redis does not answer: {error}")
            except sqlite3.Error:
                self.failures += 1
                _log.exception("what this ledger has of the budgets cannot be read, and is not published")
            except OSError as error:
                self._say("file", f"what other exporters said cannot be remembered: {error}")
            except Exception:  # noqa: BLE001 - logged with its traceback: sharing must go on, and so must a shutdown
                self.failures += 1
                _log.exception("budgets could not be shared")
            else:
                self._say("redis", "")
                self._say("file", "")

    def give_up(self, exporter_id: str, *, counts: bool) -> bool:
        """Say that an exporter will not come back; what it published still counts, or shall not.

        False when nobody knows it. Raises `StillRuns`, `BoardError`.
        """
        with self._turn:
            look = self._board.look()
            found = look.presences.get(exporter_id)
            if found is None or found.state == REMOVED:
                return False
            if found.state == RUNNING and look.now - found.seen_at <= STALE_S:
                raise StillRuns(found.name)
            self._board.mark(found._replace(state=GONE if counts else REMOVED))
        self.share()
        return True

    def _hear(self, look: Look) -> None:
        before = self._others.known
        known = {
            exporter_id: self._read(presence, before.get(exporter_id))
            for exporter_id, presence in look.presences.items()
            if exporter_id != self._own.exporter_id and presence.state != REMOVED
        }
        for exporter_id, other in before.items():
            is_lost = exporter_id not in look.presences and look.now - other.presence.seen_at < KEEP_S
            if is_lost:  # by Redis, since what was removed leaves a mark
                self._board.restore(Post(other.presence, other.sums, other.history))
                known[exporter_id] = other
        self._others.hear(known, look.now)
        self._compare_files(look)
        skew_s = self._others.skew_s
        too_far = f"the clock here and that of Redis are {abs(skew_s):.0f} s apart: periods begin at different times"
        self._say("clock", too_far if abs(skew_s) > MAX_SKEW_S else "")
        if self._monotonic() - self._remembered_at >= REMEMBER_S:
            self._remembered_at = self._monotonic()
            self._others.remember()

    def _read(self, presence: Presence, before: Other | None) -> Other:
        if before is None or presence.process != before.presence.process:
            history, sums = self._board.history(presence.exporter_id), self._board.sums(presence.exporter_id)
            return read_other(presence, sums, history, None)
        same_sums = presence.revision == before.presence.revision
        same_history = presence.history_revision == before.presence.history_revision
        if same_sums and same_history:
            return Other(presence, before.sums, before.history, before.shares)
        history = before.history if same_history else self._board.history(presence.exporter_id)
        return read_other(presence, self._board.sums(presence.exporter_id), history, before)

    def _publish(self, now: float) -> None:
        shares = self._tracker.shares()
        post = self._post(shares, now)
        try:
            self._board.publish(post, self._published, CLAIM_S)
        except Taken as other:
            self._lose_name(str(other), now)
            return
        self._others.problem = ""
        self._say("taken", "")
        self._taken_since = None
        self._published, self._own = post, post.presence

    def _lose_name(self, other: str, now: float) -> None:
        """Publish nothing while another process is, or was until a moment ago, what this one is."""
        self._published = None
        self._taken_since = now if self._taken_since is None else self._taken_since
        self._others.problem = f"{other} publishes under the id of this exporter, or did a moment ago"
        if now - self._taken_since > STALE_S:  # it is not the process before this one
            hint = "was the data directory copied? Start with an empty one: a copy counts what was spent twice"
            self._say("taken", f"{other} publishes under the id of this exporter, which publishes nothing: {hint}")

    def _post(self, shares: Mapping[str, Share], now: float) -> Post:
        before = self._published
        sums = {name: dump(share) for name, share in shares.items()}
        history = before.history if before else {}
        if history.keys() != shares.keys() or self._monotonic() - self._history_at >= HISTORY_S:
            self._history_at = self._monotonic()
            history = {name: dump_hours(share) for name, share in shares.items()}
        presence = self._own._replace(
            seen_at=now,
            revision=self._own.revision + (before is None or sums != before.sums),
            history_revision=self._own.history_revision + (before is None or history != before.history),
            budgets_file=self._budgets.file_digest,
        )
        return Post(presence, sums, history)

    def _compare_files(self, look: Look) -> None:
        """Compare the budgets that stand in files. That they differ for a moment is what a change looks like."""
        own = self._budgets.file_digest
        differing = tuple(
            other.presence.name
            for other in self._others.known.values()
            if other.presence.budgets_file != own and self._others.state(other.presence) == RUNNING
        )
        if not differing:
            self._differs_since = None
        elif self._differs_since is None:
            self._differs_since = look.now
        lasts = self._differs_since is not None and look.now - self._differs_since > STALE_S
        self.differing_files = differing if lasts else ()
        text = "the budgets file is not that of the exporters {}: give all of them the same"
        self._say("files", text.format(", ".join(differing)) if lasts else "")

    def _say(self, topic: str, text: str) -> None:
        """Log what is wrong when it begins, and that it is over when it ends."""
        before = self._said.get(topic, "")
        if text and not before:
            _log.error("%s", text)
        elif before and not text:
            _log.info("over: %s", before)
        self._said[topic] = text


def presence_of(exporter_id: str, name: str) -> Presence:
    """Return what a process says of itself that has just started."""
    return Presence(exporter_id, name, secrets.token_hex(8), RUNNING, 0.0)


class Listed(NamedTuple):
    """An exporter and its part of the budgets, for people."""

    presence: Presence
    state: str
    is_self: bool
    shares: Mapping[str, Share]


def listed(sharing: Sharing, shares: Mapping[str, Share]) -> list[Listed]:
    """Return all exporters that share budgets, this one first. `shares` are its own."""
    own = Listed(sharing.own, sharing.own.state, is_self=True, shares=shares)
    others = [
        Listed(other.presence, sharing.others.state(other.presence), is_self=False, shares=other.shares)
        for other in sharing.others.known.values()
    ]
    return [own, *sorted(others, key=lambda each: (each.presence.name, each.presence.exporter_id))]
