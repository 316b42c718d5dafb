"""Calls that come so late that the window has forgotten what else was told of them: the store is asked instead.

A call that ended within the window's time can only have records that came within that time too. One that ended before
may have been stored long ago, as the same span or as another record of the same response. Few calls are as late, so it
is no matter that the question takes some milliseconds; those that come meanwhile share the next one.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Container, Sequence
from typing import NamedTuple

from llmlab.pricing.pricer import Pricer
from llmlab_exporter.assess import Line, line
from llmlab_exporter.batch import Batch, batch
from llmlab_exporter.call import Call
from llmlab_exporter.dedupe.rule import response_of
from llmlab_exporter.ledger.writer import Writer
from llmlab_exporter.store import history
from llmlab_exporter.store.flusher import Flusher
from llmlab_exporter.store.history import Known, Span
from llmlab_exporter.store.store import Store
from llmlab_exporter.window import Window

log = logging.getLogger(__name__)

_RULE = "same_response"

_PATIENCE_S = 4.0
"""How long a request waits for the store: senders wait for 10 seconds, and send again."""
_OPENING_S = 2.0
_POLL_S = 0.02


class Checked(NamedTuple):
    """What is left of a request."""

    batch: Batch
    redelivered: int
    """Spans that are stored already, and were left out."""


class Late:
    """Compares late calls with what is stored. Belongs to one event loop."""

    def __init__(
        self,
        flusher: Flusher,
        writer: Writer,
        window: Window,
        pricer: Pricer,
        window_s: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._flusher = flusher
        self._writer = writer
        self._window = window
        self._pricer = pricer
        self._window_s = window_s
        self._now = now
        self._waiting: list[tuple[list[Call], asyncio.Future[Known | None]]] = []
        self._asking: asyncio.Task[None] | None = None
        self.checked = 0
        """Late calls that were compared with the store, in this process."""
        self.unchecked = 0
        """Late calls that were counted without that, since the store did not answer."""

    def is_late(self, prepared: Batch) -> bool:
        """Whether some call ended before the window began."""
        oldest_ns = int((self._now() - self._window_s) * 1e9)
        return any(each.call.end_ns < oldest_ns for each in prepared.lines)

    async def check(self, prepared: Batch) -> Checked:
        """Leave out what is stored already, and mark what repeats a stored call."""
        try:
            known = await asyncio.wait_for(self._ask([each.call for each in prepared.lines]), _PATIENCE_S)
        except TimeoutError:
            known = None
        if known is None:
            self.unchecked += len(prepared.lines)
            return Checked(prepared, 0)
        self.checked += len(prepared.lines)
        forgotten = await asyncio.to_thread(self._writer.run, lambda _: self._forgotten(prepared, known))
        return _compared(prepared, known.spans, forgotten, self._pricer)

    def _forgotten(self, prepared: Batch, known: Known) -> dict[bytes, bytes]:
        """Return, by the spans that are billed in a request, those that are billed for the same responses already.

        What the window remembers is left to it: it compares what both records know. Runs in the window's thread.
        """
        found: dict[bytes, bytes] = {}
        for each in prepared.lines:
            call, own, response_id = each.call, each.own, response_of(each.call)
            billed = known.responses.get((call.org, call.project, response_id))
            if call.reading.billable and billed and not self._window.knows_response(own.org, own.project, response_id):
                found[call.span_id] = billed
        return found

    async def _ask(self, calls: list[Call]) -> Known | None:
        answer: asyncio.Future[Known | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((calls, answer))
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_all())
        return await answer

    async def _ask_all(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            known = await asyncio.to_thread(self._look, [call for calls, _ in waiting for call in calls])
            for _, answer in waiting:
                if not answer.done():  # its sender may have gone
                    answer.set_result(known)

    def _look(self, calls: Sequence[Call]) -> Known | None:
        try:
            store = self._opened()
            return None if store is None else history.known(store, calls)
        except Exception:  # whatever is wrong with the store, senders are answered
            log.warning("calls that came late are counted without looking for other records of them", exc_info=True)
            return None

    def _opened(self) -> Store | None:
        """Return the store, which is opened shortly after a start; None when it is away."""
        deadline = time.monotonic() + _OPENING_S
        while (store := self._flusher.store) is None and not self._flusher.error and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return store


def _compared(prepared: Batch, spans: Container[Span], forgotten: dict[bytes, bytes], pricer: Pricer) -> Checked:
    stored = {
        row
        for row, each in enumerate(prepared.lines)
        if (each.own.org, each.own.project, each.own.trace_id, each.own.span_id) in spans
    }
    sent_again = {prepared.lines[row].call.span_id for row in stored}
    billed = forgotten | {span: span for span in sent_again}
    if not billed:
        return Checked(prepared, 0)
    lines = [_marked(each, billed, pricer) for row, each in enumerate(prepared.lines) if row not in stored]
    return Checked(batch(lines), len(stored))


def _marked(each: Line, billed: dict[bytes, bytes], pricer: Pricer) -> Line:
    """Return a call as it is when another span is billed for it, or for what it repeats.

    Its own span counts as not billable from now on, so that the window never takes it for the call itself.
    """
    span = billed.get(each.duplicate_of or each.call.span_id)
    if span is None:
        return each
    repeated = line(_not_billable(each.call), pricer, span)
    said = None if each.said is None else _not_billable(each.said)
    return repeated._replace(rule=each.rule or _RULE, said=said)


def _not_billable(call: Call) -> Call:
    return call._replace(reading=call.reading._replace(billable=False))
