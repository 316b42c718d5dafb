"""Corrections on their way to the store: nothing of what was said of a call before is lost, and it is told why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from calls import START_NS, call
from llmlab.pricing.pricer import Pricer
from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.api import calls as calls_api
from llmlab_exporter.assess import assess
from llmlab_exporter.batch import batch
from llmlab_exporter.call import Call
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.ledger.parcels import unpack
from llmlab_exporter.ledger.writer import Writer
from llmlab_exporter.store.changes import keep_replaced
from llmlab_exporter.store.flusher import Flusher
from llmlab_exporter.store.store import Store, open_embedded
from llmlab_exporter.window import Window
from store.test_flusher import damage, flip, forbid, until

PRICER = Pricer()
MONTH_NS = 31 * 86_400 * 10**9


class Exporter:
    """Ledger, window and store of an exporter, whose flusher runs when it is told to."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder
        self.store = store
        self._open()

    def _open(self) -> None:
        self.book = Book(self.folder / "ledger.sqlite")
        window = Window(PRICER)
        window.recall(self.book.recent.payloads())
        self.writer = Writer(self.book, window)
        self.writer.start()

    def restart(self) -> None:
        self.writer.stop()
        self._open()

    def send(self, *calls: Call) -> None:
        self.writer.commit(batch(assess(calls, PRICER))).result(20)

    def store_all(self) -> None:
        flusher = Flusher(self.writer, lambda: self.store, 0.02)
        flusher.start()
        until(lambda: self.writer.run(lambda book: book.outbox.rows) == 0 or bool(flusher.error))
        assert flusher.error == ""
        flusher._stopping.set()  # pyright: ignore[reportPrivateUsage] - `stop` would close the store too
        flusher._thread.join(20)  # pyright: ignore[reportPrivateUsage]

    def shown(self, number: int) -> dict[str, Any]:
        with TestClient(Starlette(routes=calls_api.routes(lambda: self.store))) as client:
            return client.get(f"/api/calls/{number:032x}/{number:016x}").json()

    def by_reason(self) -> dict[str, int]:
        question = "SELECT duplicate_reason, count() FROM {calls} WHERE duplicate_of IS NOT NULL "
        question += "AND duplicate_reason != 'moved' GROUP BY 1"
        return dict(self.store.query(question))  # pyright: ignore[reportArgumentType]


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Exporter]:
    store = open_embedded(tmp_path / "engine")
    started = Exporter(tmp_path, store)
    yield started
    started.writer.stop()
    store.close()


def sdk(number: int, **reading: object) -> Call:
    return call(number, **reading)._replace(scope="sdk")  # pyright: ignore[reportArgumentType]


def framework(number: int, **reading: object) -> Call:
    """Make what a framework says of the n-th call: it knows less of the usage."""
    return sdk(number, usage=Usage(1873, 317), **reading)._replace(
        trace_id=(number + 1000).to_bytes(16, "big"), span_id=(number + 1000).to_bytes(8, "big"), scope="framework"
    )


@pytest.mark.parametrize("together", [False, True], ids=["stored before", "in the same parcel"])
@pytest.mark.parametrize("restarted", [False, True], ids=["", "after a restart"])
def test_what_a_correction_replaces_is_kept_with_the_reason(
    exporter: Exporter, together: bool, restarted: bool
) -> None:
    exporter.send(framework(1, user="u1"))
    if not together:
        exporter.store_all()
    if restarted:
        exporter.restart()
    exporter.send(sdk(1))
    exporter.store_all()
    now = exporter.shown(1001)
    [before] = now["earlier_versions"]
    assert (now["version"], now["change_id"], now["billable"], now["cost"]) == (2, "dedupe", False, None)
    assert (now["duplicate_of"], now["duplicate_reason"]) == (f"{1:016x}", "same_response")
    assert (before["version"], before["billable"], before["duplicate_of"]) == (1, True, None)
    assert before["cost"] > 0
    assert before["catalogue"].startswith("genai-prices")
    assert before["price_model"] == "gpt-5-mini"
    assert (before["replaced_by"], before["replaced_because"]) == ("dedupe", "same_response")
    assert exporter.shown(1)["earlier_versions"] == []


