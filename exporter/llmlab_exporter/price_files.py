"""Keeps the prices current while the exporter runs: the user's `prices.yaml`, and the catalogue that
`llmlab prices update` fetched.

Both files are looked at every two seconds; inode, size and time of change tell whether one was written. A file that
cannot be read as prices changes nothing: the prices before it stay, and the log, a metric and `/readyz` say so.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from llmlab.pricing.book import PriceBook
from llmlab.pricing.catalogue import NAME, Catalogue
from llmlab.pricing.catalogue.own_prices import NO_OWN_PRICES, OwnPrices
from llmlab.pricing.catalogue.published import read_published
from llmlab.pricing.catalogue.sheet import PriceListError, Problem
from llmlab.pricing.catalogue.user_file import read_user_file
from llmlab.pricing.pricer import Pricer
from llmlab_exporter.config import StartupError

POLL_S = 2.0

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Stamp(NamedTuple):
    """What changes when a file is written or replaced."""

    inode: int
    size: int
    changed_ns: int


def catalogue_path(data: Path) -> Path:
    """Say where in a data directory the fetched catalogue is kept."""
    return data / "catalogue" / f"{NAME}.json"


class WatchedFile(Generic[T]):
    """A file, what was last read from it successfully, and what was wrong with it since."""

    def __init__(self, path: Path, read: Callable[[str, str], T], *, may_be_absent: bool) -> None:
        """`read` takes the text and the name of the file, and raises `PriceListError`."""
        self.path = path
        self.value: T | None = None
        self.error = ""
        """What is wrong with the file as it is now, "" when nothing."""
        self.loaded_at: datetime | None = None
        self.loads = 0
        self.failures = 0
        self._read = read
        self._may_be_absent = may_be_absent
        self._seen: Stamp | bool | None = False

    def look(self) -> bool:
        """Read the file if it was written since the last look. Returns whether there is a new value."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        if stamp is None and self._may_be_absent:
            self.value, self.error = None, ""
            return True
        try:
            value = self._read(self._text(), self.path.name)
        except PriceListError as error:
            self.failures += 1
            self.error = str(error)
            return False
        self.value, self.error, self.loaded_at = value, "", datetime.now(UTC)
        self.loads += 1
        return True

    def _stamp(self) -> Stamp | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return Stamp(status.st_ino, status.st_size, status.st_mtime_ns)

    def _text(self) -> str:
        try:
            return self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            hint = "name a text file that can be read"
            raise PriceListError(str(self.path), [Problem(1, 0, f"it cannot be read ({reason})", hint)]) from error


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
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="llmlab-prices", daemon=True)

    @property
    def catalogue(self) -> Catalogue:
        """The fetched catalogue, else the one that genai-prices brings along."""
        return self.fetched.value or self._bundled

    @property
    def _own_prices(self) -> OwnPrices:
        return (self.own.value if self.own else None) or NO_OWN_PRICES

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End watching."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Look at the files once, and price by what is new in them."""
        changes = (self._look_at_own(), self._look_at_fetched())
        if any(changes):
            self.pricer.use(PriceBook(self.catalogue, self._own_prices))

    def details(self) -> dict[str, object]:
        """Say which prices apply, for `/readyz`."""
        found: dict[str, object] = {"catalogue": self.catalogue.label, "catalogue_error": self.fetched.error or None}
        if self.own:
            found["file"] = str(self.own.path)
            found["version"] = self._own_prices.label
            found["error"] = self.own.error or None
        return found

    def _look_at_own(self) -> bool:
        return self.own is not None and _look(self.own, "the previous prices stay in use")

    def _look_at_fetched(self) -> bool:
        return _look(self.fetched, "the catalogue before it stays in use")

    def _watch(self) -> None:
        while not self._stopping.wait(POLL_S):
            try:
                self.look()
            except Exception:  # noqa: BLE001 - logged with its traceback: watching must go on
                _log.exception("the price files could not be looked at; trying again in %s s", POLL_S)


def _look(file: WatchedFile[T], otherwise: str) -> bool:
    failures = file.failures
    changed = file.look()
    if file.failures > failures:
        _log.error("%s cannot be used, %s:\n%s", file.path, otherwise, file.error)
    elif changed and file.value is not None:
        _log.info("prices read from %s", file.path)
    return changed
