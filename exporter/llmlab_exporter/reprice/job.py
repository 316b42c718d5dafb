"""Runs one repricing at a time beside the ingest, and goes on with it after a crash."""

import json
import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from llmlab.pricing.pricer import Pricer
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.ledger.changes import Change
from llmlab_exporter.ledger.writer import Writer
from llmlab_exporter.reprice.chunk import PRICE_COLUMNS, Pending, new_prices, reprice
from llmlab_exporter.reprice.reading import CHUNK_ROWS, Calls, Cursor, load_cursor
from llmlab_exporter.reprice.report import Report, load_report
from llmlab_exporter.reprice.request import Request, read_request
from llmlab_exporter.store import changes
from llmlab_exporter.store.store import Store
from llmlab_exporter.window import Window

KIND = "reprice"
RETRY_S = 2.0
POLL_S = 0.1
KEPT_DRY_RUNS = 20
"""Finished dry runs that can still be asked about. Runs that changed something are kept in the ledger for good."""

State = Literal["waiting", "running", "done", "cancelled"]

log = logging.getLogger(__name__)


class CorrectedMeanwhile(RuntimeError):
    """A call that was priced again has another version by now: the chunk is read again."""


class Busy(RuntimeError):
    """Another repricing runs; the message names it."""


@dataclass(slots=True)
class Job:
    """One repricing."""

    job_id: str
    request: Request
    catalogue: str
    """By which prices."""
    state: State = "waiting"
    total_calls: int = 0
    """About how many calls are to be priced; known once it runs."""
    report: Report = field(default_factory=Report)
    chunk: int = 0
    cursor: Cursor = field(default_factory=Cursor)
    error: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def ended(self) -> bool:
        """Whether nothing will happen any more."""
        return self.state in {"done", "cancelled"}


