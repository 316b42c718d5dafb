"""What the ledger remembers of calls, read back: also what an earlier LLMLab wrote, which knew fewer counts."""

from pathlib import Path

import pyarrow as pa
import pytest

from calls import EVERYTHING, call, line
from llmlab.usage import Usage
from llmlab_exporter.assess import Line
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.ledger.parcels import pack, unpack
from llmlab_exporter.ledger.recent import Limits
from llmlab_exporter.recall import packed, recalled
from window.requests import Ledger

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


def test_after_a_long_outage_no_more_is_read_than_is_remembered(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, Limits(calls=3))
    for number in range(1, 21):
        ledger.send([call(number)])
    ledger.restart()
    assert len(list(ledger.book.recent.payloads())) == 3
    assert len(ledger.window) == 3
    assert ledger.send([call(20)])[0].redelivered == 1


def test_after_a_long_outage_the_latest_versions_are_remembered(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, Limits(calls=4))
    outer, inner = (call(20)._replace(scope=scope, span_id=scope.encode()) for scope in ("frame123", "sdk45678"))
    for number in range(1, 11):
        ledger.send([call(number)])
    ledger.send([outer])
    ledger.send([inner._replace(parent_id=outer.span_id)])
    ledger.restart()
    ledger.send([call(21)])
    outcome = ledger.outcome()
    assert [row["span_id"] for row in outcome.store.values() if row["duplicate_of"]] in ([b"frame123"], [b"sdk45678"])
    assert outcome.duplicates == 1


def test_what_was_repriced_is_remembered_beside_what_waits(tmp_path: Path) -> None:
    book = Book(tmp_path / "ledger.sqlite", Limits(calls=2))
    book.recent.add(1, b"repriced")
    for number in range(5):
        book.outbox.add(1, b"waiting %d" % number)
    assert list(book.recent.payloads()) == [b"repriced", b"waiting 3", b"waiting 4"]
    book.outbox.cut(4)
    assert list(book.recent.payloads()) == [b"repriced", *(b"waiting %d" % number for number in range(5))]
    book.close()
