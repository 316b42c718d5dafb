"""The ClickHouse client: one class for the embedded engine and for a server."""

import logging
import re
import threading
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import clickhouse_connect
import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.exceptions import ClickHouseError

from llmlab_exporter.rows import COLUMNS
from llmlab_exporter.store.cluster import Layout, on_cluster, on_one_server
from llmlab_exporter.store.replicas import Replicas
from llmlab_exporter.store.schema import MIGRATIONS

DATABASE = "llmlab"

_MIGRATIONS_TABLE = """
    CREATE TABLE IF NOT EXISTS {database}.llmlab_migrations
        (version UInt32, applied_at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY version
"""

_CATCH_UP_S = 10
_BETWEEN_URLS = re.compile(r"\s*,\s*(?=https?://)")
_ON_CLUSTER = {
    "distributed_ddl_output_mode": "throw_only_active",  # a replica that is away does it when it comes back
    "async_insert": 0,  # a block that is sent again must be the same block, to be recognised
}

_STORED = {column.name for column in COLUMNS} | {"version", "change_id"}


_log = logging.getLogger(__name__)


class StoreUnavailable(Exception):
    """The store cannot be opened; the message says which one, why, and what to do."""


class Store:
    """The table of calls. Methods raise the driver's exceptions.

    Any thread may ask, and each waits for its turn: the engine runs one statement at a time. So whoever has much to
    ask asks in small portions, and rows that arrive are stored in between.
    """

    def __init__(self, client: Any, layout: Layout | None = None) -> None:
        self._client = client
        self._layout = layout or on_one_server(DATABASE)
        self._turn = threading.Lock()

    def migrate(self) -> None:
        """Create or update the tables; a no-op when they are there."""
        layout = self._layout
        for statement in layout.databases():
            self.command(statement)
        self.command(layout.definition(_MIGRATIONS_TABLE))
        ((done,),) = self.query("SELECT max(version) FROM {database}.llmlab_migrations")
        for version, statements in enumerate(MIGRATIONS[done:], start=done + 1):
            for statement in (*filter(None, map(layout.definition, statements)), *layout.reading()):
                self.command(statement)
            self.command(f"INSERT INTO {{database}}.llmlab_migrations (version) VALUES ({version})")  # noqa: S608 - a number

    def insert(self, rows: pa.Table, batch_id: str) -> None:
        """Insert rows under a batch id, one block for each month, since only a block in one partition is atomic."""
        self._insert_months(split_by_month(rows), batch_id)

    def complete(self, rows: pa.Table, batch_id: str) -> None:
        """Insert those months of a batch that are not there yet: its first insert ended in an error or a crash."""
        self.insert(missing(rows, self.stored(batch_id)), batch_id)

    def stored(self, batch_id: str) -> dict[int, int]:
        """Count the rows of a batch that are in the store, by month (`202611`)."""
        found = self.query(
            "SELECT toYYYYMM(started_at), count() FROM {database}.llm_calls "
            "WHERE batch_id = {batch_id:String} GROUP BY 1",
            {"batch_id": batch_id},
        )
        return {int(month): int(count) for month, count in found}

    def query(self, sql: str, parameters: dict[str, object] | None = None) -> list[tuple[Any, ...]]:
        """Run a SELECT of ours, with the names that `Layout.named` knows in it."""
        with self._turn:
            result = self._client.query(self._named(sql), parameters=parameters or {})
        return [tuple(row) for row in result.result_rows]

    def query_arrow(self, sql: str, parameters: dict[str, object] | None = None) -> pa.Table:
        """Run a SELECT of ours for many rows."""
        with self._turn:
            return self._client.query_arrow(self._named(sql), parameters=parameters or {})

    def command(self, sql: str, parameters: dict[str, object] | None = None) -> None:
        """Run a statement of ours that changes something."""
        with self._turn:
            self._client.command(self._named(sql), parameters=parameters or {})

    def insert_into(self, table: str, rows: pa.Table) -> None:
        """Insert rows into one of our tables."""
        with self._turn:
            self._client.insert_arrow(table, rows, database=self._layout.database)

    def close(self) -> None:
        """Close the client; the embedded engine flushes and lets go of its directory."""
        with self._turn:
            self._client.close()

    def _named(self, sql: str) -> str:
        return self._layout.named(sql)

    def _insert_months(self, months: dict[int, pa.Table], batch_id: str) -> None:
        for part in months.values():
            named = _storable(part).append_column("batch_id", pa.repeat(batch_id, part.num_rows))
            self.insert_into("llm_calls", named)