class Repricer:
    """Starts, remembers and stops jobs. Its methods suit any thread."""

    def __init__(
        self,
        writer: Writer,
        store: Callable[[], Store | None],
        pricer: Pricer,
        window: Window,
        chunk_rows: int = CHUNK_ROWS,
    ) -> None:
        self._writer = writer
        self._store = store
        self._pricer = pricer
        self._window = window
        self._chunk_rows = chunk_rows
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._thread: threading.Thread | None = None

    def resume(self) -> None:
        """Go on with what a crash or a shutdown interrupted."""
        interrupted = self._writer.run(lambda book: book.changes.running(KIND))
        if interrupted is not None:
            log.info("going on with repricing %s", interrupted.change_id)
            with self._lock:
                self._launch(_job(interrupted))

    def start(self, request: Request) -> Job:
        """Begin a job. Raises `Busy` while another one runs."""
        with self._lock:
            for job in self._jobs.values():
                if not job.ended:
                    raise Busy(f"repricing {job.job_id} is running")
            job = Job(secrets.token_hex(6), request, _label(self._pricer))
            if not request.dry_run:
                described = json.dumps({"request": request.as_json(), "catalogue": job.catalogue})
                self._writer.run(
                    lambda book: book.changes.begin(job.job_id, KIND, described, job.cursor.dump(), job.report.dump())
                )
            self._launch(job)
        return job

    def find(self, job_id: str) -> Job | None:
        """Return a job, also one of an earlier process that was no dry run."""
        if job_id in self._jobs:
            return self._jobs[job_id]
        change = self._writer.run(lambda book: book.changes.find(job_id))
        return None if change is None or change.kind != KIND else _job(change)

    def latest(self, limit: int = 20) -> list[Job]:
        """Return the latest jobs that were no dry runs, the newest first."""
        found = self._writer.run(lambda book: book.changes.latest(KIND, limit))
        return [self._jobs.get(change.change_id) or _job(change) for change in found]

    def stop(self) -> None:
        """Stop after the current chunk; the next process goes on."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _launch(self, job: Job) -> None:
        ended = [job_id for job_id, earlier in self._jobs.items() if earlier.ended]
        for job_id in ended[: max(len(ended) - KEPT_DRY_RUNS, 0)]:
            del self._jobs[job_id]
        self._jobs[job.job_id] = job
        self._thread = threading.Thread(target=self._run, args=(job,), name="llmlab-reprice", daemon=True)
        self._thread.start()

    def _run(self, job: Job) -> None:
        """Run a job until it ends or the process stops; what fails in passing is tried again behind the last chunk."""
        while not (job.ended or self._stopping.is_set()):
            try:
                if job.error:
                    self._return_to_ledger(job)
                self._finish_chunk(job)
                if self._stopping.is_set():
                    return
                if job.cancelled.is_set():
                    if not job.request.dry_run:
                        self._return_to_ledger(job)  # what was priced and not recorded did not happen
                    self._end(job, "cancelled")
                else:
                    self._go(job)
            except Exception as error:
                if not job.error:
                    log.exception("repricing %s failed and is tried again", job.job_id)
                job.error = f"{type(error).__name__}: {error}".splitlines()[0][:500]
                self._stopping.wait(RETRY_S)

    def _go(self, job: Job) -> None:
        """Price chunk after chunk, until the end or until the job is told to stop."""
        store = self._ready_store(job)
        if store is None:
            return
        ledger_id = self._writer.run(lambda book: book.ledger_id)
        pricer = Pricer(self._pricer.book.catalogue, self._pricer.book.own)  # prices may be exchanged meanwhile
        calls = Calls(store, ledger_id, job.request)
        job.total_calls = calls.count()
        job.state = "running"
        pending = Pending(self._chunk_rows)
        for table, cursor in calls.chunks(job.cursor, self._chunk_rows):
            if job.cancelled.is_set() or self._stopping.is_set():
                return
            pending.add(reprice(table, pricer, job.report), table.num_rows, cursor)
            if pending.is_full and not job.request.dry_run:
                self._record(job, pending, store)
            job.error = ""
        if pending.calls and not job.request.dry_run:
            self._record(job, pending, store)
        self._end(job, "done")

    def _ready_store(self, job: Job) -> Store | None:
        """Wait until the store has all calls that were accepted before; None when the job is over first."""
        newest = self._writer.run(lambda book: book.outbox.newest())
        while not (self._stopping.is_set() or job.cancelled.is_set()):
            store = self._store()
            oldest = self._writer.run(lambda book: book.outbox.oldest())
            if store is not None and (oldest is None or oldest > newest):
                return store
            self._stopping.wait(POLL_S)
        return None

    def _record(self, job: Job, pending: Pending, store: Store) -> None:
        """Stage, record and apply what is pending."""
        rows, differences, cursor = pending.take()
        changes.stage(store, _change(job), rows)
        prices = new_prices(rows)

        def advance(book: Book) -> bool:
            repricing = self._window.reprice(prices)
            if repricing is None:
                raise CorrectedMeanwhile("a call was corrected while it was priced again; its new version comes first")
            recent = (len(repricing.changes), repricing.payload)
            progress = (job.chunk + 1, cursor.dump(), job.report.dump())
            if not book.advance_change(job.job_id, *progress, differences, recent):
                return False
            repricing.keep()
            return True

        if not self._writer.run(advance):
            raise RuntimeError(f"chunk {job.chunk + 1} of repricing {job.job_id} was recorded before")
        job.chunk += 1
        job.cursor = cursor
        self._apply(job, store)

    def _finish_chunk(self, job: Job) -> None:
        """Apply the chunk that was recorded last, unless the store has it."""
        if job.request.dry_run:
            return
        change = self._writer.run(lambda book: book.changes.find(job.job_id))
        if change is None or change.chunk == change.confirmed:
            return
        while not self._stopping.wait(POLL_S):
            if store := self._store():  # also when the job was cancelled meanwhile: the ledger counts on this chunk
                self._apply(job, store)
                return

    def _apply(self, job: Job, store: Store) -> None:
        changes.apply(store, _change(job))
        self._writer.run(lambda book: book.changes.confirm(job.job_id, job.chunk))

    def _end(self, job: Job, state: State) -> None:
        store = self._store()
        if job.chunk and store is not None:
            changes.unstage(store, _change(job))
        if not job.request.dry_run:
            self._writer.run(lambda book: book.changes.end(job.job_id, state))
        job.error = ""
        job.state = state

    def _return_to_ledger(self, job: Job) -> None:
        """Make a job say what is durable: a dry run begins anew."""
        change = None
        if not job.request.dry_run:
            change = self._writer.run(lambda book: book.changes.find(job.job_id))
        durable = Job(job.job_id, job.request, job.catalogue) if change is None else _job(change)
        job.report, job.chunk, job.cursor = durable.report, durable.chunk, durable.cursor


def _change(job: Job) -> changes.Change:
    return changes.Change(job.job_id, KIND, PRICE_COLUMNS)


def _label(pricer: Pricer) -> str:
    return ", ".join(filter(None, (pricer.book.own.label, pricer.book.catalogue.label)))


def _job(change: Change) -> Job:
    described = json.loads(change.request)
    states: dict[str, State] = {"done": "done", "cancelled": "cancelled"}
    report = load_report(change.report)
    return Job(
        job_id=change.change_id,
        request=read_request(described["request"]),
        catalogue=described["catalogue"],
        state=states.get(change.state, "waiting"),
        total_calls=report.calls,
        report=report,
        chunk=change.chunk,
        cursor=load_cursor(change.cursor),
        error=change.error,
    )
