"""A real ledger with its writer, budgets on it, and a clock that tests turn."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from ledger.entries import key
from llmlab.budgets import Budget, read_budget
from llmlab_exporter.budgets.registry import Budgets
from llmlab_exporter.budgets.shared.others import Others
from llmlab_exporter.budgets.status import Status
from llmlab_exporter.budgets.tracker import Tracker
from llmlab_exporter.budgets.watch import labels
from llmlab_exporter.ledger.book import Book, Entry
from llmlab_exporter.ledger.writer import Writer
from llmlab_exporter.tally import BUCKET_S, FeatureSum, Series, Tallies, Tally

USD = 10**24
NOON = int(datetime(2026, 11, 18, 12, tzinfo=UTC).timestamp())
"""A Wednesday."""
HOUR = 3600
DAY = 86_400


class Effect(NamedTuple):
    """What some calls do to the sums; negative where it is taken back."""

    at_s: int
    cost_yocto: int
    project: str = "web"
    model: str = "gpt-5-mini"
    feature: str = ""
    requests: int = 1
    unpriced: int = 0

    @property
    def series(self) -> Series:
        """The labels."""
        return Series("default", self.project, "app", "prod", "openai", self.model, "chat", "ok")

    @property
    def bucket(self) -> int:
        """The quarter of an hour."""
        return self.at_s // BUCKET_S * BUCKET_S


def tallies(effects: Sequence[Effect]) -> Tallies:
    """Sum up effects as the pipeline sums up calls."""
    found: Tallies = {}
    for effect in effects:
        tally = found.setdefault((effect.bucket, effect.series), Tally())
        tally.add(Tally(requests=effect.requests, unpriced=effect.unpriced, cost_yocto=effect.cost_yocto))
        if effect.feature:
            tally.count_feature(effect.feature, FeatureSum(effect.requests, effect.unpriced, effect.cost_yocto))
    return found


class Lab:
    """Budgets on a ledger."""

    def __init__(
        self, ledger: Path, now: float = NOON, budgets_file: Path | None = None, others: Others | None = None
    ) -> None:
        self.ledger = ledger
        self.now = now
        self.book = Book(ledger)
        self.writer = Writer(self.book)
        self.writer.start()
        self.budgets = Budgets(budgets_file, self.book, self.writer)
        self._others = others
        self.tracker = self.new_tracker()
        self._keys = count(self.book.outbox.rows + 1)

    def new_tracker(self) -> Tracker:
        return Tracker(
            self.budgets, self.ledger, self.book.totals.feed, self.writer, lambda: self.now, others=self._others
        )

    def set(self, limit: float = 100, **written: Any) -> Budget:
        """Set a budget as a request would."""
        budget = read_budget({"limit": limit, **written})
        self.budgets.put(budget)
        return budget

    def commit(self, *effects: Effect) -> None:
        """Commit calls."""
        entry = Entry(key(next(self._keys)), tallies(effects), 1, b"")
        assert self.writer.run(lambda book: book.commit([entry]))

    def correct(self, *effects: Effect) -> None:
        """Commit differences, as calls do that turn out to repeat others."""
        entry = Entry(b"", {}, 1, b"", differences=tallies(effects))
        assert self.writer.run(lambda book: book.commit([entry]))

    def reprice(self, *effects: Effect) -> None:
        """Change what calls of the past cost."""
        change_id = f"change-{next(self._keys)}"

        def run(book: Book) -> bool:
            book.changes.begin(change_id, "reprice", "", "", "")
            return book.advance_change(change_id, 1, "", "", tallies(effects))

        assert self.writer.run(run)

    def statuses(self) -> dict[str, Status]:
        """Return how budgets stand, by name."""
        return {status.budget.name: status for status in self.tracker.statuses()}

    def spent(self, name: str) -> int:
        return self.statuses()[name].spent_yocto


@contextmanager
def lab(ledger: Path, now: float = NOON, budgets_file: Path | None = None) -> Generator[Lab]:
    """Open a ledger for a while."""
    opened = Lab(ledger, now, budgets_file)
    try:
        yield opened
    finally:
        opened.writer.stop()


def expected(budget: Budget, effects: Sequence[Effect], now: float) -> tuple[int, int, int]:
    """Return requests, unpriced ones and cost, added up one by one."""
    window = budget.window(now)
    assert window is not None
    counted = [
        effect
        for effect in effects
        if window.start_s <= effect.bucket < window.end_s
        and budget.scope.matches({**labels(effect.series), "feature": effect.feature})
    ]
    return (
        sum(effect.requests for effect in counted),
        sum(effect.unpriced for effect in counted),
        sum(effect.cost_yocto for effect in counted),
    )


def found(status: Status) -> tuple[int, int, int]:
    """Return the same of a status."""
    return status.requests, status.unpriced, status.spent_yocto