def _storable(rows: pa.Table) -> pa.Table:
    """Leave out what only the ledger needs, and number the versions."""
    rows = rows.select([name for name in rows.column_names if name in _STORED])
    if "version" in rows.column_names:
        for name, first in (("version", 1), ("change_id", "")):
            place = rows.column_names.index(name)
            rows = rows.set_column(
                place, name, pc.fill_null(rows.column(name), pa.scalar(first, rows.column(name).type))
            )
    return rows


def missing(rows: pa.Table, stored: dict[int, int]) -> pa.Table:
    """Return the rows of those months of which nothing is stored."""
    months = split_by_month(rows)
    return pa.concat_tables([rows.slice(0, 0), *(part for month, part in months.items() if month not in stored)])


def present(rows: pa.Table, stored: dict[int, int]) -> pa.Table:
    """Return the rows of those months of which something is stored."""
    months = split_by_month(rows)
    return pa.concat_tables([rows.slice(0, 0), *(part for month, part in months.items() if month in stored)])


def split_by_month(rows: pa.Table) -> dict[int, pa.Table]:
    """Split rows by the month (`202611`, UTC) in which they started: the partitions of the table."""
    started = rows.column("started_at")
    months = pc.add(pc.multiply(pc.year(started), 100), pc.month(started))
    if rows.num_rows and len(pc.unique(months)) == 1:  # as nearly always: nothing needs to be copied
        return {months[0].as_py(): rows}
    return {month.as_py(): rows.filter(pc.equal(months, month)) for month in pc.unique(months)}


def open_embedded(path: Path, config: Path | None = None) -> Store:
    """Open the embedded engine (chDB) on a directory that this process alone uses, with its roles and policies.

    Raises `StoreUnavailable`.
    """
    # Not by `chdb_options`, which quotes slashes that the engine does not unquote.
    location = str(path) if config is None else f"file:{path.resolve()}?config-file={config.resolve()}"
    try:
        return Store(clickhouse_connect.get_client(interface="chdb", path=location))
    except Exception as error:
        raise StoreUnavailable(f"the embedded ClickHouse cannot open {path}: {error}") from error


def open_server(url: str, cluster: str = "") -> Store:
    """Connect to a ClickHouse server by a URL such as `http://user:password@host:8123/database`.

    Of several URLs with commas between, the replicas of one shard, one is used as long as it answers. `cluster` is the
    name of a cluster that the servers belong to. Raises `StoreUnavailable`.
    """
    urls = [urlsplit(each) for each in _BETWEEN_URLS.split(url.strip())]
    database = urls[0].path.strip("/") or DATABASE
    try:
        layout = on_cluster(database, cluster) if cluster else on_one_server(database)
        openings = [partial(_connected, urlunsplit(each._replace(path="")), bool(cluster)) for each in urls]
        return Store(Replicas(openings, partial(_let_catch_up, layout)), layout)
    except Exception as error:
        hosts = ", ".join(f"{each.hostname}:{each.port}" for each in urls)
        raise StoreUnavailable(f"no ClickHouse answers at {hosts}: {error}") from error


def _connected(url: str, on_cluster: bool) -> Any:
    # The database may not exist yet, so the connection itself must not ask for it.
    settings = _ON_CLUSTER if on_cluster else {}
    return clickhouse_connect.get_client(dsn=url, autogenerate_session_id=False, settings=settings)


def _let_catch_up(layout: Layout, client: Any) -> None:
    """Let a replica fetch what others have, since rows are looked for there that another one took."""
    for sync in layout.catching_up():
        try:
            client.command(sync, settings={"receive_timeout": _CATCH_UP_S})
        except ClickHouseError as error:
            # One that has gone for good cannot be waited for. What it took and is sent again is the same block, which
            # ClickHouse recognises, and the same versions, of which readers see one.
            _log.warning("a replica of the store may lack rows that another one has: %s", error)
            return
