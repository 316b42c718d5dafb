"""The place where exporters tell each other of their budgets, and what is written there."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from llmlab_exporter.budgets.shared.presence import Presence
from llmlab_exporter.ledger.budget_records import BudgetRecord


class BoardError(Exception):
    """The board does not answer, or refuses; the message says why."""


class Taken(Exception):
    """Another process publishes under the same id; the message is its name."""


class Look(NamedTuple):
    """What there is to see at a moment."""

    now: float
    """By the clock of the board, Unix seconds."""
    presences: Mapping[str, Presence]
    """By id; those of another format are missing."""
    records_revision: str
    """Changes whenever the records do."""


class Post(NamedTuple):
    """What an exporter has published, or will."""

    presence: Presence
    sums: Mapping[str, str]
    """By the `identity` of a budget, a `Share` without its hours."""
    history: Mapping[str, str]
    """The hours."""


class Board(Protocol):
    """What all exporters see. Every method but `close` raises `BoardError`."""

    def look(self) -> Look:
        """Return who there is."""
        ...

    def sums(self, exporter_id: str) -> dict[str, str]:
        """Return what an exporter has of each budget."""
        ...

    def history(self, exporter_id: str) -> dict[str, str]:
        """Return the hours that an exporter has of each budget."""
        ...

    def publish(self, post: Post, before: Post | None, fresh_s: float) -> None:
        """Publish. `before` is what was published last, if anything was: a board that has that needs the changes alone.

        Raises `Taken` when another process has published under the same id in the last `fresh_s` seconds and has not
        stopped.
        """
        ...

    def restore(self, post: Post) -> None:
        """Publish again what an exporter once published, if the board has lost it."""
        ...

    def mark(self, presence: Presence) -> None:
        """Change what is said of an exporter that does not run. What it published goes when it is removed."""
        ...

    def records(self) -> dict[str, BudgetRecord]:
        """Return what was decided last about budgets, by name."""
        ...

    def offer(self, record: BudgetRecord) -> None:
        """Write a decision about a budget, unless there is a later one."""
        ...

    def close(self) -> None:
        """Let go of the connections."""
        ...
