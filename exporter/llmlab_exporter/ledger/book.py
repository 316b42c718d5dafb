"""The ledger file and its one transaction. A `Book` belongs to one thread (`writer.py`)."""

import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmlab_exporter.ledger.budget_records import BudgetRecords
from llmlab_exporter.ledger.changes import Changes
from llmlab_exporter.ledger.dead_letters import DeadLetters
from llmlab_exporter.ledger.duplicates import Duplicates
from llmlab_exporter.ledger.outbox import Outbox
from llmlab_exporter.ledger.recent import DEFAULT_LIMITS, Limits, Recent
from llmlab_exporter.ledger.schema import migrate
from llmlab_exporter.ledger.seen import Seen
from llmlab_exporter.ledger.totals import Totals
from llmlab_exporter.tally import Tallies


@dataclass(frozen=True, slots=True)
class Entry:
    """What one export request puts into the ledger."""

    keys: bytes
    """Joined span keys (`seen.py`), in the order of the rows."""
    tallies: Tallies
    rows: int
    payload: bytes
    """The rows as an Arrow IPC stream."""
    duplicates: Mapping[str, int] = field(default_factory=dict[str, int])
    """Calls that were found to repeat others, by the rule that found it."""
    no_duplicates: Mapping[str, int] = field(default_factory=dict[str, int])
    """Calls committed before of which a rule no longer says that they repeat others, by that rule."""
    differences: Tallies = field(default_factory=Tallies)
    """What corrections change in the sums; may be negative."""
    corrections: int = 0
    """Calls committed before of which the rows are new versions."""


class Book:
    """The open ledger."""

    def __init__(self, path: Path, recent: Limits = DEFAULT_LIMITS) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536", "busy_timeout = 10000"):
            self._db.execute(f"PRAGMA {pragma}")
        migrate(self._db)
        self.seen = Seen(self._db)
        self.totals = Totals(self._db)
        self.ledger_id = self._ledger_id()
        """Tells the calls of this ledger from those of others in a shared store: their batch ids begin with it."""
        self.recent = Recent(self._db, recent)
        self.outbox = Outbox(self._db, self.ledger_id, self.recent)
        self.duplicates = Duplicates(self._db)
        self.dead_letters = DeadLetters(self._db, self.outbox)
        self.changes = Changes(self._db)
        self.budgets = BudgetRecords(self._db)
        self.redelivered = self._redelivered()
        """Spans that were sent again after they had been committed, ever."""

    def commit(self, entries: Sequence[Entry], redelivered: int = 0) -> bool:
        """Write entries, and count spans sent again, as one transaction that is on disk when this returns True.

        False, and nothing has happened, when a key of the entries is not new. Raises `sqlite3.Error` when the disk
        refuses: then nothing has happened either.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            if not self.seen.add(b"".join(entry.keys for entry in entries)):
                self._db.execute("ROLLBACK")
                return False
            changed = self.totals.correct(entry.differences for entry in entries)
            changed |= self.totals.write((entry.tallies for entry in entries), changed)
            for entry in entries:
                self.outbox.add(entry.rows, entry.payload)
                self.duplicates.add(entry.duplicates, entry.no_duplicates, entry.corrections)
            self._db.execute("UPDATE counters SET value = value + ? WHERE name = 'redelivered'", (redelivered,))
            self._db.execute("COMMIT")
        except BaseException:
            self._return_to_disk()
            raise
        self.totals.keep(changed)
        self.outbox.rows += sum(entry.rows for entry in entries)
        self.redelivered += redelivered
        self.duplicates.keep()
        return True

    def count_redelivered(self, spans: int) -> None:
        """Count spans that were sent again, and are not part of any entry."""
        self._db.execute("UPDATE counters SET value = value + ? WHERE name = 'redelivered'", (spans,))
        self.redelivered += spans

    def advance_change(
        self,
        change_id: str,
        chunk: int,
        cursor: str,
        report: str,
        differences: Tallies,
        recent: tuple[int, bytes] = (0, b""),
    ) -> bool:
        """Record one chunk of a change and what it does to spend, as one transaction.

        `recent` are the new versions of those calls that are remembered: their number, and they as a payload.
        False, and nothing has happened, when the chunk is not the one after the last that was recorded.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            if not self.changes.advance(change_id, chunk, cursor, report):
                self._db.execute("ROLLBACK")
                return False
            new = self.totals.adjust(differences)
            self.recent.add(*recent)
            self._db.execute("COMMIT")
        except BaseException:
            self._return_to_disk()
            raise
        self.totals.keep(new)
        return True

    def close(self) -> None:
        """Close the file; its write-ahead log is folded in."""
        self._db.close()

    def _return_to_disk(self) -> None:
        """Make memory say what the disk says, whatever became of the failed transaction."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self.totals.load()
        self.outbox.load()
        self.recent.load()
        self.duplicates.load()
        self.redelivered = self._redelivered()

    def _redelivered(self) -> int:
        (count,) = self._db.execute("SELECT value FROM counters WHERE name = 'redelivered'").fetchone()
        return count

    def _ledger_id(self) -> str:
        self._db.execute("INSERT OR IGNORE INTO meta VALUES ('ledger_id', ?)", (secrets.token_hex(6),))
        (ledger_id,) = self._db.execute("SELECT value FROM meta WHERE name = 'ledger_id'").fetchone()
        return ledger_id
