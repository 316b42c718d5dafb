"""Tables on a cluster: replicated within each shard, and read over all of them.

An exporter writes to the tables of its own shard, in a database of their own, so that all versions of a call and all
that is said of a batch stand where it asks for them. What is read over all shards stands in the database that a single
server has: the same names, `llm_calls`, `llm_call_versions` and `current_calls`, whoever asks.

The servers must know the macros `{shard}` and `{replica}`.
"""

import re
from typing import NamedTuple

_TABLE = re.compile(r"^(\s*(?:CREATE TABLE IF NOT EXISTS|ALTER TABLE)\s+\{database\}\.(\w+))")
_ENGINE = re.compile(r"\bENGINE = (\w*MergeTree)(?:\((\w+)\))?")
_VIEW = re.compile(r"^\s*CREATE (?:OR REPLACE )?VIEW\b")

_READ_FROM = ("llm_calls", "llm_call_versions")


class Layout(NamedTuple):
    """Which databases there are, and on which cluster."""

    database: str
    """Where rows are written."""
    everywhere: str
    """Where rows of all shards are read; the same on a single server."""
    cluster: str = ""
    """As the servers know it; "" for a single server."""

    def named(self, sql: str) -> str:
        """Put names in: `{calls}` for the current version of every call, `{everywhere}` and `{database}` for ours."""
        sql = sql.replace("{calls}", "{everywhere}.current_calls")
        return sql.replace("{everywhere}", self.everywhere).replace("{database}", self.database)

    def definition(self, statement: str) -> str:
        """Return how a table of a single server is made or changed here; "" for what is made for reading."""
        if not self.cluster:
            return statement
        if _VIEW.match(statement):
            return ""
        found = _TABLE.match(statement)
        if found is None:
            raise ValueError(f"nobody knows how to run this on a cluster: {statement.strip()[:80]}")
        path = f"'/clickhouse/tables/{{shard}}/{{database}}/{found[2]}', '{{replica}}'"
        statement = _TABLE.sub(rf"\1 ON CLUSTER '{self.cluster}'", statement)
        return _ENGINE.sub(lambda engine: f"ENGINE = Replicated{engine[1]}({path}{_given(engine)})", statement)

    def databases(self) -> list[str]:
        """Return the statements that make the databases."""
        names = dict.fromkeys((self.database, self.everywhere))
        where = f" ON CLUSTER '{self.cluster}'" if self.cluster else ""
        return [f"CREATE DATABASE IF NOT EXISTS {name}{where}" for name in names]

    def reading(self) -> list[str]:
        """Return the statements that make what is read over all shards; nothing for a single server.

        A distributed table has the columns that the table had when it was made, so that it is made anew with each
        migration.
        """
        if not self.cluster:
            return []
        on, views = f"ON CLUSTER '{self.cluster}'", "SELECT * FROM {everywhere}.llm_calls FINAL"
        tables = [
            f"CREATE OR REPLACE TABLE {{everywhere}}.{table} {on} AS {{database}}.{table} "
            f"ENGINE = Distributed('{self.cluster}', '{self.database}', '{table}')"
            for table in _READ_FROM
        ]
        return [*tables, f"CREATE OR REPLACE VIEW {{everywhere}}.current_calls {on} AS {views}"]

    def catching_up(self) -> list[str]:
        """Return the statements with which a replica fetches what others have."""
        tables = (*_READ_FROM, "llm_call_stage") if self.cluster else ()
        return [f"SYSTEM SYNC REPLICA {self.database}.{table} IF EXISTS LIGHTWEIGHT" for table in tables]


def on_one_server(database: str) -> Layout:
    """Return the layout of a server, or of the embedded engine."""
    return Layout(database, database)


def on_cluster(database: str, cluster: str) -> Layout:
    """Return the layout of a cluster of that name. Raises `ValueError` when it is none."""
    if not re.fullmatch(r"\w+", cluster):
        raise ValueError(f"a cluster is named by letters, digits and _, not {cluster!r}")
    return Layout(f"{database}_shard", database, cluster)


def _given(engine: "re.Match[str]") -> str:
    return f", {engine[2]}" if engine[2] else ""
