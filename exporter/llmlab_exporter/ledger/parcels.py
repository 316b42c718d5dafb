"""Rows in the form in which they wait: Arrow IPC streams, compressed, behind a seal that tells damage."""

import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from zlib import compress, crc32, decompress

import pyarrow as pa

_PACKING = pa.ipc.IpcWriteOptions(compression="lz4")
"""A quarter of the bytes to write and flush, for a microsecond a row."""

FORMAT = 2
"""Raised when a later LLMLab writes what this one would misread. Before 2, there were no constants."""

_CONSTANTS = b"llmlab.constants"
"""In the metadata of the schema: the columns of which all rows have one value, as a stream with one row. They are three
of four, and as columns would take two thirds of the time to write and to read, and two fifths of the bytes."""

_SEAL = struct.Struct("<8sII")
"""Mark, format, CRC-32 of what follows; 16 bytes, so that Arrow's buffers stay aligned."""
_MARK = b"LLMLrows"


class Unreadable(Exception):
    """Rows that cannot be read: damaged, or written by a later LLMLab. The message says which."""


def pack(rows: "pa.Table | pa.RecordBatch", constants: bytes = b"") -> bytes:
    """Write rows, beside columns of which all have one value (`pack_constants`)."""
    if constants:
        rows = rows.replace_schema_metadata({_CONSTANTS: constants})
    packed = _written(rows)
    return _SEAL.pack(_MARK, FORMAT, crc32(packed)) + packed


def pack_constants(row: pa.RecordBatch) -> bytes:
    """Write one row that stands for all. It is the same for many requests, so the result is worth keeping."""
    return compress(_written(row), level=1)


def _written(rows: "pa.Table | pa.RecordBatch") -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=_PACKING) as stream:
        stream.write(rows)
    return sink.getvalue().to_pybytes()


def unpack(payloads: Sequence[bytes]) -> pa.Table:
    """Read rows. Those of an earlier version may lack a column, and have null there. Raises `Unreadable`."""
    parts = [
        _with_constants(pa.concat_tables(list(alike), promote_options="default"))
        for _, alike in groupby(map(_read, payloads), key=lambda rows: rows.schema.metadata)
    ]
    return pa.concat_tables(parts, promote_options="default").combine_chunks()


def _with_constants(rows: pa.Table) -> pa.Table:
    constants = (rows.schema.metadata or {}).get(_CONSTANTS)
    if constants is None:
        return rows
    rows = rows.replace_schema_metadata(None)
    row = _read_constants(constants)
    for name in row.column_names:
        rows = rows.append_column(name, pa.repeat(row.column(name)[0], rows.num_rows))
    return rows


@lru_cache(maxsize=256)
def _read_constants(constants: bytes) -> pa.Table:
    return pa.ipc.open_stream(decompress(constants)).read_all()


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
