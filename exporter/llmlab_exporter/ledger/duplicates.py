"""How many calls repeat others, by the rule that found it."""

import sqlite3
from collections.abc import Mapping


class Duplicates:
    """Reads and writes the counts inside the open transaction. What can be read is the state of the last commit."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.by_rule: dict[str, int] = {}
        """Calls that repeat another one, by rule, as far as is known now."""
        self.decided: dict[str, int] = {}
        """How often a rule found that a call repeats another one, ever, also where that was taken back."""
        self.corrections = 0
        """New versions of calls that had been committed, ever."""
        self._changed = False
        self.load()

    def load(self) -> None:
        """Read everything from the disk."""
        found = self._db.execute("SELECT rule, count, decided FROM duplicates ORDER BY rule").fetchall()
        self.by_rule = {rule: count for rule, count, _ in found if count}
        self.decided = {rule: decided for rule, _, decided in found}
        (self.corrections,) = self._db.execute("SELECT value FROM counters WHERE name = 'corrections'").fetchone()
        self._changed = False

    def add(self, found: Mapping[str, int], taken_back: Mapping[str, int], corrections: int) -> None:
        """Count calls that repeat others, such that turned out not to by that rule, and corrections."""
        for rule in {*found, *taken_back}:
            more, less = found.get(rule, 0), taken_back.get(rule, 0)
            self._db.execute(
                "INSERT INTO duplicates (rule, count, decided) VALUES (?1, ?2, ?3) "
                "ON CONFLICT (rule) DO UPDATE SET count = count + ?2, decided = decided + ?3",
                (rule, more - less, more),
            )
        if corrections:
            self._db.execute("UPDATE counters SET value = value + ? WHERE name = 'corrections'", (corrections,))
        self._changed = self._changed or bool(found) or bool(taken_back) or bool(corrections)

    def keep(self) -> None:
        """Make what was written visible, after the commit."""
        if self._changed:
            self.load()
