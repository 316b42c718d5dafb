"""How many calls were found to repeat others, by the rule that found it."""

import sqlite3
from collections.abc import Mapping


class Duplicates:
    """Reads and writes the counts inside the open transaction. What can be read is the state of the last commit."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.by_rule: dict[str, int] = {}
        """Calls by rule, ever. One that turns out to be another call after all is not taken off."""
        self.corrections = 0
        """New versions of calls that had been committed, ever."""
        self._changed = False
        self.load()

    def load(self) -> None:
        """Read everything from the disk."""
        self.by_rule = dict(self._db.execute("SELECT rule, count FROM duplicates ORDER BY rule").fetchall())
        (self.corrections,) = self._db.execute("SELECT value FROM counters WHERE name = 'corrections'").fetchone()
        self._changed = False

    def add(self, by_rule: Mapping[str, int], corrections: int) -> None:
        """Count calls and corrections."""
        for rule, count in by_rule.items():
            add = "INSERT INTO duplicates VALUES (?1, ?2) ON CONFLICT (rule) DO UPDATE SET count = count + ?2"
            self._db.execute(add, (rule, count))
        if corrections:
            self._db.execute("UPDATE counters SET value = value + ? WHERE name = 'corrections'", (corrections,))
        self._changed = self._changed or bool(by_rule) or bool(corrections)

    def keep(self) -> None:
        """Make what was written visible, after the commit."""
        if self._changed:
            self.load()
