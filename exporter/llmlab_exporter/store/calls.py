"""Questions about single calls: the latest ones, and all that is known of one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from clickhouse_connect.driver.exceptions import DatabaseError

from llmlab_exporter.recall import MOVED
from llmlab_exporter.rows import CHANGEABLE, COLUMNS
from llmlab_exporter.store.store import Store

_MAX_SECONDS = 10
"""What one question may take, so that it cannot hold up the rows that arrive for long."""

_BOUNDED = f" SETTINGS max_execution_time = {_MAX_SECONDS}"

EQUAL = ("org", "project", "service_name", "environment", "provider", "model", "feature", "user_id", "run_id")
"""Columns that calls can be told apart by."""

_NAMES = (*(column.name for column in COLUMNS), "batch_id", "version", "change_id")
_VERSION_NAMES = (*CHANGEABLE, "version", "change_id", "replaced_by", "reason", "replaced_at")


class TooLong(Exception):
    """A question that takes longer than it may, so that less has to be asked for."""


class Position(NamedTuple):
    """A call in the order of the list; the next page begins behind it."""

    started_ns: int
    trace_id: bytes
    span_id: bytes


class Wanted(NamedTuple):
    """Which calls to list."""

    equal: Mapping[str, str]
    """Values of columns in `EQUAL`."""
    since: datetime | None = None
    until: datetime | None = None
    """Excluded."""
    trace_id: bytes = b""
    unpriced: bool = False
    """Only billable calls whose cost is unknown."""
    duplicates: bool | None = None
    """Only calls that repeat another one, or only those that do not."""
    behind: Position | None = None


def latest(store: Store, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
    """Return the latest calls that are wanted, by their start, the newest first. Raises `TooLong`."""
    condition, parameters = _condition(wanted)
    question = (
        f"SELECT {_selected(_NAMES)} FROM {{calls}} WHERE {condition} "  # noqa: S608 - our own names
        f"ORDER BY started_at DESC, trace_id DESC, span_id DESC LIMIT {limit}{_BOUNDED}"
    )
    return [dict(zip(_NAMES, row, strict=True)) for row in _ask(store, question, parameters)]


def find(store: Store, trace_id: bytes, span_id: bytes) -> list[dict[str, Any]]:
    """Return the calls with these ids, which are several only when organisations or projects share them.

    What stays behind of a call that moved to another project comes last.
    """
    question = (
        f"SELECT {_selected(_NAMES)} FROM {{calls}} "  # noqa: S608 - our own names
        f"WHERE trace_id = unhex({{trace_id:String}}) AND span_id = unhex({{span_id:String}}) "
        f"ORDER BY duplicate_reason = '{MOVED}', version DESC, org, project LIMIT 10{_BOUNDED}"
    )
    return [dict(zip(_NAMES, row, strict=True)) for row in _ask(store, question, _ids(trace_id, span_id))]


def earlier_versions(store: Store, call: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what was concluded from a call before, the oldest first, also while it was another project's."""
    question = (
        f"SELECT {', '.join(_VERSION_NAMES)} FROM {{everywhere}}.llm_call_versions FINAL "  # noqa: S608 - our own names
        "WHERE trace_id = unhex({trace_id:String}) AND span_id = unhex({span_id:String}) "
        "AND org = {org:String} AND version < {version:UInt32} AND (project = {project:String} OR project GLOBAL IN ("
        f"SELECT project FROM {{calls}} WHERE trace_id = unhex({{trace_id:String}}) "
        f"AND span_id = unhex({{span_id:String}}) AND org = {{org:String}} AND duplicate_reason = '{MOVED}')) "
        f"ORDER BY version{_BOUNDED}"
    )
    parameters = _ids(call["trace_id"], call["span_id"]) | {name: call[name] for name in ("org", "project", "version")}
    return [dict(zip(_VERSION_NAMES, row, strict=True)) for row in _ask(store, question, parameters)]


def _ask(store: Store, question: str, parameters: dict[str, object]) -> list[tuple[Any, ...]]:
    try:
        return store.query(question, parameters)
    except DatabaseError as error:
        if "TIMEOUT_EXCEEDED" in str(error):
            raise TooLong(f"the question takes more than {_MAX_SECONDS} seconds") from error
        raise


def _selected(names: tuple[str, ...]) -> str:
    """Select times as nanoseconds: the driver's have microseconds."""
    times = {"started_at", "ended_at"}
    return ", ".join(f"toUnixTimestamp64Nano({name})" if name in times else name for name in names)


def _ids(trace_id: bytes, span_id: bytes) -> dict[str, object]:
    return {"trace_id": trace_id.hex(), "span_id": span_id.hex()}


def _condition(wanted: Wanted) -> tuple[str, dict[str, object]]:
    conditions = ["1"]
    parameters: dict[str, object] = {}
    for name, value in wanted.equal.items():
        if name not in EQUAL:
            raise ValueError(f"calls cannot be told apart by {name}")
        conditions.append(f"{name} = {{{name}:String}}")
        parameters[name] = value
    for name, sign, moment in (("since", ">=", wanted.since), ("until", "<", wanted.until)):
        if moment is not None:
            conditions.append(f"started_at {sign} fromUnixTimestamp64Nano({{{name}:Int64}})")
            parameters[name] = round(moment.timestamp() * 1_000_000) * 1000
    if wanted.trace_id:
        conditions.append("trace_id = unhex({trace_id:String})")
        parameters["trace_id"] = wanted.trace_id.hex()
    if wanted.unpriced:
        conditions.append("billable AND cost_usd IS NULL")
    if wanted.duplicates is not None:
        repeats = f"duplicate_of IS NOT NULL AND duplicate_reason != '{MOVED}'"
        conditions.append(repeats if wanted.duplicates else "duplicate_of IS NULL")
    if wanted.behind is not None:
        started_ns, trace_id, span_id = wanted.behind
        conditions.append(
            "(started_at, trace_id, span_id) < (fromUnixTimestamp64Nano({behind:Int64}, 'UTC'), "
            "unhex({behind_trace:String}), unhex({behind_span:String}))"
        )
        conditions.append("started_at <= fromUnixTimestamp64Nano({behind:Int64}, 'UTC')")
        parameters |= {"behind": started_ns, "behind_trace": trace_id.hex(), "behind_span": span_id.hex()}
    return " AND ".join(conditions), parameters
