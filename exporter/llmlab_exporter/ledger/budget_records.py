"""Budgets that were set by a command or a request. What a record says is up to whoever writes it."""

import sqlite3


class BudgetRecords:
    """Reads and writes records, each in a transaction of its own."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def all(self) -> dict[str, str]:
        """Return the records by the name of the budget, the oldest first."""
        return dict(self._db.execute("SELECT name, document FROM budgets ORDER BY id"))

    def put(self, name: str, document: str) -> None:
        """Write a record, or replace the one of that name."""
        if self._db.execute("UPDATE budgets SET document = ? WHERE name = ?", (document, name)).rowcount == 0:
            self._db.execute("INSERT INTO budgets (name, document) VALUES (?, ?)", (name, document))

    def remove(self, name: str) -> bool:
        """Remove a record; False when there was none of that name."""
        return self._db.execute("DELETE FROM budgets WHERE name = ?", (name,)).rowcount == 1
