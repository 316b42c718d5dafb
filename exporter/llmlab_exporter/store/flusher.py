"""The thread that moves acknowledged rows from the ledger into the store.

It may fail for as long as it likes: the rows stay in the ledger. After an error nobody knows whether an insert
arrived, so the store is asked before anything is sent again (`Store.complete`). A row that the store refuses for what
is in it would be refused for ever: its parcel is halved, again and again, until the row is alone and is put aside.
What cannot be read any more is put aside too.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from llmlab_exporter.ledger.book import Book
from llmlab_exporter.ledger.dead_letters import MAX_DEAD_LETTERS, DeadLetter
from llmlab_exporter.ledger.outbox import Parcel
from llmlab_exporter.ledger.parcels import Unreadable, pack, unpack
from llmlab_exporter.ledger.writer import Writer
from llmlab_exporter.store.changes import keep_replaced
from llmlab_exporter.store.dead_letter_file import DeadLetterFile
from llmlab_exporter.store.refusals import is_for_good
from llmlab_exporter.store.retention import size_bytes
from llmlab_exporter.store.store import Store, missing, present

PARCEL_ROWS = 16_384
"""Of one insert. While it runs, the engine and Arrow hold about 10 KiB for each row, and larger ones are faster by a
tenth only."""
INTERVAL_S = 0.5
"""Between inserts when little arrives: often enough to be seen soon, seldom enough for the merge tree."""
MAX_BACKOFF_S = 30.0
MEASURE_S = 10.0
"""Between looks at what the store takes on its disk."""

log = logging.getLogger(__name__)


class Flusher:
    """Owns the store from `start` to `stop`.

    Rows that are refused for good are kept in the ledger, and written to `letters` if that is given.
    """

    def __init__(
        self,
        writer: Writer,
        connect: Callable[[], Store],
        interval_s: float = INTERVAL_S,
        letters: DeadLetterFile | None = None,
    ) -> None:
        self._writer = writer
        self._connect = connect
        self._letters = letters
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
        self.buried_rows = 0
        """Rows that the store refused for good, or that could not be read, in this process."""
        self.store_bytes: int | None = None
        """What the store's tables take, as of some seconds ago; None while nobody knows."""
        self._measured = -MEASURE_S
        self._letters_lock = threading.Lock()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Store what is pending, for at most `timeout_s` seconds; what is left stays in the ledger for next time."""
        self._stopping.set()
        self._thread.join(timeout_s)
        if not self._thread.is_alive() and self._store is not None:
            self._store.close()

    def send_again(self, letter_ids: Sequence[int] | None) -> int:
        """Give dead letters, or all of them, another try, and return how many calls that are. Suits any thread."""
        sent = self._writer.run(lambda book: book.dead_letters.send_again(letter_ids))
        self._write_letters()
        return sent

    def discard(self, letter_ids: Sequence[int]) -> int:
        """Forget dead letters for good, and return how many calls that are. Suits any thread."""
        discarded = self._writer.run(lambda book: book.dead_letters.discard(letter_ids))
        self._write_letters()
        return discarded

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
            self._write_letters()
        for batch_id in self._writer.run(lambda book: book.outbox.unfinished()):
            parcel = self._writer.run(lambda book, wanted=batch_id: book.outbox.parcel(wanted))
            self._deliver(parcel, self._store, self._store.complete)
        parcel = self._writer.run(lambda book: book.outbox.cut(PARCEL_ROWS))
        self.error = ""
        if parcel is None:
            self._measure(self._store)
            return False
        delivered = self._deliver(parcel, self._store, self._store.insert)
        pa.default_memory_pool().release_unused()  # else Arrow keeps what the largest parcel took
        self._measure(self._store)
        return parcel.rows >= PARCEL_ROWS // 2 or not delivered

    def _deliver(self, parcel: Parcel, store: Store, send: Callable[[pa.Table, str], None]) -> bool:
        """Store a parcel; False when some row of it is refused for good or cannot be read, so that some is left."""
        try:
            rows = unpack(parcel.payloads)
        except Unreadable:
            self._bury_unreadable(parcel)
            return False
        keep_replaced(store, rows, parcel.batch_id)
        try:
            send(rows, parcel.batch_id)
        except Exception as error:
            if not is_for_good(error):
                raise
            self._divide(parcel, rows, store.stored(parcel.batch_id), error)
            return False
        self._finish(parcel)
        return True

    def _divide(self, parcel: Parcel, rows: pa.Table, months: dict[int, int], error: Exception) -> None:
        """Halve what the store lacks of a parcel, until the row that is refused is alone and can be put aside.

        `months` are those of which the store has the rows.
        """
        batch_id = parcel.batch_id
        left = missing(rows, months)
        if left.num_rows == 1 == parcel.rows:
            reason = _brief(error)
            self._bury(lambda book: book.dead_letters.bury(batch_id, reason))
            return
        half = left.num_rows // 2
        parts = [_entry(part) for part in (left.slice(0, half), left.slice(half)) if part.num_rows]
        stored = _entry(present(rows, months))
        self._writer.run(lambda book: book.dead_letters.divide(batch_id, parts, stored))
        self.stored_rows += stored[0]

    def _bury_unreadable(self, parcel: Parcel) -> None:
        """Put aside the first entry of a parcel that cannot be read; the rest of the parcel stays what it is."""
        for place, payload in enumerate(parcel.payloads):
            if reason := _flaw(payload):
                self._bury(partial(_bury_entry, parcel.batch_id, place, reason))
                return

    def _bury(self, bury: Callable[[Book], DeadLetter]) -> None:
        with self._letters_lock:
            letter = self._writer.run(bury)
            self.buried_rows += letter.rows
            log.error("dead letter %d, calls that are not stored: %d: %s", letter.letter_id, letter.rows, letter.reason)
            if self._letters is not None:
                self._letters.append(letter)

    def _measure(self, store: Store) -> None:
        """Look now and then at what the store takes on its disk; a server may deny the answer, and stores rows."""
        if time.monotonic() < self._measured + MEASURE_S:
            return
        self._measured = time.monotonic()
        try:
            self.store_bytes = size_bytes(store)
        except ClickHouseError as error:
            log.warning("the store does not say how large it is: %s", _brief(error))
            self.store_bytes = None

    def _write_letters(self) -> None:
        if self._letters is None:
            return
        with self._letters_lock:
            self._letters.write(self._writer.run(lambda book: book.dead_letters.latest(MAX_DEAD_LETTERS)))

    def _finish(self, parcel: Parcel) -> None:
        self._writer.run(lambda book: book.outbox.finish(parcel.batch_id))
        self.stored_rows += parcel.rows

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        if not self.error:
            log.error("the store does not take rows; they wait in the ledger", exc_info=error)
        self.error = _brief(error)


def _entry(rows: pa.Table) -> tuple[int, bytes]:
    """Return rows as the outbox takes them."""
    return rows.num_rows, pack(rows)


def _flaw(payload: bytes) -> str:
    """Say why rows cannot be read, "" when they can."""
    try:
        unpack([payload])
    except Unreadable as error:
        return str(error)
    return ""


def _bury_entry(batch_id: str, place: int, reason: str, book: Book) -> DeadLetter:
    return book.dead_letters.bury_entry(batch_id, place, reason)


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:500]
