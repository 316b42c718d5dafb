"""How the embedded engine writes what it is given."""

from pathlib import Path

from llmlab_exporter.sql.access import write_engine_config
from llmlab_exporter.store.store import open_embedded


def test_an_insert_of_the_usual_size_is_one_file_and_not_two_hundred(tmp_path: Path) -> None:
    config = tmp_path / "access.xml"
    write_engine_config(config)
    store = open_embedded(tmp_path / "engine", config)
    store.migrate()
    store.command(
        "INSERT INTO {database}.llm_calls (started_at, trace_id, user_id) "
        "SELECT toDateTime64('2026-11-01 00:00:00', 9, 'UTC'), randomString(16), repeat('u', 1000) FROM numbers(16384)"
    )
    parts = store.query(
        "SELECT part_type, sum(data_uncompressed_bytes) > 10485760 FROM system.parts "
        "WHERE active AND table = 'llm_calls' GROUP BY 1"
    )
    store.close()
    assert parts == [("Compact", 1)]
