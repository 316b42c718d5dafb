"""The thread that moves acknowledged rows from the ledger into the store.

It may fail for as long as it likes: the rows stay in the ledger. After an error nobody knows whether an insert
arrived, so the store is asked before anything is sent again (`Store.complete`).
"""

import logging
import random
import threading
from collections.abc import Callable

import pyarrow as pa

from llmlab_exporter.ledger.outbox import Parcel
from llmlab_exporter.ledger.writer import Writer
from llmlab_exporter.store.store import Store

PARCEL_ROWS = 50_000
INTERVAL_S = 0.5
"""Between inserts when little arrives: often enough to be seen soon, seldom enough for the merge tree."""
MAX_BACKOFF_S = 30.0

log = logging.getLogger(__name__)


class Flusher:
    """Owns the store from `start` to `stop`."""

    def __init__(self, writer: Writer, connect: Callable[[], Store], interval_s: float = INTERVAL_S) -> None:
        self._writer = writer
        self._connect = connect
        self._interval_s = interval_s
        self._store: Store | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="llmlab-flusher", daemon=True)
        self.error = ""
        """Why the store does not take rows at the moment, "" when it does."""
        self.stored_rows = 0
        """Rows this process has put into the store."""
        self.failures = 0
        """Inserts that failed and were tried again."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Store what is pending, for at most `timeout_s` seconds; what is left stays in the ledger for next time."""
        self._stopping.set()
        self._thread.join(timeout_s)
        if not self._thread.is_alive() and self._store is not None:
            self._store.close()

    @property
    def store(self) -> Store | None:
        """The open store, for questions; None while it cannot be opened."""
        return self._store

    def _run(self) -> None:
        backoff_s = self._interval_s
        while True:
            last_round = self._stopping.is_set()
            try:
                busy = self._round()
            except Exception as error:  # noqa: BLE001 - the rows are safe in the ledger; say why and try again
                self._failed(error)
                if last_round or self._stopping.wait(backoff_s * random.uniform(0.5, 1.0)):  # noqa: S311 - jitter
                    return
                backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)
                continue
            backoff_s = self._interval_s
            if busy:
                continue
            if last_round:
                return
            self._stopping.wait(self._interval_s)

    def _round(self) -> bool:
        """Store one parcel; True when more may be waiting."""
        if self._store is None:
            store = self._connect()
            store.migrate()
            self._store = store
        for batch_id in self._writer.run(lambda book: book.outbox.unfinished()):
            parcel = self._writer.run(lambda book, wanted=batch_id: book.outbox.parcel(wanted))
            self._store.complete(unpack(parcel), batch_id)
            self._finish(parcel)
        parcel = self._writer.run(lambda book: book.outbox.cut(PARCEL_ROWS))
        self.error = ""
        if parcel is None:
            return False
        self._store.insert(unpack(parcel), parcel.batch_id)
        self._finish(parcel)
        return parcel.rows >= PARCEL_ROWS // 2

    def _finish(self, parcel: Parcel) -> None:
        self._writer.run(lambda book: book.outbox.finish(parcel.batch_id))
        self.stored_rows += parcel.rows

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        if not self.error:
            log.error("the store does not take rows; they wait in the ledger", exc_info=error)
        self.error = f"{type(error).__name__}: {error}".splitlines()[0][:500]


def unpack(parcel: Parcel) -> pa.Table:
    """Read the rows of a parcel."""
    parts = [pa.ipc.open_stream(payload).read_all() for payload in parcel.payloads]
    return pa.concat_tables(parts).combine_chunks()
