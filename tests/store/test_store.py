from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from calls import EVERYTHING, START_NS, line
from llmlab.money import usd
from llmlab.usage import Usage
from llmlab_exporter.rows import COLUMNS, SCHEMA, record_batch, usage_column
from llmlab_exporter.store.store import Store, StoreUnavailable, open_embedded, open_server, split_by_month

DAY_NS = 86_400_000_000_000


def table(*lines: object) -> pa.Table:
    return pa.Table.from_batches([record_batch(list(lines))])  # pyright: ignore[reportArgumentType]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_embedded(tmp_path / "engine")
    opened.migrate()
    yield opened
    opened.close()


def one(store: Store, sql: str) -> tuple[object, ...]:
    (row,) = store.query(sql)
    return row


def test_a_call_comes_back_with_every_digit_and_every_field(store: Store) -> None:
    cost = 12_345_678_901_234_567_890_123_456_789
    store.insert(table(line(7, cost, **EVERYTHING)), "b1")
    names = ", ".join(column.name for column in COLUMNS)
    row = dict(zip((column.name for column in COLUMNS), one(store, f"SELECT {names} FROM {{calls}}"), strict=True))
    assert row["cost_usd"] == usd(cost) == Decimal("12345.678901234567890123456789")
    assert row["provider_cost_usd"] == Decimal("1e-24")
    assert {name: row[usage_column(name)] for name in Usage._fields} == dict(
        zip(Usage._fields, range(1, len(Usage._fields) + 1), strict=True)
    )
    assert row["trace_id"] == (7).to_bytes(16, "big")
    assert row["stream"] is True
    assert row["flaws"] == "one; two"
    assert one(store, "SELECT toUnixTimestamp64Nano(started_at) FROM {calls}") == (START_NS,)


def test_an_unknown_cost_is_null_and_never_zero(store: Store) -> None:
    store.insert(table(line(1, None), line(2, 0)), "b1")
    assert one(store, "SELECT countIf(cost_usd IS NULL), countIf(cost_usd = 0), sum(cost_usd) FROM {calls}") == (
        1,
        1,
        0,
    )


def test_unreported_tokens_are_null_and_never_zero(store: Store) -> None:
    store.insert(table(line(1, None, usage=Usage(), usage_source=None)), "b1")
    assert one(store, "SELECT input_tokens, output_tokens, usage_source FROM {calls}") == (None, None, "")


def test_migrating_again_changes_nothing(store: Store) -> None:
    store.insert(table(line(1)), "b1")
    store.migrate()
    assert one(store, "SELECT count() FROM {calls}") == (1,)


def test_a_store_of_an_earlier_llmlab_learns_to_count_images(store: Store) -> None:
    store.insert(table(line(1, 5)), "b1")
    for statement in (
        "ALTER TABLE {database}.llm_calls DROP COLUMN images",
        "CREATE OR REPLACE VIEW {database}.current_calls AS SELECT * FROM {database}.llm_calls FINAL",
        "ALTER TABLE {database}.llmlab_migrations DELETE WHERE version > 2 SETTINGS mutations_sync = 1",
    ):
        store.command(statement)
    store.migrate()
    store.insert(table(line(2, 5, usage=Usage(images=3))), "b2")
    assert store.query("SELECT images FROM {database}.current_calls ORDER BY trace_id") == [(None,), (3,)]


def test_the_table_has_a_column_for_everything_we_write(store: Store) -> None:
    described = store.query("SELECT name FROM system.columns WHERE table = 'llm_calls' AND database = 'llmlab'")
    assert {name for (name,) in described} == {*SCHEMA.names, "batch_id", "version", "change_id"}


def test_a_batch_is_completed_month_by_month_and_never_doubled(store: Store) -> None:
    months = [line(number, 1, start_ns=START_NS + number * 31 * DAY_NS) for number in range(3)]
    rows = table(*months)
    parts = split_by_month(rows)
    assert sorted(parts) == [202609, 202610, 202611]
    store.insert(parts[202610], "b1")
    store.complete(rows, "b1")
    store.complete(rows, "b1")
    assert store.stored("b1") == {202609: 1, 202610: 1, 202611: 1}
    assert one(store, "SELECT count(), sum(cost_usd) FROM {calls}") == (3, Decimal("3e-24"))


def test_rows_survive_reopening(tmp_path: Path) -> None:
    for number in range(2):
        opened = open_embedded(tmp_path / "engine")
        opened.migrate()
        opened.insert(table(line(number)), f"b{number}")
        assert one(opened, "SELECT count() FROM {calls}") == (number + 1,)
        opened.close()


def test_an_engine_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("not a directory")
    with pytest.raises(StoreUnavailable, match="file"):
        open_embedded(occupied / "engine")


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:9") as refused:
        open_server("http://user:secret@127.0.0.1:9/llmlab")
    assert "secret" not in str(refused.value)
