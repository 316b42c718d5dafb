"""The one thread that writes the ledger: requests that arrive together share one transaction and one disk flush."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol, TypeVar

from llmlab_exporter.ledger.book import Book, Entry
from llmlab_exporter.ledger.seen import split_keys

MAX_GROUP_SPANS = 32_768
"""Spans after which a transaction takes no further request."""

Result = TypeVar("Result")

log = logging.getLogger(__name__)


class Committable(Protocol):
    """A batch that can be written whole, or without spans that turn out to be known already."""

    @property
    def entry(self) -> Entry:
        """All of it."""
        ...

    def without(self, rows: set[int]) -> Entry:
        """Return the entry that remains when the rows at these positions are left out."""
        ...


class Joined(Protocol):
    """What batches amount to."""

    @property
    def entries(self) -> list[Entry]:
        """What goes into the ledger."""
        ...


class Joiner(Protocol):
    """Compares batches with what was committed before."""

    def join(self, batches: Sequence[Any], dropped: Sequence[set[int]]) -> Any:
        """Return what batches amount to without the rows at some positions, as `Joined`. `keep` or `drop` follows."""
        ...

    def keep(self, joined: Any) -> None:
        """Learn that it was committed."""
        ...

    def drop(self, joined: Any) -> None:
        """Learn that it was not."""
        ...


class Apart:
    """Compares nothing: every batch is what it is."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def join(self, batches: Sequence[Committable], dropped: Sequence[set[int]]) -> Joined:
        """Leave out the dropped rows."""
        joined = Apart()
        joined.entries = [
            batch.without(rows) if rows else batch.entry for batch, rows in zip(batches, dropped, strict=True)
        ]
        return joined

    def keep(self, joined: Joined) -> None:
        """Do nothing."""

    def drop(self, joined: Joined) -> None:
        """Do nothing."""


class Committed(NamedTuple):
    """What became of one batch."""

    stored: int
    redelivered: int
    """Spans that had been committed before, and were not counted again."""


class _Order(NamedTuple):
    batch: Committable
    done: Future[Committed]


class _Job(NamedTuple):
    run: Callable[[Book], Any]
    done: Future[Any]


class _Stop:
    """The end of the queue."""


_Item = _Order | _Job | _Stop


class Writer:
    """Runs every transaction of one book, in order of arrival."""

    def __init__(self, book: Book, joiner: Joiner | None = None) -> None:
        self._book = book
        self._joiner: Joiner = Apart() if joiner is None else joiner
        self._queue: SimpleQueue[_Item] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="llmlab-ledger", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def commit(self, batch: Committable) -> Future[Committed]:
        """Queue a batch. The future resolves when it is durable, or fails with the disk's error."""
        done: Future[Committed] = Future()
        self._queue.put(_Order(batch, done))
        return done

    def run(self, job: Callable[[Book], Result]) -> Result:
        """Run a job on the book between transactions, and wait for its result."""
        done: Future[Result] = Future()
        self._queue.put(_Job(job, done))
        return done.result()

    def stop(self) -> None:
        """Finish what is queued, then close the book."""
        self._queue.put(_Stop())
        self._thread.join()
        self._book.close()

    def _run(self) -> None:
        item: _Item = self._queue.get()
        while not isinstance(item, _Stop):
            following: _Item | None = None
            if isinstance(item, _Job):
                _settle(item, self._book)
            else:
                group, following = self._group(item)
                self._commit_group(group)
            item = following or self._queue.get()

    def _group(self, first: _Order) -> tuple[list[_Order], _Item | None]:
        """Take what has arrived meanwhile, up to a full group, and the next item if it is not part of it."""
        group: list[_Order] = []
        spans = 0
        item: _Item = first
        while isinstance(item, _Order) and spans < MAX_GROUP_SPANS:
            # False: its sender went away and never got an answer, so it will send again
            if item.done.set_running_or_notify_cancel():
                group.append(item)
                spans += item.batch.entry.rows
            if self._queue.empty():
                return group, None
            item = self._queue.get()
        return group, item

    def _commit_group(self, group: list[_Order]) -> None:
        try:
            if self._write(group, [set() for _ in group]):
                outcomes = [Committed(order.batch.entry.rows, 0) for order in group]
            else:
                outcomes = self._commit_new_spans(group)
        except Exception as error:
            log.exception("the ledger could not commit %d requests", len(group))
            for order in group:
                order.done.set_exception(error)
            return
        for order, outcome in zip(group, outcomes, strict=True):
            order.done.set_result(outcome)

    def _commit_new_spans(self, group: list[_Order]) -> list[Committed]:
        """Commit a group in which spans repeat: each span once, the first that arrived."""
        known = self._book.seen.known(key for order in group for key in split_keys(order.batch.entry.keys))
        dropped: list[set[int]] = []
        outcomes: list[Committed] = []
        for order in group:
            repeated: set[int] = set()
            for row, key in enumerate(split_keys(order.batch.entry.keys)):
                if key in known:
                    repeated.add(row)
                known.add(key)
            dropped.append(repeated)
            outcomes.append(Committed(order.batch.entry.rows - len(repeated), len(repeated)))
        redelivered = sum(outcome.redelivered for outcome in outcomes)
        if not self._write(group, dropped, redelivered):
            raise RuntimeError("keys that were sorted out are still known: the ledger is inconsistent")
        return outcomes

    def _write(self, group: list[_Order], dropped: list[set[int]], redelivered: int = 0) -> bool:
        """Commit a group without the dropped rows; False, and nothing has happened, when some span is known."""
        joined = self._joiner.join([order.batch for order in group], dropped)
        committed = False
        try:
            committed = self._book.commit([entry for entry in joined.entries if entry.rows], redelivered)
        finally:
            if committed:
                self._joiner.keep(joined)
            else:
                self._joiner.drop(joined)
        return committed


def _settle(job: _Job, book: Book) -> None:
    try:
        result = job.run(book)
    except Exception as error:  # noqa: BLE001 - handed to the thread that asked
        job.done.set_exception(error)
    else:
        job.done.set_result(result)