def silent(number: int, start_s: int, end_s: int) -> Call:
    """Make what a framework says that knows neither usage nor response."""
    made = framework(number, response_id="")
    reading = made.reading._replace(usage=NO_USAGE, usage_source=None, response_model="")
    return made._replace(start_ns=START_NS + start_s * 10**9, end_ns=START_NS + end_s * 10**9, reading=reading)


def test_a_call_that_turns_out_to_be_none_of_a_group_is_restored_and_tells_its_history(exporter: Exporter) -> None:
    exporter.send(silent(1, start_s=-10, end_s=20))
    exporter.send(sdk(1))
    exporter.store_all()
    assert exporter.by_reason() == exporter.writer.run(lambda book: book.duplicates.by_rule) == {"same_interval": 1}
    exporter.send(silent(2, start_s=-1, end_s=4))  # it fits closer, so the first one is a call of its own
    exporter.store_all()
    history = exporter.shown(1001)
    assert (history["version"], history["billable"], history["duplicate_of"]) == (3, True, None)
    assert [(each["version"], each["billable"], each["replaced_because"]) for each in history["earlier_versions"]] == [
        (1, True, "same_interval"),
        (2, False, "no_duplicate"),
    ]
    duplicates = exporter.book.duplicates
    assert exporter.by_reason() == duplicates.by_rule == {"same_interval": 1}
    assert duplicates.decided == {"same_interval": 2}
    exporter.restart()
    assert (exporter.book.duplicates.by_rule, exporter.book.duplicates.decided) == (
        duplicates.by_rule,
        duplicates.decided,
    )


def test_a_call_that_moved_to_another_project_shows_what_it_was_there(exporter: Exporter) -> None:
    exporter.send(sdk(1))
    exporter.store_all()
    exporter.send(framework(1, project="search"))
    exporter.store_all()
    now = exporter.shown(1)
    assert (now["project"], now["version"], now["billable"]) == ("search", 2, True)
    [before] = now["earlier_versions"]
    assert (before["version"], before["billable"], before["replaced_because"]) == (1, True, "moved")
    assert exporter.by_reason() == exporter.book.duplicates.by_rule == {"same_response": 1}
    left = exporter.store.query("SELECT project, duplicate_reason, cost_usd FROM {calls} WHERE NOT billable ORDER BY 1")
    assert ("default", "moved", None) in left


def test_keeping_what_is_replaced_again_changes_nothing(exporter: Exporter) -> None:
    exporter.send(framework(1))
    exporter.send(sdk(1))
    exporter.store.migrate()
    parcel = exporter.writer.run(lambda book: book.outbox.cut(100))
    assert parcel is not None
    rows = unpack(parcel.payloads)
    for _ in range(2):
        keep_replaced(exporter.store, rows, parcel.batch_id)
    exporter.store.insert(rows, parcel.batch_id)
    keep_replaced(exporter.store, rows, parcel.batch_id)
    assert [each["version"] for each in exporter.shown(1001)["earlier_versions"]] == [1]
    assert exporter.store.query("SELECT count() FROM {database}.llm_call_stage") == [(0,)]


def test_records_of_calls_whose_parcel_was_divided_are_found_after_a_restart(exporter: Exporter) -> None:
    forbid(exporter.store, "poison")
    poison = sdk(2)._replace(model="poison", start_ns=START_NS + MONTH_NS, end_ns=START_NS + MONTH_NS + 1)
    exporter.send(sdk(1), poison, sdk(3))
    exporter.store_all()
    assert exporter.writer.run(lambda book: book.dead_letters.rows) == 1
    exporter.restart()
    exporter.send(framework(1), framework(3))
    exporter.store_all()
    assert exporter.store.query("SELECT countIf(billable), countIf(NOT billable) FROM {calls}") == [(2, 2)]
    assert exporter.by_reason() == exporter.book.duplicates.by_rule == {"same_response": 2}


def test_a_damaged_entry_does_not_keep_the_exporter_from_starting(exporter: Exporter) -> None:
    exporter.send(sdk(1))
    exporter.send(sdk(2))
    damage(exporter.folder, 1, flip)
    exporter.restart()
    exporter.send(framework(1), framework(2))
    exporter.store_all()
    assert exporter.writer.run(lambda book: book.dead_letters.rows) == 1
    assert exporter.by_reason() == {"same_response": 1}
