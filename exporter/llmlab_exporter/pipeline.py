"""What happens to an export request, from its bytes to the acknowledgement.

    receive -> decode -> normalise -> dedupe -> price -> commit -> acknowledge
                                                            |
                                               ledger: seen? sums, metrics, rows for the store

Everything up to the price is a pure function of the bytes and runs on worker threads. The commit is one transaction
(`ledger/`), and only after it is on disk does the sender get its answer.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from llmlab.pricing import Priced
from llmlab.pricing.pricer import Pricer
from llmlab.usage import Usage
from llmlab_exporter.assess import assess
from llmlab_exporter.batch import Batch, batch
from llmlab_exporter.call import Call, Intake
from llmlab_exporter.decode import decode
from llmlab_exporter.dialects import WANTED
from llmlab_exporter.exemplars import Exemplars
from llmlab_exporter.late import Late
from llmlab_exporter.ledger.writer import Writer
from llmlab_exporter.normalise import normalise
from llmlab_exporter.telemetry import Telemetry

WORKERS = 2
"""Threads that decode and price. More of them only quarrel over the interpreter lock."""


class Receipt(NamedTuple):
    """What the sender is told."""

    rejected: int
    """Spans that can never be accepted, so that sending them again is useless."""
    message: str
    """Which ones and why, "" when none was rejected."""


class Tracked(NamedTuple):
    """What became of a call that was reported by itself."""

    priced: Priced
    is_repeated: bool
    """Whether it was reported before, and did not count again."""


class Pipeline:
    """Takes export requests, and single calls. Any number of them may be under way at once."""

    def __init__(self, pricer: Pricer, writer: Writer, telemetry: Telemetry, late: Late | None = None) -> None:
        self.exemplars = Exemplars()
        self._pricer = pricer
        self._writer = writer
        self._telemetry = telemetry
        self._late = late
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="llmlab-worker")

    async def take(self, body: bytes, content_type: str) -> Receipt:
        """Process one request; it is durable when this returns.

        Raises `MalformedRequest` or `UnsupportedContentType` when the request cannot be read (sending it again is
        useless), `sqlite3.Error` when the ledger cannot take it now (sending it again is right).
        """
        loop = asyncio.get_running_loop()
        intake, prepared = await loop.run_in_executor(self._workers, self._prepare, body, content_type)
        await self._commit(intake, prepared)
        return Receipt(sum(intake.rejected.values()), intake.rejection)

    async def track(self, call: Call) -> Tracked:
        """Process a call that did not come as a span; it is durable when this returns.

        Raises `sqlite3.Error` when the ledger cannot take it now.
        """
        loop = asyncio.get_running_loop()
        intake = Intake([call], 0, {}, "")
        prepared = await loop.run_in_executor(self._workers, self._assess, intake)
        redelivered = await self._commit(intake, prepared)
        return Tracked(prepared.lines[0].priced, redelivered > 0)

    async def warm_up(self) -> None:
        """Load what the first request would otherwise wait for: the price list, Arrow, the workers."""
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(self._workers, self._rehearse) for _ in range(WORKERS)))

    def close(self) -> None:
        """End the worker threads."""
        self._workers.shutdown()

    def _rehearse(self) -> None:
        self._pricer.price("openai", ("gpt-4o",), Usage(1, 1), time.time_ns())
        batch([])

    def _prepare(self, body: bytes, content_type: str) -> tuple[Intake, Batch]:
        intake = normalise(decode(body, content_type, WANTED))
        return intake, self._assess(intake)

    def _assess(self, intake: Intake) -> Batch:
        return batch(assess(intake.calls, self._pricer))

    async def _commit(self, intake: Intake, prepared: Batch) -> int:
        """Commit what is new, count it, and return how many calls were not."""
        redelivered = 0
        if self._late is not None and self._late.is_late(prepared):
            prepared, redelivered = await self._late.check(prepared)
            if redelivered:
                await asyncio.to_thread(self._writer.run, lambda book: book.count_redelivered(redelivered))
        if prepared.lines:
            committed = await asyncio.wrap_future(self._writer.commit(prepared))
            redelivered += committed.redelivered
            if not redelivered:  # else some of them were compared before, and nobody says which
                self._telemetry.count_comparisons(prepared.lines)
                self.exemplars.note(prepared.lines)
            self._telemetry.observe_lag(prepared.lines)
        self._telemetry.count_intake(intake, redelivered)
        return redelivered
