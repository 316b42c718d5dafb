from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from calls import START_NS, line
from llmlab_exporter.rows import COST, KEY, decimals, record_batch
from llmlab_exporter.store import changes
from llmlab_exporter.store.changes import Change
from llmlab_exporter.store.store import Store, open_embedded

MONTH_NS = 31 * 86_400 * 10**9
DUPLICATE = Change("c1", "duplicate", ("billable", "duplicate_of", "cost_usd"))
SURVIVOR = (99).to_bytes(8, "big")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_embedded(tmp_path / "engine")
    opened.migrate()
    opened.insert(calls(range(10)), "ledger-1")
    yield opened
    opened.close()


def calls(numbers: range) -> pa.Table:
    lines = [line(number, 5, start_ns=START_NS + number % 2 * MONTH_NS) for number in numbers]
    return pa.Table.from_batches([record_batch(lines)])


def suppressed(numbers: range, base_version: int = 1) -> pa.Table:
    """Say of some calls that they repeat another one."""
    keys = calls(numbers).select([*KEY])
    count = keys.num_rows
    return (
        keys.append_column("base_version", pa.array([base_version] * count, pa.uint32()))
        .append_column("billable", pa.array([False] * count))
        .append_column("duplicate_of", pa.array([SURVIVOR] * count, pa.binary(8)))
        .append_column(pa.field("cost_usd", COST), decimals([None] * count))
    )


def current(store: Store) -> list[tuple[object, ...]]:
    return store.query(
        "SELECT reinterpretAsUInt64(reverse(span_id)) AS number, billable, duplicate_of, cost_usd, version, change_id"
        " FROM {calls} ORDER BY number"
    )


def untouched(number: int) -> tuple[object, ...]:
    return (number, True, None, Decimal("5e-24"), 1, "")


def test_a_change_concludes_anew_for_the_calls_that_it_names(store: Store) -> None:
    changes.stage(store, DUPLICATE, suppressed(range(3)))
    changes.apply(store, DUPLICATE)
    assert current(store) == [
        *((number, False, SURVIVOR, None, 2, "c1") for number in range(3)),
        *(untouched(number) for number in range(3, 10)),
    ]


def test_everything_else_of_a_changed_call_is_taken_over(store: Store) -> None:
    kept = "SELECT * EXCEPT (billable, duplicate_of, cost_usd, version, change_id) FROM {calls} ORDER BY span_id"
    before = store.query(kept)
    changes.stage(store, DUPLICATE, suppressed(range(10)))
    changes.apply(store, DUPLICATE)
    assert store.query(kept) == before


def test_staged_calls_that_are_not_applied_change_nothing(store: Store) -> None:
    changes.stage(store, DUPLICATE, suppressed(range(3)))
    assert current(store) == [untouched(number) for number in range(10)]


def test_applying_a_change_again_completes_what_a_crash_left_undone(store: Store) -> None:
    changes.stage(store, DUPLICATE, suppressed(range(3)))
    changes.apply(store, DUPLICATE)
    changes.stage(store, DUPLICATE, suppressed(range(6)))
    changes.apply(store, DUPLICATE)
    changes.apply(store, DUPLICATE)
    assert [row[4] for row in current(store)] == [2] * 6 + [1] * 4
    assert store.query("SELECT count(), uniqExact(span_id) FROM {database}.llm_calls WHERE version = 2") == [(6, 6)]
    assert store.query("SELECT count(), max(version) FROM {database}.llm_call_versions FINAL") == [(6, 1)]


def test_a_conclusion_from_an_outdated_version_is_not_applied(store: Store) -> None:
    changes.stage(store, DUPLICATE, suppressed(range(3), base_version=7))
    changes.apply(store, DUPLICATE)
    assert current(store) == [untouched(number) for number in range(10)]


def test_a_batch_that_is_completed_after_a_change_does_not_undo_it(store: Store) -> None:
    changes.stage(store, DUPLICATE, suppressed(range(3)))
    changes.apply(store, DUPLICATE)
    store.insert(calls(range(10)), "ledger-1")
    assert [row[4] for row in current(store)] == [2] * 3 + [1] * 7


def test_the_same_ids_in_another_project_are_another_call(store: Store) -> None:
    other = line(1, 5, start_ns=START_NS + MONTH_NS)
    store.insert(pa.Table.from_batches([record_batch([other._replace(call=other.call._replace(project="x"))])]), "b2")
    changes.stage(store, DUPLICATE, suppressed(range(1, 2)))
    changes.apply(store, DUPLICATE)
    assert store.query("SELECT project, version FROM {calls} WHERE span_id = unhex('0000000000000001') ORDER BY 1") == [
        ("default", 2),
        ("x", 1),
    ]


def test_changes_of_several_exporters_in_one_store_do_not_meet(store: Store) -> None:
    other = DUPLICATE._replace(change_id="c2")
    changes.stage(store, DUPLICATE, suppressed(range(3)))
    changes.stage(store, other, suppressed(range(3, 5)))
    changes.apply(store, DUPLICATE)
    assert [row[5] for row in current(store)] == ["c1"] * 3 + [""] * 7
    changes.unstage(store, DUPLICATE)
    changes.apply(store, other)
    assert [row[5] for row in current(store)] == ["c1"] * 3 + ["c2"] * 2 + [""] * 5
