"""Calls packed for the ledger so that they can be put together again, after a restart too.

Beside the columns of the store, a packed call has what the rules of `dedupe` look at, and what its own span said where
that is not what is stored.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa

from llmlab.pricing import Priced
from llmlab.usage import Usage
from llmlab_exporter.assess import Line
from llmlab_exporter.call import Call, Reading
from llmlab_exporter.ledger.parcels import Unreadable, pack, pack_constants, unpack
from llmlab_exporter.rows import (
    COLUMNS,
    COST,
    Column,
    Constants,
    Transposed,
    array,
    record_batch,
    rows_of,
    text_column,
    unscaled,
    usage_column,
)

log = logging.getLogger(__name__)

CHANGE_ID = "dedupe"
"""Marks in the store the versions of calls that came about because other spans told of the same call."""

MOVED = "moved"
"""The rule of what stays where a call was stored that turned out to belong to another project."""


def _said(lines: Transposed) -> list[str | None]:
    pairs = zip(lines.said, lines.calls, strict=True)
    return [None if said is None else _difference(said, call) for said, call in pairs]


_ONLY_HERE = (
    text_column("scope", "call.scope"),
    text_column("layer", "reading.layer"),
    text_column("host", "reading.host"),
    text_column("said_project", "reading.project"),
    Column("said", pa.string(), _said),
)
_NAMES = [column.name for column in (*COLUMNS, *_ONLY_HERE)]
_NEEDED = frozenset(_NAMES) - {*map(usage_column, Usage._fields)}


class Recalled(NamedTuple):
    """A line as it was packed. Of its price only the cost and where it comes from are known."""

    line: Line
    version: int


def packed(lines: Sequence[Line], versions: Sequence[int] = (), reasons: Sequence[str] = ()) -> bytes:
    """Pack lines; they are first versions unless it is said of each. `reasons` say why there are new ones."""
    if not lines:
        return pack(record_batch(lines))
    rows, constants = rows_of(lines, _ONLY_HERE)
    if versions:
        rows = rows.append_column(pa.field("version", pa.uint32()), pa.array(versions, pa.uint32()))
        rows = rows.append_column(pa.field("change_id", pa.string()), pa.array([CHANGE_ID] * len(lines), pa.string()))
    if reasons:
        rows = rows.append_column(pa.field("reason", pa.string()), pa.array(reasons, pa.string()))
    return pack(rows, _packed_constants(constants))


@lru_cache(maxsize=256)
def _packed_constants(constants: Constants) -> bytes:
    names = [name for name, _, _ in constants]
    return pack_constants(pa.record_batch([array([value], kind) for _, kind, value in constants], names=names))


def recalled(payload: bytes) -> Iterator[Recalled]:
    """Unpack lines; none when they were packed by an earlier LLMLab, which did not write what is needed.

    Counts that an earlier one did not know were reported by nobody.
    """
    try:
        table = unpack([payload])
    except Unreadable as error:
        log.warning("calls that came lately are forgotten, and late records of them count as calls: %s", error)
        return
    table = table.rename_columns(["duplicate_reason" if name == "rule" else name for name in table.column_names])
    known = frozenset(table.column_names)
    if _NEEDED - known:
        return
    columns = [_values(table.column(name)) if name in known else [None] * table.num_rows for name in _NAMES]
    versions = table.column("version").to_pylist() if "version" in known else [1] * table.num_rows
    for version, *values in zip(versions, *columns, strict=True):
        yield Recalled(_line(dict(zip(_NAMES, values, strict=True))), version or 1)


def _line(row: dict[str, Any]) -> Line:
    usage = Usage._make(row[usage_column(field)] for field in Usage._fields)
    reading = Reading(
        operation=row["operation"],
        billable=row["billable"],
        provider=row["provider"],
        host=row["host"],
        request_model=row["request_model"],
        response_model=row["response_model"],
        response_id=row["response_id"],
        tier=row["tier"],
        batch=row["batch"],
        stream=row["stream"],
        usage=usage,
        usage_source=row["usage_source"] or None,
        error=row["error_type"],
        finish_reason=row["finish_reason"],
        first_chunk_s=row["first_chunk_s"],
        provider_cost=_usd(row["provider_cost_usd"]),
        claimed_cost=_usd(row["claimed_cost_usd"]),
        project=row["said_project"],
        feature=row["feature"],
        user=row["user_id"],
        session=row["session_id"],
        run=row["run_id"],
        flaws=(row["flaws"],) if row["flaws"] else (),
        usage_spoiled=row["usage_spoiled"],
        layer=row["layer"],
    )
    parent_id = row["parent_span_id"]
    call = Call(
        row["trace_id"],
        row["span_id"],
        parent_id if any(parent_id) else b"",
        row["started_at"],
        row["ended_at"],
        row["dialect"],
        row["org"],
        row["project"],
        row["service_name"],
        row["environment"],
        row["provider"],
        row["model"],
        reading,
        row["scope"],
        row["sampling_threshold"] or 0,
    )
    priced = Priced(row["cost_usd"], row["cost_source"], row["cost_reason"], row["cost_detail"])
    said = None if row["said"] is None else _restored(call, json.loads(row["said"]))
    return Line(call, priced, row["duplicate_of"] or b"", priced, row["duplicate_reason"] or "", said)


def _difference(said: Call, call: Call) -> str:
    """Write what a span said where it is not what became of it, as JSON: of the call, and of its reading."""
    of_call = {
        name: value for name, value in said._asdict().items() if name != "reading" and value != getattr(call, name)
    }
    of_reading = {name: value for name, value in said.reading._asdict().items() if value != getattr(call.reading, name)}
    if "usage" in of_reading:
        of_reading["usage"] = said.reading.usage._asdict()
    return json.dumps([of_call, of_reading], default=str)


def _restored(call: Call, difference: list[dict[str, Any]]) -> Call:
    of_call, of_reading = difference
    match of_reading.pop("usage", None):
        case dict() as counts:
            of_reading["usage"] = Usage(**counts)
        case _:  # an earlier LLMLab wrote the counts without their names, and had fewer
            pass
    return call._replace(**of_call, reading=call.reading._replace(**of_reading))


def _values(column: "pa.ChunkedArray[Any]") -> Sequence[Any]:
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.int64()).to_pylist()
    return unscaled(column) if column.type == COST else column.to_pylist()


def _usd(amount_yocto: int | None) -> Decimal | None:
    return None if amount_yocto is None else Decimal(amount_yocto).scaleb(-24)
