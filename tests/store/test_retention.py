from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from calls import line
from llmlab_exporter.rows import record_batch
from llmlab_exporter.store import changes
from llmlab_exporter.store.retention import plan, prune, set_retention, size_bytes
from llmlab_exporter.store.store import Store, open_embedded

BORDER = date(2026, 8, 10)
DAYS = ["2026-06-30", "2026-07-01", "2026-07-31", "2026-08-01", "2026-08-09", "2026-08-10", "2026-09-01"]
"""Days of a call each; the first five are older than the border."""


def started_ns(day: str, second: int = 0) -> int:
    return (int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) + second) * 10**9


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_embedded(tmp_path / "engine")
    opened.migrate()
    lines = [line(number, start_ns=started_ns(day)) for number, day in enumerate(DAYS)]
    opened.insert(pa.Table.from_batches([record_batch(lines)]), "b1")
    yield opened
    opened.close()


def days(store: Store) -> list[str]:
    return [str(day) for (day,) in store.query("SELECT toDate(started_at) FROM {calls} ORDER BY started_at")]


def months(store: Store, table: str) -> set[str]:
    question = "SELECT DISTINCT partition FROM system.parts WHERE active AND rows > 0 AND table = {table:String}"
    return {month for (month,) in store.query(question, {"table": table})}


def test_calls_older_than_the_border_go_and_the_others_stay(store: Store) -> None:
    pruned = prune(store, BORDER)
    assert (pruned.calls, pruned.whole_months) == (5, [202606, 202607])
    assert days(store) == DAYS[5:]
    assert months(store, "llm_calls") == {"202608", "202609"}
    assert prune(store, BORDER).calls == 0


def test_a_plan_says_what_would_go_and_changes_nothing(store: Store) -> None:
    planned = plan(store, BORDER)
    assert (planned.calls, planned.whole_months) == (5, [202606, 202607])
    assert 0 < planned.size_bytes < size_bytes(store)
    assert days(store) == DAYS
    assert prune(store, BORDER) == planned


def test_the_border_is_exact(store: Store) -> None:
    at_midnight = line(90, start_ns=started_ns("2026-08-10"))
    just_before = line(91, start_ns=started_ns("2026-08-10") - 1)
    store.insert(pa.Table.from_batches([record_batch([at_midnight, just_before])]), "b2")
    assert prune(store, BORDER).calls == 6
    assert store.query("SELECT max(trace_id = unhex({id:String})) FROM {calls}", {"id": f"{90:032x}"}) == [(1,)]


def test_earlier_versions_go_with_their_calls(store: Store) -> None:
    change = changes.Change("c1", "test", ("cost_reason",))
    staged = store.query_arrow(
        "SELECT org, project, started_at, trace_id, span_id, version AS base_version, 'new' AS cost_reason FROM {calls}"
    )
    changes.stage(store, change, staged)
    changes.apply(store, change)
    assert store.query("SELECT count() FROM {database}.llm_call_versions") == [(len(DAYS),)]
    assert prune(store, BORDER).calls == 5
    assert store.query("SELECT min(started_at) >= '2026-08-10', count() FROM {database}.llm_call_versions") == [(1, 2)]


def test_retention_is_set_changed_and_lifted(store: Store) -> None:
    def definition() -> str:
        ((text,),) = store.query("SELECT create_table_query FROM system.tables WHERE name = 'llm_calls'")
        return text

    without = definition()
    for days in (30, 30, 90):
        set_retention(store, days)
        assert f"TTL toDateTime(started_at) + toIntervalDay({days})" in definition()
    set_retention(store, 0)
    assert definition() == without
    set_retention(store, 0)


def test_the_engine_forgets_what_is_older_than_the_retention(store: Store) -> None:
    now = int(datetime.now(UTC).timestamp()) * 10**9
    young = line(50, start_ns=now - 20 * 86_400 * 10**9)
    old = line(51, start_ns=now - 200 * 86_400 * 10**9)
    store.insert(pa.Table.from_batches([record_batch([young, old])]), "b2")
    set_retention(store, 150)
    store.command("OPTIMIZE TABLE {database}.llm_calls FINAL")
    kept = {int(number, 16) for (number,) in store.query("SELECT hex(trace_id) FROM {calls}")}
    assert 50 in kept
    assert 51 not in kept
