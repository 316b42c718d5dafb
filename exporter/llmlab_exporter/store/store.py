"""The ClickHouse client: one class for the embedded engine and for a server."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import clickhouse_connect
import pyarrow as pa
import pyarrow.compute as pc

from llmlab_exporter.store.schema import MIGRATIONS

DATABASE = "llmlab"


class StoreUnavailable(Exception):
    """The store cannot be opened; the message says which one, why, and what to do."""


class Store:
    """The table of calls. Methods raise the driver's exceptions; one thread uses it at a time."""

    def __init__(self, client: Any, database: str = DATABASE) -> None:
        self._client = client
        self._database = database

    def migrate(self) -> None:
        """Create or update the tables; a no-op when they are there."""
        self._client.command(f"CREATE DATABASE IF NOT EXISTS {self._database}")
        self._client.command(
            f"CREATE TABLE IF NOT EXISTS {self._database}.llmlab_migrations "
            "(version UInt32, applied_at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY version"
        )
        table = f"{self._database}.llmlab_migrations"
        done = int(self._client.command(f"SELECT max(version) FROM {table}"))  # noqa: S608 - our own name
        for version, statements in enumerate(MIGRATIONS[done:], start=done + 1):
            for statement in statements:
                self._client.command(statement.replace("{database}", self._database))
            self._client.command(f"INSERT INTO {table} (version) VALUES ({version})")  # noqa: S608 - our own name

    def insert(self, rows: pa.Table, batch_id: str) -> None:
        """Insert rows under a batch id, one block for each month, since only a block in one partition is atomic."""
        self._insert_months(split_by_month(rows), batch_id)

    def complete(self, rows: pa.Table, batch_id: str) -> None:
        """Insert those months of a batch that are not there yet: its first insert ended in an error or a crash."""
        there = self.stored(batch_id)
        self._insert_months(
            {month: part for month, part in split_by_month(rows).items() if month not in there}, batch_id
        )

    def stored(self, batch_id: str) -> dict[int, int]:
        """Count the rows of a batch that are in the store, by month (`202611`)."""
        found = self._client.query(
            f"SELECT toYYYYMM(started_at), count() FROM {self._database}.llm_calls "  # noqa: S608 - our own name
            "WHERE batch_id = {batch_id:String} GROUP BY 1",
            parameters={"batch_id": batch_id},
        )
        return {int(month): int(count) for month, count in found.result_rows}

    def query(self, sql: str, parameters: dict[str, object] | None = None) -> list[tuple[Any, ...]]:
        """Run a SELECT of ours; `{calls}` in it stands for the table of calls."""
        sql = sql.replace("{calls}", f"{self._database}.llm_calls")
        return [tuple(row) for row in self._client.query(sql, parameters=parameters or {}).result_rows]

    def close(self) -> None:
        """Close the client; the embedded engine flushes and lets go of its directory."""
        self._client.close()

    def _insert_months(self, months: dict[int, pa.Table], batch_id: str) -> None:
        for part in months.values():
            named = part.append_column("batch_id", pa.repeat(batch_id, part.num_rows))
            self._client.insert_arrow("llm_calls", named, database=self._database)


def split_by_month(rows: pa.Table) -> dict[int, pa.Table]:
    """Split rows by the month (`202611`, UTC) in which they started: the partitions of the table."""
    started = rows.column("started_at")
    months = pc.add(pc.multiply(pc.year(started), 100), pc.month(started))
    return {month.as_py(): rows.filter(pc.equal(months, month)) for month in pc.unique(months)}


def open_embedded(path: Path) -> Store:
    """Open the embedded engine (chDB) on a directory that this process alone uses.

    Raises `StoreUnavailable`.
    """
    try:
        return Store(clickhouse_connect.get_client(interface="chdb", path=str(path)))
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
