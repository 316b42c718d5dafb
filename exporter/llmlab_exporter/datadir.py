"""The directory that an exporter keeps its data in, and the lock that makes it one exporter's alone."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from llmlab_exporter.config import StartupError


class DataDir:
    """A locked data directory. The lock ends with the process, however it ends."""

    def __init__(self, path: Path) -> None:
        """Create and lock a directory; raises `StartupError` when it cannot be written or is in use."""
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartupError(
                f"the data directory {path} cannot be used: {error.strerror}",
                "name one that you may write to with --data DIR",
            ) from error
        self._take_lock()

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.path / "ledger.sqlite"

    @property
    def engine(self) -> Path:
        """The embedded engine's directory."""
        return self.path / "clickhouse"

    @property
    def engine_config(self) -> Path:
        """The embedded engine's roles and row policies, written at each start."""
        return self.path / "clickhouse-access.xml"

    @property
    def dead_letters(self) -> Path:
        """The calls that the store refused for good."""
        return self.path / "dead-letters.jsonl"

    @property
    def other_exporters(self) -> Path:
        """What is known of exporters that share the budgets."""
        return self.path / "other-exporters.json"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(self._lock, 32).decode().strip()
            os.close(self._lock)
            raise StartupError(
                f"another exporter (process {owner or 'unknown'}) uses the data directory {self.path}",
                "stop it first, or name another directory with --data DIR",
            ) from error
        os.ftruncate(self._lock, 0)
        os.write(self._lock, f"{os.getpid()}\n".encode())
