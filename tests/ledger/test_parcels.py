"""Rows as they wait in the ledger: what all of them say is written once, and nobody can tell afterwards."""

import struct
from typing import Any
from zlib import crc32

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from calls import EVERYTHING, START_NS, line
from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.assess import Line
from llmlab_exporter.ledger.parcels import pack, unpack
from llmlab_exporter.recall import packed
from llmlab_exporter.rows import COLUMNS, SCHEMA, record_batch

lines = st.builds(
    line,
    st.integers(1, 1_000),
    st.sampled_from([None, 0, 1, 10**30]),
    start_ns=st.integers(START_NS, START_NS + 5),
    model=st.sampled_from(["", "gpt-5-mini", "m" * 300]),
    usage=st.sampled_from([NO_USAGE, Usage(0, 0), Usage(7, 9, cache_read=3)]),
    user=st.sampled_from(["", "u1", "u2"]),
    error=st.sampled_from(["", "RateLimitError"]),
    stream=st.sampled_from([None, False, True]),
    first_chunk_s=st.sampled_from([None, 0.0, 0.5]),
    billable=st.booleans(),
)


def columns(rows: pa.Table) -> dict[str, list[Any]]:
    """Return the columns of the store, whatever their order."""
    assert {column.name: rows.schema.field(column.name).type for column in COLUMNS} == {
        field.name: field.type for field in SCHEMA
    }
    return {name: rows.column(name).to_pylist() for name in SCHEMA.names}


def plain(lines: list[Line]) -> pa.Table:
    """Return the rows with every value in its place."""
    return pa.Table.from_batches([record_batch(lines)])


def written_before_constants(lines: list[Line]) -> bytes:
    """Pack rows as format 1 was."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA, options=pa.ipc.IpcWriteOptions(compression="lz4")) as stream:
        stream.write(record_batch(lines))
    body = sink.getvalue().to_pybytes()
    return struct.pack("<8sII", b"LLMLrows", 1, crc32(body)) + body


@given(st.lists(lines, min_size=1, max_size=5))
def test_packed_rows_say_what_the_calls_say(calls: list[Line]) -> None:
    assert columns(unpack([packed(calls)])) == columns(plain(calls))


@given(st.lists(st.lists(lines, min_size=1, max_size=3), min_size=1, max_size=4))
def test_requests_that_have_other_things_in_common_come_back_together_and_in_order(requests: list[list[Line]]) -> None:
    together = unpack([packed(calls) for calls in requests])
    assert columns(together) == columns(plain([each for calls in requests for each in calls]))


def test_rows_that_an_earlier_llmlab_wrote_are_read_beside_todays() -> None:
    old, new = [line(1, 5, **EVERYTHING), line(2, None)], [line(3), line(4)]
    together = unpack([packed(new), written_before_constants(old), packed(new)])
    assert columns(together) == columns(plain([*new, *old, *new]))


def test_rows_can_be_divided_and_packed_again() -> None:
    calls = [line(number) for number in range(1, 6)]
    rows = unpack([packed(calls)])
    again = unpack([pack(rows.slice(0, 2)), pack(rows.slice(2))])
    assert columns(again) == columns(plain(calls))


def test_what_all_calls_say_takes_its_place_once() -> None:
    one, hundred = (len(packed([line(number) for number in range(1, count + 1)])) for count in (1, 100))
    alike = columns(plain([line(number) for number in range(1, 101)]))
    differing = sum(len(set(values)) > 1 for values in alike.values())
    assert differing == 3  # trace, span, response
    assert (hundred - one) / 99 < 100  # 16, 8 and 38 bytes, and what tells where they begin
