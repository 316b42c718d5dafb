"""How long calls are kept: an age after which the engine forgets them, and forgetting on request."""

import re
from datetime import date
from typing import NamedTuple

from llmlab_exporter.store.store import Store

_TABLES = ("llm_calls", "llm_call_versions")
_TTL = re.compile(r" TTL toDateTime\(started_at\) \+ toIntervalDay\((\d+)\)")


class Pruned(NamedTuple):
    """What was forgotten, or would be."""

    calls: int
    size_bytes: int
    """On disk; estimated where only a part of a month goes."""
    whole_months: list[int]
    """Such as 202609: they are dropped at once, without any work on the rest."""


def set_retention(store: Store, days: int) -> None:
    """Let the engine forget calls this many days after they started, within hours; 0 keeps them for good.

    A no-op when it is set so already.
    """
    for table in _TABLES:
        if _retention(store, table) == days:
            continue
        change = f"MODIFY TTL toDateTime(started_at) + toIntervalDay({days})" if days else "REMOVE TTL"
        store.command(f"ALTER TABLE {{database}}.{table} {change}")


def plan(store: Store, before: date) -> Pruned:
    """Work out what forgetting the calls that started before a day (UTC) means."""
    ((calls,),) = store.query(f"SELECT count() FROM {{database}}.llm_calls FINAL WHERE {_older(before)}")  # noqa: S608 - our own text
    months = _months(store)
    whole = [month for month in months if month < _month(before)]
    size_bytes = sum(months[month].size_bytes for month in whole)
    if part := months.get(_month(before)):
        question = (
            f"SELECT count() FROM {{database}}.llm_calls WHERE {_older(before)} "  # noqa: S608 - our own text
            f"AND toYYYYMM(started_at) = {_month(before)}"
        )
        ((rows,),) = store.query(question)
        size_bytes += part.size_bytes * rows // max(part.rows, 1)
    return Pruned(calls, size_bytes, whole)


def prune(store: Store, before: date) -> Pruned:
    """Forget the calls that started before a day (UTC), with their earlier versions."""
    planned = plan(store, before)
    for table in _TABLES:
        for month in _months(store, table):
            if month < _month(before):
                store.command(f"ALTER TABLE {{database}}.{table} DROP PARTITION {month}")
        if _month(before) in _months(store, table):
            store.command(f"ALTER TABLE {{database}}.{table} DELETE WHERE {_older(before)} SETTINGS mutations_sync = 1")
    return planned


def size_bytes(store: Store) -> int:
    """Return what our tables take on the disk of the store."""
    ((total,),) = store.query("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = '{database}'")
    return int(total or 0)


class _Month(NamedTuple):
    rows: int
    size_bytes: int


def _months(store: Store, table: str = "llm_calls") -> dict[int, _Month]:
    found = store.query(
        "SELECT partition, sum(rows), sum(bytes_on_disk) FROM system.parts "
        "WHERE active AND database = '{database}' AND table = {table:String} GROUP BY partition ORDER BY partition",
        {"table": table},
    )
    return {int(month): _Month(int(rows), int(size)) for month, rows, size in found}


def _retention(store: Store, table: str) -> int:
    ((definition,),) = store.query(
        "SELECT create_table_query FROM system.tables WHERE database = '{database}' AND name = {table:String}",
        {"table": table},
    )
    found = _TTL.search(definition)
    return int(found[1]) if found else 0


def _month(day: date) -> int:
    return day.year * 100 + day.month


def _older(before: date) -> str:
    """Return the condition as text: the engine keeps it with the mutation, where parameters are not known."""
    return f"started_at < toDateTime64('{before.isoformat()} 00:00:00', 9, 'UTC')"
