"""A store on a cluster.

No ClickHouse server runs here. The real engine parses every statement; it has a cluster of one shard, itself, over
which it reads; and two of it, behind a server's protocol, are the replicas that fail over.
"""

import re
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import clickhouse_connect
import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from calls import line
from e2e.ports import accepts, free_port
from llmlab_exporter.rows import record_batch
from llmlab_exporter.store.calls import Wanted, earlier_versions, latest
from llmlab_exporter.store.cluster import Layout, on_cluster, on_one_server
from llmlab_exporter.store.retention import set_retention
from llmlab_exporter.store.schema import MIGRATIONS
from llmlab_exporter.store.store import Store, StoreUnavailable, open_server

CLUSTER = on_cluster("llmlab", "ours")
SERVER = Path(__file__).with_name("clickhouse_server.py")
CONFIG = """
<clickhouse>
  <tcp_port>{port}</tcp_port>
  <remote_servers><ours>
    <shard><replica><host>127.0.0.1</host><port>{port}</port></replica></shard>
  </ours></remote_servers>
</clickhouse>
"""


def table(*lines: object) -> pa.Table:
    return pa.Table.from_batches([record_batch(list(lines))])  # pyright: ignore[reportArgumentType]


def definitions(layout: Layout) -> list[str]:
    made = [layout.definition(statement) for statements in MIGRATIONS for statement in statements]
    return [layout.named(each) for each in (*layout.databases(), *made, *layout.reading()) if each]


def test_every_statement_for_a_cluster_is_one_that_the_engine_understands() -> None:
    client = clickhouse_connect.get_client(interface="chdb", path=":memory:")
    for statement in definitions(CLUSTER):
        parsed = client.query("SELECT formatQuery({sql:String})", parameters={"sql": statement}).result_rows[0][0]
        assert "ON CLUSTER ours" in parsed
    client.close()


def test_what_is_stored_is_replicated_in_its_shard_and_read_over_all() -> None:
    made = "\n".join(definitions(CLUSTER))
    path = "/clickhouse/tables/{shard}/llmlab_shard/llm_calls"
    assert f"ENGINE = ReplicatedReplacingMergeTree('{path}', '{{replica}}', version)" in made
    assert "ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/llmlab_shard/llm_call_stage', '{replica}')" in made
    assert len(re.findall(r"ENGINE = \w*MergeTree", made)) == len(re.findall(r"ENGINE = Replicated", made)) == 3
    assert "llmlab.llm_calls ON CLUSTER 'ours' AS llmlab_shard.llm_calls" in made
    assert "llmlab.current_calls ON CLUSTER 'ours' AS SELECT * FROM llmlab.llm_calls FINAL" in made


def test_on_one_server_nothing_changes() -> None:
    layout = on_one_server("llmlab")
    assert [layout.definition(each) for each in MIGRATIONS[0]] == list(MIGRATIONS[0])
    assert not layout.reading()


def test_a_statement_that_nobody_knows_to_run_on_a_cluster_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody knows how to run"):
        CLUSTER.definition("TRUNCATE TABLE {database}.llm_calls")
    with pytest.raises(ValueError, match="letters, digits"):
        on_cluster("llmlab", "x'; DROP")


