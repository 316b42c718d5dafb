"""Budgets that were set by command or request hold on every exporter: of all decisions about a name the latest does."""

from collections.abc import Mapping

from llmlab_exporter.budgets.registry import Budgets
from llmlab_exporter.budgets.shared.board import Board
from llmlab_exporter.ledger.budget_records import BudgetRecord


class SharedRecords:
    """Keeps the decisions of this exporter's ledger and those in Redis the same."""

    def __init__(self, board: Board, budgets: Budgets) -> None:
        self._board = board
        self._budgets = budgets
        self._seen: str | None = None
        self._agreed: Mapping[str, BudgetRecord] | None = None

    def agree(self, revision: str) -> None:
        """Take over what is later there, and offer what is later here. `revision` is that of the records in Redis.

        Raises `BoardError`, `sqlite3.Error`.
        """
        if revision == self._seen and self._budgets.records is self._agreed:
            return
        there = self._board.records()
        self._budgets.merge(there.values())
        here = self._budgets.records
        for name, record in here.items():
            if record.is_after(there.get(name)):
                self._board.offer(record)
        self._seen, self._agreed = revision, here
