"""What the ledger remembers of calls, read back: also what an earlier LLMLab wrote, which knew fewer counts."""

import pyarrow as pa
import pytest

from calls import EVERYTHING, call, line
from llmlab.usage import Usage
from llmlab_exporter.assess import Line
from llmlab_exporter.ledger.parcels import pack, unpack
from llmlab_exporter.recall import packed, recalled

SAID = call(7, usage=Usage(9, 4, web_searches=2))
WHOLE = line(7, 5, **EVERYTHING)


def test_a_call_comes_back_as_it_was_and_as_its_span_said_it() -> None:
    (found,) = recalled(packed([WHOLE._replace(said=SAID)]))
    assert found.line.call.reading.usage == WHOLE.call.reading.usage
    assert found.line.said is not None
    assert found.line.said.reading.usage == SAID.reading.usage


def without(column: str, lines: list[Line]) -> bytes:
    """Pack calls as somebody who knew nothing of a column."""
    table: pa.Table = unpack([packed(lines)])
    return pack(table.drop_columns([column]))


def test_a_count_that_an_earlier_llmlab_did_not_know_was_reported_by_nobody() -> None:
    (found,) = recalled(without("images", [WHOLE]))
    assert found.line.call.reading.usage == WHOLE.call.reading.usage._replace(images=None)


@pytest.mark.parametrize("column", ["said", "scope", "sampling_threshold"])
def test_calls_of_an_earlier_llmlab_that_lack_anything_else_are_forgotten(column: str) -> None:
    assert list(recalled(without(column, [WHOLE]))) == []


def test_counts_that_were_written_without_their_names_are_those_of_the_call() -> None:
    rows: pa.Table = unpack([packed([WHOLE])])
    nameless = pa.array(['[{}, {"user": "u9", "usage": [9, 4, null, 2]}]'], pa.string())
    (found,) = recalled(pack(rows.set_column(rows.column_names.index("said"), "said", nameless)))
    assert found.line.own.reading.user == "u9"
    assert found.line.own.reading.usage == WHOLE.call.reading.usage
