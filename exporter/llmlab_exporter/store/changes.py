"""Concluding anew: new versions of stored calls, set by set, and never an edited row.

A change is staged first (`stage`) and applied then (`apply`): the current version of each staged call goes to
`llm_call_versions`, and a version with the new conclusions to `llm_calls`. Every staged row names the version that it
was concluded from, and is applied only while that one is current. So applying twice changes nothing, applying again
after a crash completes what is missing, and whoever records "staged" before applying can go on after any kill.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from llmlab_exporter.rows import CHANGEABLE, COLUMNS, KEY
from llmlab_exporter.store.store import Store

STAGED = (*KEY, "base_version")
"""The columns that every staged row has, beside those that change."""


class Change(NamedTuple):
    """Who changes calls, and why."""

    change_id: str
    reason: str
    """One word, such as `reprice`."""
    columns: Sequence[str] = CHANGEABLE
    """What changes; every other column is taken over."""


def stage(store: Store, change: Change, rows: pa.Table) -> None:
    """Replace what is staged for a change: one row for each call, with `STAGED` and the columns that change."""
    unstage(store, change)
    if rows.num_rows:
        store.insert_into(
            "llm_call_stage", rows.append_column("staged_for", pa.repeat(change.change_id, rows.num_rows))
        )


def apply(store: Store, change: Change) -> None:
    """Give every staged call that is still at its base version the next one."""
    parameters: dict[str, object] = {
        "change_id": change.change_id,
        "replaced_by": change.change_id,
        "reason": change.reason,
    }
    # The old values first: once the new version is there, the old one is no longer current and cannot be asked for.
    store.command(_keep_old_values("="), parameters)
    store.command(_write_new_versions(change), parameters)


def unstage(store: Store, change: Change) -> None:
    """Forget what is staged for a change, and leave alone what others have staged in the same store."""
    if not change.change_id.isalnum():
        raise ValueError(f"a change is named by letters and digits, not {change.change_id!r}")
    store.command(f"ALTER TABLE {{database}}.llm_call_stage DROP PARTITION '{change.change_id}'")


def keep_replaced(store: Store, rows: pa.Table, batch_id: str) -> None:
    """Keep what new versions of calls replace, before these rows are inserted; a no-op when there are none.

    What a version replaces is among the rows themselves, or in the store. Doing it again changes nothing.
    """
    if "reason" not in rows.column_names:
        return
    newer = rows.filter(pc.is_valid(rows.column("reason")))
    if replaced := _replaced_among(rows, newer):
        store.insert_into("llm_call_versions", replaced)
    staged_for = f"keep{batch_id.replace('-', '')}"  # several exporters may share the store
    bases = _bases(newer)
    makers = list(zip(newer.column("change_id").to_pylist(), newer.column("reason").to_pylist(), strict=True))
    for maker in sorted(set(makers)):
        stage(store, Change(staged_for, ""), bases.filter(pa.array([each == maker for each in makers], pa.bool_())))
        replaced_by, reason = maker
        parameters: dict[str, object] = {"change_id": staged_for, "replaced_by": replaced_by, "reason": reason}
        store.command(_keep_old_values("<="), parameters)
    if makers:
        unstage(store, Change(staged_for, ""))


def _bases(newer: pa.Table) -> pa.Table:
    """Return which versions new ones replace, with the columns `STAGED`."""
    versions = pc.subtract(newer.column("version"), _ONE)
    return newer.select([*KEY, "version"]).set_column(len(KEY), "base_version", versions)


def _replaced_among(rows: pa.Table, newer: pa.Table) -> pa.Table:
    """Return, as `llm_call_versions` has them, those of the rows that others of them replace."""
    known = [name for name in CHANGEABLE if name in rows.column_names]
    older = rows.select([*KEY, *known, "version", "change_id"])
    older = older.filter(pc.is_in(rows.column("trace_id"), newer.column("trace_id").combine_chunks()))
    for name, first in (("version", 1), ("change_id", "")):
        filled = pc.fill_null(older.column(name), pa.scalar(first, older.column(name).type))
        older = older.set_column(older.column_names.index(name), name, filled)
    replacing = _bases(newer).append_column("replaced_by", newer.column("change_id"))
    replacing = replacing.append_column("reason", newer.column("reason"))
    keys = [*KEY, "base_version"]
    return older.join(replacing, [*KEY, "version"], keys, join_type="inner")


_ONE = pa.scalar(1, pa.uint32())

_STAGED = "{database}.llm_call_stage WHERE staged_for = {change_id:String}"

_BASES = f"""
    FROM (
        SELECT * FROM {{database}}.llm_calls FINAL
        WHERE started_at >= (SELECT min(started_at) FROM {_STAGED})
          AND started_at <= (SELECT max(started_at) FROM {_STAGED})
          AND trace_id IN (SELECT trace_id FROM {_STAGED})
    ) AS c
    INNER JOIN (SELECT * FROM {_STAGED}) AS s
       ON c.trace_id = s.trace_id AND c.span_id = s.span_id AND c.org = s.org AND c.project = s.project
      AND c.started_at = s.started_at
"""  # noqa: S608 - our own names


def _keep_old_values(sign: Literal["=", "<="]) -> str:
    """Keep what is current, if that is the staged version, or one before it because the staged one never arrived."""
    columns = (*KEY, *CHANGEABLE, "version", "change_id")
    return f"""
        INSERT INTO {{database}}.llm_call_versions ({", ".join(columns)}, replaced_by, reason)
        SELECT {", ".join(f"c.{column}" for column in columns)}, {{replaced_by:String}}, {{reason:String}}
        {_BASES} WHERE c.version {sign} s.base_version
    """


def _write_new_versions(change: Change) -> str:
    names = [column.name for column in COLUMNS]
    values = [f"{'s' if name in change.columns else 'c'}.{name}" for name in names]
    return f"""
        INSERT INTO {{database}}.llm_calls ({", ".join(names)}, batch_id, version, change_id)
        SELECT {", ".join(values)}, c.batch_id, c.version + 1, {{change_id:String}}
        {_BASES} WHERE c.version = s.base_version
    """
