"""Follows what the ledger commits, and keeps the sums of every budget.

A commit hands its changes over (`ledger/feed.py`) and goes on; nothing is computed then. When somebody asks, or after
two seconds, the changes are added to the budgets that they concern. What was spent before a budget was watched is read
from the ledger as of a moment between two commits, so that no call is missing and none counts twice.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from llmlab.budgets import Window
from llmlab_exporter.budgets.forecast import HOUR_S
from llmlab_exporter.budgets.registry import Budgets, Placed
from llmlab_exporter.budgets.shared.others import Others
from llmlab_exporter.budgets.shared.share import Share, identity
from llmlab_exporter.budgets.spending import Part, Snapshot
from llmlab_exporter.budgets.status import Status, status_of
from llmlab_exporter.budgets.watch import HISTORY_S, RECENT_S, Watch, is_same_calls, labels, window_of
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.ledger.features import OTHER
from llmlab_exporter.ledger.feed import NO_FEATURES, Feed, SpendChange
from llmlab_exporter.ledger.writer import Writer
from llmlab_exporter.tally import BUCKET_S, FeatureSum, Series, add_features

_FOREVER_S = 2**40
_NONE = FeatureSum(0, 0, 0)

_log = logging.getLogger(__name__)

Group = tuple[tuple[Watch, bool], ...]
"""Watches that a series concerns, and whether all of its calls count, or only some may."""


class Tracker:
    """What is spent of each budget. Any thread may ask, as long as the writer runs."""

    def __init__(
        self,
        budgets: Budgets,
        ledger: Path,
        feed: Feed,
        writer: Writer,
        now: Callable[[], float] = time.time,
        others: Others | None = None,
    ) -> None:
        """`feed` is that of the ledger file, which `writer` writes. `others` are exporters that share the budgets."""
        self._budgets = budgets
        self._ledger = ledger
        self._feed = feed
        self._writer = writer
        self._now = now
        self._others = others
        self._lock = threading.Lock()
        self._known: Sequence[Placed] = ()
        self._watches: dict[str, Watch] = {}
        self._groups: dict[Group, int] = {}
        self._by_number: list[Group] = []
        self._group_of: dict[Series, int] = {}
        self.failures = 0
        """How often the ledger could not be read."""

    def statuses(self) -> list[Status]:
        """Return what is to be said of every budget, as of the last commit.

        Nothing, and the log says why, when the ledger cannot be read.
        """
        with self._lock:
            now = self._now()
            try:
                self._catch_up(now)
            except sqlite3.Error:
                self.failures += 1
                _log.exception("the ledger could not be read for the budgets")
                return []
            return [self._status(placed, now) for placed in self._known]

    def shares(self) -> dict[str, Share]:
        """Return what this ledger has of every budget, by what it counts, as of the last commit.

        Raises `sqlite3.Error`.
        """
        with self._lock:
            self._catch_up(self._now())
            return {identity(watch.budget): watch.share() for watch in self._watches.values()}

    def look(self) -> None:
        """Take in what was committed, so that it does not pile up. Raises `sqlite3.Error`."""
        with self._lock:
            self._catch_up(self._now())

    def _status(self, placed: Placed, now: float) -> Status:
        watch = self._watches[placed.budget.name]
        heard = self._others.of(identity(placed.budget), watch.window) if self._others else None
        return status_of(watch, placed.source, now, heard)

    def _catch_up(self, now: float) -> None:
        self._renew(now)
        if not self._watches:
            self._feed.close()
            return
        changes = self._feed.take() if self._feed.is_open else None
        if changes is None:
            self._unload()
        self._add(changes or ())
        if any(not watch.is_loaded or watch.has_ended(now) for watch in self._watches.values()):
            try:
                self._load(now)
            except BaseException:
                self._unload()
                raise
        for watch in self._watches.values():
            watch.forget_old(now)

    def _renew(self, now: float) -> None:
        """Watch what the budgets are now; those that count the same calls as before keep their sums."""
        current = self._budgets.current
        if current is self._known:
            return
        watches: dict[str, Watch] = {}
        for budget, _ in current:
            watch = self._watches.get(budget.name)
            if watch is None or not is_same_calls(watch.budget, budget):
                watch = Watch(budget, window_of(budget, now))
            watch.budget = budget
            watches[budget.name] = watch
        self._known, self._watches = current, watches
        self._groups, self._by_number, self._group_of = {}, [], {}

    def _unload(self) -> None:
        for watch in self._watches.values():
            watch.is_loaded = False

    def _add(self, changes: Iterable[SpendChange]) -> None:
        """Add changes to the watches that they concern: first up by group, since many series concern the same."""
        sums: dict[tuple[int, int, bool], tuple[FeatureSum, Mapping[str, FeatureSum]]] = {}
        for bucket, series, requests, unpriced, cost_yocto, features, is_new in changes:
            place = (self._group(series), bucket, is_new)
            calls, parts = sums.get(place, (_NONE, NO_FEATURES))
            calls = FeatureSum(calls.requests + requests, calls.unpriced + unpriced, calls.cost_yocto + cost_yocto)
            sums[place] = calls, add_features(dict(parts), features) if features else parts
        for (group, bucket, is_new), (calls, features) in sums.items():
            part = Part(group, bucket, *calls, features)
            for watch, is_certain in self._by_number[group]:
                if watch.is_loaded:
                    watch.add(part, is_certain=is_certain, is_new=is_new)

    def _group(self, series: Series) -> int:
        number = self._group_of.get(series)
        if number is None:
            call = labels(series)
            judged = ((watch, watch.concerns(call)) for watch in self._watches.values())
            group = tuple((watch, bool(sure)) for watch, sure in judged if sure is not False)
            number = self._groups.setdefault(group, len(self._by_number))
            if number == len(self._by_number):
                self._by_number.append(group)
            self._group_of[series] = number
        return number

    def _load(self, now: float) -> None:
        """Read from the ledger what was spent before: for watches that are new, and those whose period has ended."""
        snapshot, changes = self._writer.run(self._begin)
        with closing(snapshot):
            if changes is None:
                self._unload()
            self._add(changes or ())
            unloaded = {name for name, watch in self._watches.items() if not watch.is_loaded}
            ended = {name for name, watch in self._watches.items() if watch.has_ended(now)}
            for name in unloaded:
                self._watches[name].reset()
            snapshot.assign(self._group, self._is_told_apart)
            self._load_sums(snapshot, unloaded | ended, now)
            if unloaded:
                self._load_history(snapshot, unloaded, now)

    def _begin(self, book: Book) -> tuple[Snapshot, list[SpendChange] | None]:
        """Run by the writer, between two commits: fix the moment up to which the ledger is read."""
        for watch in self._watches.values():
            if (feature := watch.budget.scope.feature) and "*" not in feature:
                book.totals.features.tell_apart(feature)
        changes = self._feed.take() if self._feed.is_open else None
        snapshot = Snapshot(self._ledger)
        if changes is None:
            self._feed.open()
        return snapshot, changes

    def _is_told_apart(self, feature: str) -> bool:
        limited = [watch for watch in self._watches.values() if watch.budget.scope.feature]
        return any(feature == OTHER or watch.tells(feature) for watch in limited)

    def _load_sums(self, snapshot: Snapshot, names: set[str], now: float) -> None:
        by_window: dict[Window, set[Watch]] = {}
        for name in names:
            watch = self._watches[name]
            watch.start(window_of(watch.budget, now), snapshot.limits)
            known = Window(max(watch.window.start_s, watch.since_s), watch.window.end_s)
            by_window.setdefault(known, set()).add(watch)
        for window, wanted in by_window.items():
            for part in snapshot.sums(window):
                for watch, is_certain in self._by_number[part.group]:
                    if watch in wanted:
                        watch.add_sum(part, is_certain=is_certain)

    def _load_history(self, snapshot: Snapshot, names: set[str], now: float) -> None:
        """Read the last weeks hour by hour, and the last two hours by quarters."""
        wanted = {self._watches[name] for name in names}
        recent_s = int((now - RECENT_S) // HOUR_S) * HOUR_S
        oldest_s = int((now - HISTORY_S) // HOUR_S) * HOUR_S
        for window, step_s in ((Window(oldest_s, recent_s), HOUR_S), (Window(recent_s, _FOREVER_S), BUCKET_S)):
            for part in snapshot.sums(window, step_s):
                for watch, is_certain in self._by_number[part.group]:
                    if is_certain and watch in wanted:
                        watch.add_history(part)
        for watch in wanted:
            watch.is_loaded = True
