"""Priced calls of one export request, in the form in which the ledger takes them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from llmlab_exporter.assess import Line
from llmlab_exporter.ledger.book import Entry
from llmlab_exporter.ledger.seen import span_key
from llmlab_exporter.rows import record_batch
from llmlab_exporter.tally import tally

_PACKING = pa.ipc.IpcWriteOptions(compression="lz4")
"""A quarter of the bytes to write and flush, for a microsecond a row."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The calls, and their entry for the ledger."""

    lines: Sequence[Line]
    entry: Entry

    def without(self, rows: set[int]) -> Entry:
        """Return the entry that is left without the calls at these positions."""
        return entry([line for row, line in enumerate(self.lines) if row not in rows])


def batch(lines: Sequence[Line]) -> Batch:
    """Prepare calls for the ledger."""
    return Batch(lines, entry(lines))


def entry(lines: Sequence[Line]) -> Entry:
    """Work out the effects of calls: keys, sums, and rows for the store."""
    keys = b"".join([span_key(call.org, call.project, call.trace_id, call.span_id) for call, *_ in lines])
    return Entry(keys=keys, tallies=tally(lines), rows=len(lines), payload=_pack(lines))


def _pack(lines: Sequence[Line]) -> bytes:
    rows = record_batch(lines)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=_PACKING) as stream:
        stream.write_batch(rows)
    return sink.getvalue().to_pybytes()
