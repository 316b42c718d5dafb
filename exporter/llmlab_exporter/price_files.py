"""Keeps the prices current while the exporter runs: the user's `prices.yaml`, and the catalogue that
`llmlab prices update` fetched.

Both are followed as `watched_file.py` says; when one cannot be read as prices, the prices before it stay.
"""

from pathlib import Path

from llmlab.pricing.book import PriceBook
from llmlab.pricing.catalogue import NAME, Catalogue
from llmlab.pricing.catalogue.own_prices import NO_OWN_PRICES, OwnPrices
from llmlab.pricing.catalogue.published import read_published
from llmlab.pricing.catalogue.user_file import read_user_file
from llmlab.pricing.pricer import Pricer
from llmlab_exporter.config import StartupError
from llmlab_exporter.watched_file import WatchedFile, look_at
from llmlab_exporter.watcher import Watcher


def catalogue_path(data: Path) -> Path:
    """Say where in a data directory the fetched catalogue is kept."""
    return data / "catalogue" / f"{NAME}.json"


class PriceFiles:
    """A pricer that follows the files."""

    def __init__(self, prices: Path | None, catalogue: Path) -> None:
        """Read both files. Raises `StartupError` for a bad `prices`; a bad fetched catalogue is logged and left out."""
        self.own = WatchedFile(prices, read_user_file, may_be_absent=False) if prices else None
        self.fetched = WatchedFile(catalogue, read_published, may_be_absent=True)
        self._bundled = Catalogue()
        if self.own and not self.own.look():
            raise StartupError(
                f"the prices in {self.own.path} cannot be used:\n{self.own.error}",
                "correct the file ('llmlab prices check' reads it too), or start without --prices",
            )
        self._look_at_fetched()
        self.pricer = Pricer(self.catalogue, self._own_prices)
        self._watcher = Watcher("llmlab-prices", self.look)

    @property
    def catalogue(self) -> Catalogue:
        """The fetched catalogue, else the one that genai-prices brings along."""
        return self.fetched.value or self._bundled

    @property
    def _own_prices(self) -> OwnPrices:
        return (self.own.value if self.own else None) or NO_OWN_PRICES

    def start(self) -> None:
        """Begin to watch."""
        self._watcher.start()

    def stop(self) -> None:
        """End watching."""
        self._watcher.stop()

    def look(self) -> None:
        """Look at the files once, and price by what is new in them."""
        changes = (self._look_at_own(), self._look_at_fetched())
        if any(changes):
            self.pricer.use(PriceBook(self.catalogue, self._own_prices))

    def label(self) -> str:
        """Name the price lists in use, the user's own first."""
        book = self.pricer.book
        return ", ".join(filter(None, (book.own.label, book.catalogue.label)))

    def details(self) -> dict[str, object]:
        """Say which prices apply, for `/readyz`."""
        found: dict[str, object] = {"catalogue": self.catalogue.label, "catalogue_error": self.fetched.error or None}
        if self.own:
            found["file"] = str(self.own.path)
            found["version"] = self._own_prices.label
            found["error"] = self.own.error or None
        return found

    def _look_at_own(self) -> bool:
        return self.own is not None and look_at(self.own, "prices", "the previous prices stay in use")

    def _look_at_fetched(self) -> bool:
        return look_at(self.fetched, "prices", "the catalogue before it stays in use")