class OneReplica:
    """A client of the engine, which has no Keeper and no second replica: tables are not replicated, the rest is."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def command(self, sql: str, **named: Any) -> Any:
        sql = re.sub(r"ENGINE = Replicated(\w+)\('[^']*', '[^']*'(?:, )?(\w*)\)", r"ENGINE = \1(\2)", sql)
        return self._client.command(sql.replace(" ON CLUSTER 'ours'", ""), **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    config = tmp_path / "config.xml"
    config.write_text(CONFIG.format(port=free_port()))
    client = clickhouse_connect.get_client(
        interface="chdb", path=f"file:{tmp_path / 'engine'}?config-file={config}", autogenerate_session_id=False
    )
    opened = Store(OneReplica(client), CLUSTER)
    opened.migrate()
    yield opened
    opened.close()


def test_rows_are_written_to_the_shard_and_read_over_the_cluster(store: Store) -> None:
    rows = table(line(1, 5), line(2, None))
    store.insert(rows, "b1")
    store.complete(rows, "b1")
    assert sum(store.stored("b1").values()) == 2
    assert store.query("SELECT count() FROM llmlab_shard.llm_calls") == [(2,)]
    assert store.query("SELECT count(), countIf(cost_usd IS NULL) FROM llmlab.current_calls") == [(2, 1)]
    assert len(latest(store, Wanted({}), 10)) == 2
    assert not earlier_versions(store, latest(store, Wanted({}), 1)[0])
    engines = store.query("SELECT name, engine FROM system.tables WHERE database = 'llmlab' ORDER BY name")
    assert engines == [("current_calls", "View"), ("llm_call_versions", "Distributed"), ("llm_calls", "Distributed")]


def test_of_a_call_with_several_versions_the_cluster_shows_the_latest(store: Store) -> None:
    rows = table(line(1, 5))
    store.insert(rows, "b1")
    again = rows.append_column("version", pa.array([2], pa.uint32())).append_column("change_id", pa.array(["x"]))
    store.insert(again, "b2")
    assert store.query("SELECT count() FROM llmlab.llm_calls") == [(2,)]
    assert store.query("SELECT count(), any(version) FROM {calls}") == [(1, 2)]


def test_migrating_again_and_retention_work_on_the_shard(store: Store) -> None:
    store.migrate()
    set_retention(store, 30)
    set_retention(store, 30)
    store.command("ALTER TABLE {database}.llmlab_migrations DELETE WHERE version > 1 SETTINGS mutations_sync = 1")
    store.migrate()
    ((made,),) = store.query(
        "SELECT create_table_query FROM system.tables WHERE name = 'llm_calls' AND engine != 'Distributed'"
    )
    assert "toIntervalDay(30)" in made


@contextmanager
def replica(directory: Path, port: int) -> Generator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, str(SERVER), str(directory), str(port)]) as process:
        deadline = time.monotonic() + 30
        while not accepts(port) and time.monotonic() < deadline:
            time.sleep(0.05)
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.e2e
def test_the_next_replica_is_asked_when_one_is_gone_and_stays(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    url = ",".join(f"http://127.0.0.1:{port}/llmlab" for port in ports)
    with ExitStack() as running:
        first = running.enter_context(replica(tmp_path / "one", ports[0]))
        running.enter_context(replica(tmp_path / "two", ports[1]))
        store = open_server(url)
        store.migrate()
        store.insert(table(line(1, 5)), "b1")
        first.kill()
        first.wait()
        with pytest.raises(OperationalError):
            store.insert(table(line(2, 5)), "b2")
        store.migrate()  # these two do not replicate to each other
        assert store.stored("b1") == {}
        store.insert(table(line(2, 5)), "b2")
        running.enter_context(replica(tmp_path / "one", ports[0]))
        assert store.stored("b1") == {}  # the first is back, and nothing calls for a change
        store.close()


@pytest.mark.e2e
def test_several_exporters_may_make_the_tables_at_once(tmp_path: Path) -> None:
    port = free_port()
    with replica(tmp_path / "one", port), ThreadPoolExecutor(3) as threads:
        stores = [open_server(f"http://127.0.0.1:{port}") for _ in range(3)]
        for made in [threads.submit(store.migrate) for store in stores]:
            made.result()
        for number, store in enumerate(stores):
            store.insert(table(line(number, 5)), f"b{number}")
        assert stores[0].query("SELECT count() FROM {calls}") == [(3,)]
        for store in stores:
            store.close()


@pytest.mark.e2e
def test_a_replica_that_is_away_at_the_start_is_passed_over(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    with replica(tmp_path / "two", ports[1]):
        store = open_server(",".join(f"http://127.0.0.1:{port}" for port in ports))
        store.migrate()
        store.close()
    with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{ports[0]}, 127.0.0.1:{ports[1]}"):
        open_server(",".join(f"http://127.0.0.1:{port}" for port in ports))


def test_letting_a_replica_catch_up_is_a_statement_that_the_engine_knows(store: Store) -> None:
    first, *_ = CLUSTER.catching_up()
    with pytest.raises(ClickHouseError, match="is not replicated"):
        store.command(first)
