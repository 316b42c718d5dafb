"""Rows in the form in which they wait: Arrow IPC streams, compressed, behind a seal that tells damage."""

import struct
from collections.abc import Sequence
from zlib import crc32

import pyarrow as pa

_PACKING = pa.ipc.IpcWriteOptions(compression="lz4")
"""A quarter of the bytes to write and flush, for a microsecond a row."""

FORMAT = 1
"""Raised when a later LLMLab writes what this one would misread."""

_SEAL = struct.Struct("<8sII")
"""Mark, format, CRC-32 of what follows; 16 bytes, so that Arrow's buffers stay aligned."""
_MARK = b"LLMLrows"


class Unreadable(Exception):
    """Rows that cannot be read: damaged, or written by a later LLMLab. The message says which."""


def pack(rows: "pa.Table | pa.RecordBatch") -> bytes:
    """Write rows."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=_PACKING) as stream:
        stream.write(rows)
    packed = sink.getvalue().to_pybytes()
    return _SEAL.pack(_MARK, FORMAT, crc32(packed)) + packed


def unpack(payloads: Sequence[bytes]) -> pa.Table:
    """Read rows. Those of an earlier version may lack a column, and have null there. Raises `Unreadable`."""
    parts = [_read(payload) for payload in payloads]
    return pa.concat_tables(parts, promote_options="default").combine_chunks()


def _read(payload: bytes) -> pa.Table:
    """Read the rows of one payload. Those that were written before there was a seal are checked value by value."""
    is_sealed = payload.startswith(_MARK)
    stream = _unsealed(payload) if is_sealed else pa.py_buffer(payload)
    try:
        rows = pa.ipc.open_stream(stream).read_all()
        if not is_sealed:
            rows.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(f"these rows are damaged: {error}") from error
    return rows


def _unsealed(payload: bytes) -> pa.Buffer:
    if len(payload) < _SEAL.size:
        raise Unreadable(f"these rows are damaged: {len(payload)} bytes are left of them")
    _, written_format, checksum = _SEAL.unpack_from(payload)
    if written_format > FORMAT:
        raise Unreadable(
            f"these rows were written by a later LLMLab, which has to be started again: format {written_format}, "
            f"and this one reads {FORMAT}"
        )
    stream = pa.py_buffer(payload).slice(_SEAL.size)
    if crc32(stream) != checksum:
        raise Unreadable("these rows are damaged: their checksum is wrong")
    return stream
