"""All budgets: those of `budgets.yaml`, which only the file changes, and those set by command or request."""

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from llmlab.budgets import BadBudget, Budget
from llmlab_exporter.budgets.file import read_budgets_file
from llmlab_exporter.budgets.records import MAX_BUDGETS, dump, load
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.ledger.budget_records import BudgetRecord
from llmlab_exporter.ledger.writer import Writer
from llmlab_exporter.watched_file import WatchedFile, look_at

API = "api"
"""Source of what was set by a command or a request."""

_log = logging.getLogger(__name__)


class Placed(NamedTuple):
    """A budget and where it comes from."""

    budget: Budget
    source: str
    """`api`, or the name of the file."""


class UnusableFile(Exception):
    """The file has mistakes; the message names them."""


class ReadOnly(Exception):
    """The budget belongs to the file."""


class TooMany(Exception):
    """There are as many budgets as may be."""


class Budgets:
    """The budgets that hold now. A budget of the file hides one of the same name that was set otherwise."""

    def __init__(self, path: Path | None, book: Book, writer: Writer) -> None:
        """Read the file, if there is one, and the ledger's records. Raises `UnusableFile`."""
        self._writer = writer
        self._lock = threading.Lock()
        self.file = WatchedFile(path, read_budgets_file, may_be_absent=False) if path else None
        if self.file and not self.file.look():
            raise UnusableFile(f"the budgets in {self.file.path} cannot be used:\n{self.file.error}")
        self._author = book.ledger_id
        self.records: Mapping[str, BudgetRecord] = {
            name: record if record.author else record._replace(author=self._author)
            for name, record in book.budgets.all().items()
        }
        """What was decided by command or request, here or elsewhere. Replaced whenever something changed, never edited.
        """
        self.unreadable: list[str] = []
        """Names of stored budgets that this version does not understand."""
        self._stored: dict[str, Budget] = {}
        for record in self.records.values():
            self._hold(record)
        self.current: tuple[Placed, ...] = ()
        """Replaced whenever something changed, never edited."""
        self._place()

    def look(self) -> None:
        """Read the file if it was written."""
        if self.file and look_at(self.file, "budgets", "the previous budgets stay in use"):
            with self._lock:
                self._place()

    def find(self, name: str) -> Placed | None:
        """Return a budget; None when there is none of that name."""
        return next((placed for placed in self.current if placed.budget.name == name), None)

    def put(self, budget: Budget) -> bool:
        """Set a budget; durable when this returns. True when there was none of that name.

        Raises `ReadOnly`, `TooMany`, or `sqlite3.Error` when the ledger cannot take it.
        """
        with self._lock:
            self._check_writable(budget.name)
            is_new = budget.name not in self._stored
            if is_new and len(self._stored) >= MAX_BUDGETS:
                raise TooMany(f"there are {MAX_BUDGETS} budgets already")
            self._decide(budget.name, dump(budget))
        return is_new

    def remove(self, name: str) -> bool:
        """Remove a budget for good; False when there is none of that name. Raises `ReadOnly`, `sqlite3.Error`."""
        with self._lock:
            self._check_writable(name)
            record = self.records.get(name)
            if record is None or not record.document:
                return False
            self._decide(name, "")
        return True

    def merge(self, records: Iterable[BudgetRecord]) -> None:
        """Take over what was decided elsewhere and later; durable when this returns. Raises `sqlite3.Error`."""
        with self._lock:
            later = [record for record in records if record.is_after(self.records.get(record.name))]
            if later:
                self._keep(later)

    @property
    def file_digest(self) -> str:
        """A digest of the budgets of the file, "" without one: equal wherever the same budgets stand in it."""
        if not self.file:
            return ""
        return sha256("\n".join(sorted(dump(budget) for budget in self.file.value or ())).encode()).hexdigest()[:16]

    def details(self) -> dict[str, object]:
        """Say what holds, for `/readyz`."""
        found: dict[str, object] = {"count": len(self.current), "unreadable": self.unreadable}
        if self.file:
            found["file"] = str(self.file.path)
            found["error"] = self.file.error or None
        return found

    def _check_writable(self, name: str) -> None:
        if self.file and any(budget.name == name for budget in self.file.value or ()):
            raise ReadOnly(f"the budget {name!r} is set in {self.file.path.name}")

    def _decide(self, name: str, document: str) -> None:
        before = self.records.get(name)
        self._keep([BudgetRecord(name, document, before.version + 1 if before else 1, self._author)])

    def _keep(self, records: Sequence[BudgetRecord]) -> None:
        """Write decisions, and let them hold."""

        def write(book: Book) -> None:
            for record in records:
                book.budgets.put(record)

        self._writer.run(write)
        self.records = {**self.records, **{record.name: record for record in records}}
        for record in records:
            self._hold(record)
        self._place()

    def _hold(self, record: BudgetRecord) -> None:
        """Let the budget of a record hold, or hold no longer."""
        self.unreadable = [name for name in self.unreadable if name != record.name]
        try:
            budget = load(record.document) if record.document else None
        except (BadBudget, ValueError) as error:
            self.unreadable.append(record.name)
            _log.error("the stored budget %r cannot be read and does not count: %s", record.name, error)
            budget = None
        if budget is None:
            self._stored.pop(record.name, None)
        else:
            self._stored[record.name] = budget

    def _place(self) -> None:
        found: dict[str, Placed] = {name: Placed(budget, API) for name, budget in self._stored.items()}
        if self.file:
            for budget in self.file.value or ():
                if budget.name in found:
                    _log.warning("the budget %r of %s hides one that was set otherwise", budget.name, self.file.path)
                found[budget.name] = Placed(budget, self.file.path.name)
        self.current = tuple(found.values())
