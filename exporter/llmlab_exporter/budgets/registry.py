"""All budgets: those of `budgets.yaml`, which only the file changes, and those set by command or request."""

import logging
import threading
from pathlib import Path
from typing import NamedTuple

from llmlab.budgets import BadBudget, Budget
from llmlab_exporter.budgets.file import read_budgets_file
from llmlab_exporter.budgets.records import MAX_BUDGETS, dump, load
from llmlab_exporter.ledger.book import Book
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
        self.unreadable: list[str] = []
        """Names of stored budgets that this version does not understand."""
        self._stored = self._load(book)
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
            document = dump(budget)
            self._writer.run(lambda book: book.budgets.put(budget.name, document))
            self._stored[budget.name] = budget
            self._forget_unreadable(budget.name)
            self._place()
        return is_new

    def remove(self, name: str) -> bool:
        """Remove a budget for good; False when there is none of that name. Raises `ReadOnly`, `sqlite3.Error`."""
        with self._lock:
            self._check_writable(name)
            removed = self._writer.run(lambda book: book.budgets.remove(name))
            self._stored.pop(name, None)
            self._forget_unreadable(name)
            self._place()
        return removed

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

    def _forget_unreadable(self, name: str) -> None:
        self.unreadable = [each for each in self.unreadable if each != name]

    def _place(self) -> None:
        found: dict[str, Placed] = {name: Placed(budget, API) for name, budget in self._stored.items()}
        if self.file:
            for budget in self.file.value or ():
                if budget.name in found:
                    _log.warning("the budget %r of %s hides one that was set otherwise", budget.name, self.file.path)
                found[budget.name] = Placed(budget, self.file.path.name)
        self.current = tuple(found.values())

    def _load(self, book: Book) -> dict[str, Budget]:
        stored: dict[str, Budget] = {}
        for name, document in book.budgets.all().items():
            try:
                stored[name] = load(document)
            except (BadBudget, ValueError) as error:
                self.unreadable.append(name)
                _log.error("the stored budget %r cannot be read and does not count: %s", name, error)
        return stored
