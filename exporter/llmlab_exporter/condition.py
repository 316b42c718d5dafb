"""How an exporter is: what it cannot do at the moment, and what it says of itself."""

from llmlab_exporter.budgets.registry import Budgets
from llmlab_exporter.disk import Disk
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.price_files import PriceFiles
from llmlab_exporter.receive.refusal import Busy, DiskFull
from llmlab_exporter.store.flusher import Flusher
from llmlab_exporter.telemetry import Telemetry


class Condition:
    """Asks the parts of an exporter how they are."""

    def __init__(
        self,
        *,
        book: Book,
        disk: Disk,
        flusher: Flusher,
        prices: PriceFiles,
        budgets: Budgets,
        telemetry: Telemetry,
        max_pending_rows: int,
        is_embedded: bool,
    ) -> None:
        self._book = book
        self._disk = disk
        self._flusher = flusher
        self._prices = prices
        self._budgets = budgets
        self._telemetry = telemetry
        self._max_pending_rows = max_pending_rows
        self._store_kind = "embedded" if is_embedded else "server"

    def obstacle(self) -> Busy | None:
        """Say why no span can be accepted at the moment; None when it can."""
        if problem := self._disk.problem:
            return DiskFull(problem)
        pending = self._book.outbox.rows
        if pending < self._max_pending_rows:
            return None
        return Busy(
            f"{pending} calls wait for the store ({self._flusher.error or 'it is behind'}); try again in a second"
        )

    def details(self) -> dict[str, object]:
        """Return what `/readyz` says of each part."""
        return {
            "store": {
                "kind": self._store_kind,
                "pending_rows": self._book.outbox.rows,
                "dead_letters": self._book.dead_letters.rows,
                "error": self._flusher.error or None,
            },
            "disk": self._disk_use(),
            "prices": self._prices.details(),
            "budgets": self._budgets.details(),
        }

    def pipeline(self) -> dict[str, object]:
        """Return what became of the spans that arrived, as `/api/costs/summary` tells it."""
        return {
            "pending_rows": self._book.outbox.rows,
            "duplicates": {"redelivered": self._book.redelivered, **self._book.duplicates.by_rule},
            "corrections": self._book.duplicates.corrections,
            "rejected": self._telemetry.rejected_by_reason(),
            "store_error": self._flusher.error or None,
            "dead_letters": self._book.dead_letters.rows,
            "disk": self._disk_use(),
        }

    def _disk_use(self) -> dict[str, object]:
        return {
            "ledger_bytes": self._disk.ledger_bytes,
            "store_bytes": self._flusher.store_bytes,
            "free_bytes": self._disk.free_bytes,
            "min_free_bytes": self._disk.min_free_bytes,
        }
