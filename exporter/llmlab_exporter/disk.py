"""How much room there is, and how much must stay: a disk that is filled to the end cannot even be tidied up.

The embedded engine needs room to drop a partition, and the ledger to take a row out of its queue.
"""

import os
from pathlib import Path

MIN_FREE_BYTES = 256 * 1024 * 1024
MIN_FREE_SHARE = 0.02
"""What stays free unless it is set: the smaller of the two, so that a small disk can be used at all."""

_MIB = 1024 * 1024


class Disk:
    """The disk that a data directory lies on. Its methods suit any thread."""

    def __init__(self, path: Path, min_free_bytes: int | None = None) -> None:
        """`min_free_bytes` is what must stay free; None for the smaller of 256 MiB and 2 % of the disk."""
        self._path = path
        self._min_free_bytes = min_free_bytes

    @property
    def free_bytes(self) -> int:
        """What this process may still write."""
        found = os.statvfs(self._path)
        return found.f_bavail * found.f_frsize

    @property
    def min_free_bytes(self) -> int:
        """What must stay free."""
        if self._min_free_bytes is not None:
            return self._min_free_bytes
        found = os.statvfs(self._path)
        return min(MIN_FREE_BYTES, int(found.f_blocks * found.f_frsize * MIN_FREE_SHARE))

    @property
    def ledger_bytes(self) -> int:
        """The ledger with its write-ahead log."""
        return sum(file.stat().st_size for file in self._path.glob("ledger.sqlite*"))

    @property
    def problem(self) -> str:
        """Why nothing more may be written, "" when there is room."""
        free_bytes, min_free_bytes = self.free_bytes, self.min_free_bytes
        if free_bytes >= min_free_bytes:
            return ""
        return (
            f"the disk of {self._path} has {free_bytes // _MIB} MiB left, and {min_free_bytes // _MIB} MiB must stay "
            "free (--min-free-mib); make room, for example by 'llmlab prune', and spans are accepted again"
        )
