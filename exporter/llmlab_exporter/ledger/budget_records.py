"""Budgets that were set by a command or a request. What a document says is up to whoever writes it."""

import sqlite3
from typing import NamedTuple


class BudgetRecord(NamedTuple):
    """What was last decided about the budget of a name. Several exporters may decide, and the latest decision holds."""

    name: str
    document: str
    """"" when it was removed."""
    version: int = 1
    """One more than that of the decision before."""
    author: str = ""
    """The exporter that decided, by the id of its ledger; of two that decide at once, the higher id holds."""

    def is_after(self, other: "BudgetRecord | None") -> bool:
        """Whether this is the later decision of two about the same name."""
        return other is None or (self.version, self.author) > (other.version, other.author)


class BudgetRecords:
    """Reads and writes records, each in a transaction of its own."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def all(self) -> dict[str, BudgetRecord]:
        """Return the records by the name of the budget, the oldest first, those of removed ones too."""
        found = self._db.execute("SELECT name, document, version, author FROM budgets ORDER BY id")
        return {row[0]: BudgetRecord(*row) for row in found}

    def put(self, record: BudgetRecord) -> None:
        """Write a record, or replace the one of that name."""
        self._db.execute(
            "INSERT INTO budgets (name, document, version, author) VALUES (?, ?, ?, ?) ON CONFLICT (name) "
            "DO UPDATE SET document = excluded.document, version = excluded.version, author = excluded.author",
            record,
        )
