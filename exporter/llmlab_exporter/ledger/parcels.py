"""Rows in the form in which they wait: Arrow IPC streams, compressed."""

from collections.abc import Sequence

import pyarrow as pa

_PACKING = pa.ipc.IpcWriteOptions(compression="lz4")
"""A quarter of the bytes to write and flush, for a microsecond a row."""


def pack(rows: "pa.Table | pa.RecordBatch") -> bytes:
    """Write rows."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=_PACKING) as stream:
        stream.write(rows)
    return sink.getvalue().to_pybytes()


def unpack(payloads: Sequence[bytes]) -> pa.Table:
    """Read rows. Those of an earlier version may lack a column, and have null there."""
    parts = [pa.ipc.open_stream(payload).read_all() for payload in payloads]
    return pa.concat_tables(parts, promote_options="default").combine_chunks()
