"""The columns of a stored call, built once per batch in the form in which the store takes them."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any, NamedTuple

import pyarrow as pa

from llmlab.money import yocto
from llmlab.pricing import Priced
from llmlab.usage import Usage
from llmlab_exporter.call import Call

Line = tuple[Call, Priced]

COST = pa.decimal128(38, 24)
"""Yocto-USD, so that nothing is rounded: prices per million have up to 18 decimals."""

_TEXT = pa.string()
_TIME = pa.timestamp("ns", tz="UTC")


class Column(NamedTuple):
    """One column of `llm_calls`: its name, its Arrow type, and how to read it off a call or its price."""

    name: str
    type: pa.DataType
    read: Callable[[Any], Any]
    priced: bool = False
    """Read it off the `Priced` instead of the `Call`."""


def _call(name: str, kind: pa.DataType = _TEXT, path: str = "") -> Column:
    return Column(name, kind, attrgetter(path or name))


def _reading(name: str, kind: pa.DataType = _TEXT, path: str = "") -> Column:
    return Column(name, kind, attrgetter(f"reading.{path or name}"))


def _price(name: str, kind: pa.DataType = _TEXT, path: str = "") -> Column:
    return Column(name, kind, attrgetter(path or name), priced=True)


def _money(field: str) -> Callable[[Call], int | None]:
    def read(call: Call) -> int | None:
        amount: Decimal | None = getattr(call.reading, field)
        return None if amount is None else yocto(amount)

    return read


def _parent(call: Call) -> bytes:
    return call.parent_id or bytes(8)


def _usage_source(call: Call) -> str:
    return call.reading.usage_source or ""


def _flaws(call: Call) -> str:
    return "; ".join(call.reading.flaws)


def usage_column(field: str) -> str:
    """Name the column of one field of `Usage`."""
    return f"{field}_tokens" if field in {"input", "output"} else field


COLUMNS: tuple[Column, ...] = (
    _call("org"),
    _call("project"),
    _call("service_name", path="service"),
    _call("environment"),
    _call("started_at", _TIME, "start_ns"),
    _call("ended_at", _TIME, "end_ns"),
    _call("trace_id", pa.binary(16)),
    _call("span_id", pa.binary(8)),
    Column("parent_span_id", pa.binary(8), _parent),
    _call("dialect"),
    _call("provider"),
    _call("model"),
    _reading("request_model"),
    _reading("operation"),
    _call("outcome"),
    _reading("error_type", path="error"),
    _reading("finish_reason"),
    _reading("response_id"),
    _reading("tier"),
    _reading("batch", pa.bool_()),
    _reading("stream", pa.bool_()),
    _reading("first_chunk_s", pa.float64()),
    *(_reading(usage_column(field), pa.uint64(), f"usage.{field}") for field in Usage._fields),
    Column("usage_source", _TEXT, _usage_source),
    _reading("billable", pa.bool_()),
    _price("cost_usd", COST, "cost_yocto"),
    _price("cost_source", path="source"),
    _price("unpriced_reason", path="reason"),
    _price("catalogue"),
    _price("price_provider"),
    _price("price_model"),
    _price("rate_start"),
    Column("provider_cost_usd", COST, _money("provider_cost")),
    Column("claimed_cost_usd", COST, _money("claimed_cost")),
    _reading("feature"),
    _reading("user_id", path="user"),
    _reading("session_id", path="session"),
    _reading("run_id", path="run"),
    Column("flaws", _TEXT, _flaws),
)

SCHEMA = pa.schema([(column.name, column.type) for column in COLUMNS])


def record_batch(lines: Sequence[Line]) -> pa.RecordBatch:
    """Turn priced calls into one Arrow record batch with the columns of `llm_calls`."""
    calls = [line[0] for line in lines]
    prices = [line[1] for line in lines]
    arrays: "list[pa.Array[Any]]" = []
    for column in COLUMNS:
        values = list(map(column.read, prices if column.priced else calls))
        arrays.append(_decimals(values) if column.type is COST else pa.array(values, column.type))
    return pa.record_batch(arrays, schema=SCHEMA)


def _decimals(values: Sequence[int | None]) -> "pa.Array[Any]":
    """Build a decimal column from unscaled integers: ten times faster than through Decimal objects."""
    data = b"".join([(value or 0).to_bytes(16, "little", signed=True) for value in values])
    known = pa.array([value is not None for value in values], pa.bool_())
    return pa.Array.from_buffers(COST, len(values), [known.buffers()[1], pa.py_buffer(data)])
