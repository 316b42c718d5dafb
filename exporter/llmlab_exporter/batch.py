"""Priced calls of one export request, in the form in which the ledger takes them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llmlab.pricing import Priced
from llmlab_exporter.assess import Line
from llmlab_exporter.ledger.book import Entry
from llmlab_exporter.ledger.seen import span_key
from llmlab_exporter.recall import MOVED, packed
from llmlab_exporter.tally import Tallies, Tally, tally


@dataclass(frozen=True, slots=True)
class Batch:
    """The calls, and their entry for the ledger."""

    lines: Sequence[Line]
    entry: Entry

    def without(self, rows: set[int]) -> Entry:
        """Return the entry that is left without the calls at these positions."""
        return entry([line for row, line in enumerate(self.lines) if row not in rows])


def batch(lines: Sequence[Line]) -> Batch:
    """Prepare calls for the ledger."""
    return Batch(lines, entry(lines))


def entry(lines: Sequence[Line]) -> Entry:
    """Work out the effects of calls: keys, sums, and rows for the store."""
    return Entry(
        keys=b"".join([_key(line) for line in lines]),
        tallies=tally(lines),
        rows=len(lines),
        payload=packed(lines),
        duplicates=Counter(line.rule for line in lines if line.rule),
    )


@dataclass(frozen=True, slots=True)
class Correction:
    """A committed call of which more is known now."""

    old: Line
    new: Line
    version: int
    """Of the new line in the store."""


def correction(changes: Sequence[Correction]) -> Entry:
    """Work out the effects of corrections: what the sums change by, and new versions for the store."""
    lines: list[Line] = []
    versions: list[int] = []
    reasons: list[str] = []
    for change in changes:
        is_moved = change.old.call.project != change.new.call.project
        lines += [_moved(change.old), change.new] if is_moved else [change.new]
        versions += [change.version] * (1 + is_moved)
        reasons += [MOVED, _reason(change)] if is_moved else [_reason(change)]
    ruled_anew = [change for change in changes if change.new.rule != change.old.rule]
    return Entry(
        keys=b"",
        tallies={},
        rows=len(lines),
        payload=packed(lines, versions, reasons),
        duplicates=Counter(change.new.rule for change in ruled_anew if change.new.rule),
        no_duplicates=Counter(change.old.rule for change in ruled_anew if change.old.rule),
        differences=_differences(changes),
        corrections=len(changes),
    )


_NOT_HERE = Priced(None, "none", "not_billable", "this call turned out to belong to another project")


def _moved(old: Line) -> Line:
    """Return what stays where a call was stored that turned out to belong to another project: a repetition of itself.

    The project is part of the key of stored calls, so a new version cannot take the old one's place.
    """
    call = old.call._replace(reading=old.call.reading._replace(billable=False))
    return Line(call, _NOT_HERE, call.span_id, _NOT_HERE, MOVED, old.own)


def _reason(change: Correction) -> str:
    """Say in one word why there is a new version: the rule by which it repeats another call, or what became known."""
    if change.new.duplicate_of:
        return change.new.rule
    return "no_duplicate" if change.old.duplicate_of else "completed"


def _differences(changes: Iterable[Correction]) -> Tallies:
    differences = tally(change.new for change in changes)
    for place, taken_back in tally(change.old for change in changes).items():
        differences.setdefault(place, Tally()).subtract(taken_back)
    return {place: difference for place, difference in differences.items() if difference != Tally()}


def _key(line: Line) -> bytes:
    own = line.own  # a span that is delivered again is recognised by what it says, whatever became of it
    return span_key(own.org, own.project, own.trace_id, own.span_id)
