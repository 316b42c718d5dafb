"""What both transports have in common: admit, process, and turn every failure into one of OTLP's answers."""

import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable

from llmlab_exporter.decode import MalformedRequest, UnsupportedContentType
from llmlab_exporter.pipeline import Pipeline, Receipt
from llmlab_exporter.receive.admission import Admission, Hold
from llmlab_exporter.receive.refusal import Busy, LedgerFailing, Malformed, Refusal, UnsupportedMedia
from llmlab_exporter.telemetry import Telemetry

log = logging.getLogger(__name__)


class Door:
    """Takes requests of one transport into the pipeline."""

    def __init__(self, transport: str, pipeline: Pipeline, admission: Admission, telemetry: Telemetry) -> None:
        self._transport = transport
        self._pipeline = pipeline
        self._admission = admission
        self._telemetry = telemetry

    async def enter(self, size: int, content_type: str, read: Callable[[Hold], Awaitable[bytes]]) -> Receipt:
        """Read a body of a size known so far and process it. Raises `Refusal`, counted, and nothing else."""
        began = time.perf_counter()
        try:
            with self._admission.hold(size) as hold:
                self._telemetry.held_bytes.set(self._admission.held_bytes)
                receipt = await self._take(await read(hold), content_type)
        except Refusal as refusal:
            self._telemetry.count_refusal(self._transport, refusal.reason)
            raise
        finally:
            self._telemetry.held_bytes.set(self._admission.held_bytes)
        self._telemetry.acknowledged.labels(self._transport).observe(time.perf_counter() - began)
        return receipt

    async def _take(self, body: bytes, content_type: str) -> Receipt:
        try:
            return await self._pipeline.take(body, content_type)
        except MalformedRequest as error:
            raise Malformed(str(error)) from error
        except UnsupportedContentType as error:
            raise UnsupportedMedia(str(error)) from error
        except sqlite3.Error as error:
            raise LedgerFailing(f"the ledger did not take the spans: {error}; try again in a second") from error
        except Exception as error:
            # An error of ours must not cost the sender its data, as a final refusal would.
            log.exception("a request of %d bytes failed", len(body))
            raise Busy("the exporter failed on this request; see its log") from error
