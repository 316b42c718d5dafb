"""The ClickHouse client: one class for the embedded engine and for a server."""

import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import clickhouse_connect
import pyarrow as pa
import pyarrow.compute as pc

from llmlab_exporter.rows import COLUMNS
from llmlab_exporter.store.schema import MIGRATIONS

DATABASE = "llmlab"

_STORED = {column.name for column in COLUMNS} | {"version", "change_id"}


class StoreUnavailable(Exception):
    """The store cannot be opened; the message says which one, why, and what to do."""


class Store:
    """The table of calls. Methods raise the driver's exceptions.

    Any thread may ask, and each waits for its turn: the engine runs one statement at a time. So whoever has much to
    ask asks in small portions, and rows that arrive are stored in between.
    """

    def __init__(self, client: Any, database: str = DATABASE) -> None:
        self._client = client
        self._database = database
        self._turn = threading.Lock()

    def migrate(self) -> None:
        """Create or update the tables; a no-op when they are there."""
        self.command("CREATE DATABASE IF NOT EXISTS {database}")
        self.command(
            "CREATE TABLE IF NOT EXISTS {database}.llmlab_migrations "
            "(version UInt32, applied_at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY version"
        )
        ((done,),) = self.query("SELECT max(version) FROM {database}.llmlab_migrations")
        for version, statements in enumerate(MIGRATIONS[done:], start=done + 1):
            for statement in statements:
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
        """Run a SELECT of ours; `{calls}` in it stands for the current version of every call, `{database}` for ours."""
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
            self._client.insert_arrow(table, rows, database=self._database)

    def close(self) -> None:
        """Close the client; the embedded engine flushes and lets go of its directory."""
        with self._turn:
            self._client.close()

    def _named(self, sql: str) -> str:
        return sql.replace("{calls}", f"{self._database}.current_calls").replace("{database}", self._database)

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


def open_server(url: str) -> Store:
    """Connect to a ClickHouse server by a URL such as `http://user:password@host:8123/database`.

    Raises `StoreUnavailable`.
    """
    parts = urlsplit(url)
    database = parts.path.strip("/") or DATABASE
    try:
        # The database may not exist yet, so the connection itself must not ask for it.
        client = clickhouse_connect.get_client(dsn=urlunsplit(parts._replace(path="")), autogenerate_session_id=False)
    except Exception as error:
        raise StoreUnavailable(f"no ClickHouse answers at {parts.hostname}:{parts.port}: {error}") from error
    return Store(client, database)
