"""Files that are followed while the exporter runs: each is looked at by a `Watcher`, and read when it was written.

Inode, size and time of change tell whether it was. A file that cannot be used changes nothing: what was read before it
stays in use, and the log, a metric and `/readyz` say so.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from llmlab.pricing.catalogue.sheet import PriceListError, Problem

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Stamp(NamedTuple):
    """What changes when a file is written or replaced."""

    inode: int
    size: int
    changed_ns: int


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


def look_at(file: WatchedFile[T], content: str, otherwise: str) -> bool:
    """Look at a file and log what came of it. `content` is what is read, `otherwise` what holds when it cannot be."""
    failures = file.failures
    changed = file.look()
    if file.failures > failures:
        _log.error("%s cannot be used, %s:\n%s", file.path, otherwise, file.error)
    elif changed and file.value is not None:
        _log.info("%s read from %s", content, file.path)
    return changed
