"""The calls of the last minutes: spans that tell of the same call come late, and in other requests.

A call that comes is compared with its relatives here: calls of its trace, with its response id, or alike at the same
time in its service. The rules of `dedupe` are applied to all of them anew, as if they had come together, and whatever
then is another result than was committed becomes a correction. So it does not matter in which order spans come.

A window belongs to the thread that writes the ledger. Most calls have no relatives, and cost little here.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from llmlab.pricing import CostSource
from llmlab.pricing.pricer import Pricer
from llmlab_exporter.assess import Line, assess
from llmlab_exporter.batch import Batch, Correction, correction, entry
from llmlab_exporter.call import Call
from llmlab_exporter.kin import Identity, Kept, Kin
from llmlab_exporter.ledger.book import Entry
from llmlab_exporter.ledger.recent import DEFAULT_LIMITS, Limits
from llmlab_exporter.recall import MOVED, Recalled, packed, recalled

MAX_RELATIVES = 2_000
"""So many calls are compared with those of some requests at most, beside those that are surely the same, so that one
endless trace cannot hold up everybody."""


class Joined(NamedTuple):
    """What requests amount to, next to what was committed before."""

    entries: list[Entry]
    """One for each request, and the corrections behind them."""
    kept: list[Kept]
    """The calls of the requests."""
    changes: list[tuple[Kept, Line]]
    """New lines, of calls that were committed before and of such that come now."""
    compared: list[Kept]
    """Everything that was compared."""
    groups: list[list[Kept]]
    """Those of the compared that are one call."""


class Window:
    """Remembers calls within limits."""

    def __init__(self, pricer: Pricer, limits: Limits = DEFAULT_LIMITS, now: Callable[[], float] = time.time) -> None:
        self._pricer = pricer
        self._limits = limits
        self._now = now
        self._kin = Kin()
        self._order: deque[Kept] = deque()
        self.forgotten_early = 0
        """Calls that were forgotten for want of room before their time."""
        self.cut_short = 0
        """Comparisons in which there were too many relatives to look at them all."""

    def __len__(self) -> int:
        return len(self._order)

    def recall(self, payloads: Iterable[bytes]) -> None:
        """Take in what the ledger remembers, after a start: the latest version of each call."""
        latest: dict[tuple[str, str, bytes, bytes], Recalled] = {}
        for found in (each for payload in payloads for each in recalled(payload)):
            own = found.line.own
            key = (own.org, own.project, own.trace_id, own.span_id)
            known = latest.get(key)
            if found.line.rule != MOVED and (known is None or known.version < found.version):
                latest[key] = found
        newest = islice(latest.values(), max(len(latest) - self._limits.calls, 0), None)
        kept = [Kept(found.line, found.version, self._now()) for found in newest]
        self._kin.add(kept)
        self._order.extend(kept)
        self._regroup(kept)

    def knows_response(self, org: str, project: str, response_id: str) -> bool:
        """Whether a remembered call tells of a response, so that others that do are compared with it."""
        return self._kin.knows_response(org, project, response_id)

    def join(self, batches: Sequence[Batch], dropped: Sequence[set[int]]) -> Joined:
        """Compare requests, without the calls at the dropped positions, with what was committed before.

        `keep` or `drop` must follow.
        """
        moment = self._now()
        parts = [
            [Kept(line, 0, moment) for row, line in enumerate(batch.lines) if row not in without]
            for batch, without in zip(batches, dropped, strict=True)
        ]
        kept = [each for part in parts for each in part]
        suspects = self._kin.add(kept)
        try:
            if any(dropped):  # what was compared with a dropped call is compared anew
                suspects = self._without_orphans(kept, batches, dropped)
            compared = self._relatives(suspects)
            changes, groups = self._compare(compared)
        except BaseException:
            self._kin.take_back(kept)
            raise
        changed = {id(each): line for each, line in changes}
        entries = [
            batch.entry
            if not without and not (changed and any(id(each) in changed for each in part))
            else entry([changed.get(id(each), each.line) for each in part])
            for batch, without, part in zip(batches, dropped, parts, strict=True)
        ]
        corrections = [Correction(each.line, line, each.version + 1) for each, line in changes if each.version]
        if corrections:
            entries.append(correction(corrections))
        return Joined(entries, kept, changes, compared, groups)

    def keep(self, joined: Joined) -> None:
        """Remember what was committed."""
        for each, line in joined.changes:
            each.line = line
            each.version += bool(each.version)
        for each in joined.kept:
            each.version = 1
        for each in joined.compared:
            each.group = ()
        for group in joined.groups:
            for each in group:
                each.group = group
        self._order.extend(joined.kept)
        self._forget()

    def drop(self, joined: Joined) -> None:
        """Forget what was not committed after all."""
        self._kin.take_back(joined.kept)

    def reprice(self, prices: "Iterable[NewPrice]") -> "Repricing | None":
        """Work out what new prices mean for the calls that are remembered; None when one of them has changed since."""
        changes: list[tuple[Kept, Line]] = []
        for repriced in prices:
            each = self._kin.find(repriced.identity)
            if each is None:
                continue
            if each.version != repriced.base_version:
                return None
            priced = each.line.priced._replace(cost_yocto=repriced.cost_yocto, source=repriced.source)
            changes.append((each, each.line._replace(priced=priced, computed=priced)))
        payload = packed([line for _, line in changes], [each.version + 1 for each, _ in changes]) if changes else b""
        return Repricing(changes, payload)

    def _without_orphans(
        self, kept: Sequence[Kept], batches: Sequence[Batch], dropped: Sequence[set[int]]
    ) -> list[Kept]:
        """Return calls but those that repeat a call which was committed so long ago that it is forgotten."""
        forgotten = {
            batch.lines[row].call.span_id
            for batch, rows in zip(batches, dropped, strict=True)
            for row in rows
            if self._kin.find_own(batch.lines[row].own) is None
        }
        for each in kept:
            each.is_gone = each.line.duplicate_of in forgotten
        return [each for each in kept if not each.is_gone]

    def _compare(self, calls: Sequence[Kept]) -> tuple[list[tuple[Kept, Line]], list[list[Kept]]]:
        """Apply the rules to calls; returns what changes, and which are one call."""
        lines = assess([each.own for each in calls], self._pricer) if calls else []
        changes = [
            (each, line) for each, line in zip(calls, lines, strict=True) if _meaning(each.line) != _meaning(line)
        ]
        return changes, _groups(calls, lines)

    def _relatives(self, calls: Iterable[Kept]) -> list[Kept]:
        """Return calls and all that may be the same as one of them.

        What was found to be one call before, and what names the same response, is never left out: a comparison without
        it would undo what was right.
        """
        found: dict[int, Kept] = {}
        waiting: deque[Kept] = deque()
        for each in calls:
            self._take(each, found, waiting)
        limit = len(found) + MAX_RELATIVES
        while waiting:
            for other in self._kin.near(waiting.popleft()):
                if id(other) not in found:
                    if len(found) >= limit:
                        self.cut_short += 1
                        return list(found.values())
                    self._take(other, found, waiting)
        return list(found.values())

    def _take(self, each: Kept, found: dict[int, Kept], waiting: deque[Kept]) -> None:
        for one in (each, *each.group, *self._kin.of_same_response(each)):
            if id(one) not in found:
                found[id(one)] = one
                waiting.append(one)

    def _regroup(self, kept: Sequence[Kept]) -> None:
        """Find out again which calls are one call. A repetition of what is forgotten is forgotten too."""
        by_span = {each.line.call.span_id: each for each in kept if not each.line.duplicate_of}
        groups: dict[bytes, list[Kept]] = {}
        for each in kept:
            billed = each.line.duplicate_of
            if billed in by_span:
                groups.setdefault(billed, [by_span[billed]]).append(each)
            elif billed:
                each.is_gone = True
        for group in groups.values():
            for each in group:
                each.group = group

    def _forget(self) -> None:
        """Forget what is too old or too much. Calls that are one call are forgotten together.

        Else a repetition would be taken for a call, once what it repeats is forgotten.
        """
        oldest = self._now() - self._limits.age_s
        while self._order and (len(self._order) > self._limits.calls or self._order[0].since_s < oldest):
            each = self._order.popleft()
            self.forgotten_early += each.since_s >= oldest
            each.is_gone = True
            for member in each.group:
                member.is_gone = True
            self._kin.remove(each)


class NewPrice(NamedTuple):
    """A new price of a stored call."""

    identity: Identity
    base_version: int
    """Of the call whose price it replaces."""
    cost_yocto: int | None
    source: CostSource


class Repricing(NamedTuple):
    """What new prices mean for the calls that are remembered."""

    changes: list[tuple[Kept, Line]]
    payload: bytes
    """The changed lines, packed."""

    def keep(self) -> None:
        """Remember them, after they were committed."""
        for each, line in self.changes:
            each.line = line
            each.version += 1


def _meaning(line: Line) -> tuple[Call, bytes, str]:
    """What a correction would change; a price by itself is no reason for one."""
    return line.call, line.duplicate_of, line.rule


def _groups(calls: Sequence[Kept], lines: Sequence[Line]) -> list[list[Kept]]:
    billed = {line.call.span_id: each for each, line in zip(calls, lines, strict=True) if not line.duplicate_of}
    groups: dict[bytes, list[Kept]] = {}
    for each, line in zip(calls, lines, strict=True):
        if line.duplicate_of:
            groups.setdefault(line.duplicate_of, [billed[line.duplicate_of]]).append(each)
    return list(groups.values())
