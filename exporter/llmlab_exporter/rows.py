"""The columns of a stored call, built once per batch in the form in which the store takes them."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any, NamedTuple

import pyarrow as pa

from llmlab.money import yocto
from llmlab.pricing import Priced
from llmlab.usage import Usage
from llmlab_exporter.assess import Line
from llmlab_exporter.call import Call, Reading
from llmlab_exporter.rates import rate_text

COST = pa.decimal128(38, 24)
"""Yocto-USD, so that nothing is rounded: prices per million have up to 18 decimals."""

_TEXT = pa.string()
_TIME = pa.timestamp("ns", tz="UTC")
_NO_SPAN = bytes(8)


class Transposed(NamedTuple):
    """Lines turned on their side: each field of each tuple holds the values of all lines.

    Turning takes a few calls into C, whereas asking each line for each field would take as long as pricing it.
    """

    call: Any
    """A `Call` whose fields are columns, and so on."""
    reading: Any
    usage: Any
    priced: Any
    computed: Any
    """What the catalogue says, also where the provider's own word is the cost."""
    lines: Sequence[Line]


class Column(NamedTuple):
    """One column of `llm_calls`: its name, its Arrow type, and where its values are."""

    name: str
    type: pa.DataType
    values: Callable[[Transposed], Sequence[Any]]


def _column(name: str, path: str, kind: pa.DataType = _TEXT) -> Column:
    return Column(name, kind, attrgetter(path))


def _money(field: str) -> Callable[[Transposed], Sequence[int | None]]:
    def values(lines: Transposed) -> list[int | None]:
        amounts: Sequence[Decimal | None] = getattr(lines.reading, field)
        return [None if amount is None else yocto(amount) for amount in amounts]

    return values


def _parents(lines: Transposed) -> list[bytes]:
    return [line.call.parent_id or _NO_SPAN for line in lines.lines]


def _duplicates(lines: Transposed) -> list[bytes | None]:
    return [line.duplicate_of or None for line in lines.lines]


def _rules(lines: Transposed) -> list[str]:
    return [line.rule for line in lines.lines]


def _outcomes(lines: Transposed) -> list[str]:
    return [line.call.outcome for line in lines.lines]


def _usage_sources(lines: Transposed) -> list[str]:
    return [line.call.reading.usage_source or "" for line in lines.lines]


def _flaws(lines: Transposed) -> list[str]:
    return ["; ".join(line.call.reading.flaws) for line in lines.lines]


def _rates(lines: Transposed) -> list[str]:
    return [rate_text(line.computed, line.call.reading.usage) for line in lines.lines]


def _beside(lines: Transposed) -> list[int | None]:
    """Return the computed cost where it is not the cost."""
    return [line.computed.cost_yocto if line.priced.source == "provider" else None for line in lines.lines]


def usage_column(field: str) -> str:
    """Name the column of one field of `Usage`."""
    return f"{field}_tokens" if field in {"input", "output"} else field


COLUMNS: tuple[Column, ...] = (
    _column("org", "call.org"),
    _column("project", "call.project"),
    _column("service_name", "call.service"),
    _column("environment", "call.environment"),
    _column("started_at", "call.start_ns", _TIME),
    _column("ended_at", "call.end_ns", _TIME),
    _column("trace_id", "call.trace_id", pa.binary(16)),
    _column("span_id", "call.span_id", pa.binary(8)),
    Column("parent_span_id", pa.binary(8), _parents),
    _column("dialect", "call.dialect"),
    _column("provider", "call.provider"),
    _column("model", "call.model"),
    _column("request_model", "reading.request_model"),
    _column("response_model", "reading.response_model"),
    _column("operation", "reading.operation"),
    Column("outcome", _TEXT, _outcomes),
    _column("error_type", "reading.error"),
    _column("finish_reason", "reading.finish_reason"),
    _column("response_id", "reading.response_id"),
    _column("tier", "reading.tier"),
    _column("batch", "reading.batch", pa.bool_()),
    _column("stream", "reading.stream", pa.bool_()),
    _column("first_chunk_s", "reading.first_chunk_s", pa.float64()),
    *(_column(usage_column(field), f"usage.{field}", pa.uint64()) for field in Usage._fields),
    Column("usage_source", _TEXT, _usage_sources),
    _column("usage_spoiled", "reading.usage_spoiled", pa.bool_()),
    _column("billable", "reading.billable", pa.bool_()),
    Column("duplicate_of", pa.binary(8), _duplicates),
    Column("duplicate_reason", _TEXT, _rules),
    _column("cost_usd", "priced.cost_yocto", COST),
    _column("cost_source", "priced.source"),
    _column("cost_reason", "priced.reason"),
    _column("cost_detail", "priced.detail"),
    _column("catalogue", "computed.catalogue"),
    _column("price_provider", "computed.price_provider"),
    _column("price_model", "computed.price_model"),
    _column("rate_start", "computed.rate_start"),
    Column("rate", _TEXT, _rates),
    _column("discount", "computed.discount"),
    Column("computed_cost_usd", COST, _beside),
    Column("provider_cost_usd", COST, _money("provider_cost")),
    Column("claimed_cost_usd", COST, _money("claimed_cost")),
    _column("feature", "reading.feature"),
    _column("user_id", "reading.user"),
    _column("session_id", "reading.session"),
    _column("run_id", "reading.run"),
    Column("flaws", _TEXT, _flaws),
    _column("sampling_threshold", "call.sampling_threshold", pa.uint64()),
)

CHANGEABLE = (
    "billable",
    "duplicate_of",
    "duplicate_reason",
    "cost_usd",
    "cost_source",
    "cost_reason",
    "cost_detail",
    "catalogue",
    "price_provider",
    "price_model",
    "rate_start",
    "rate",
    "discount",
    "computed_cost_usd",
)
"""What we conclude from a call, and may conclude anew. All other columns are what was received: they never change."""

KEY = ("org", "project", "started_at", "trace_id", "span_id")
"""The columns that tell one stored call from another."""

SCHEMA = pa.schema([(column.name, column.type) for column in COLUMNS])


def record_batch(lines: Sequence[Line]) -> pa.RecordBatch:
    """Turn priced calls into one Arrow record batch with the columns of `llm_calls`."""
    if not lines:
        return pa.RecordBatch.from_pylist([], SCHEMA)
    turned = _transpose(lines)
    arrays: list[pa.Array[Any]] = []
    for column in COLUMNS:
        values = column.values(turned)
        arrays.append(decimals(values) if column.type is COST else pa.array(values, column.type))
    return pa.record_batch(arrays, schema=SCHEMA)


def _transpose(lines: Sequence[Line]) -> Transposed:
    calls, prices, _, computed, *_ = zip(*lines, strict=True)
    call: Any = Call._make(zip(*calls, strict=True))
    reading: Any = Reading._make(zip(*call.reading, strict=True))
    usage = Usage._make(zip(*reading.usage, strict=True))
    return Transposed(call, reading, usage, _columns(prices), _columns(computed), lines)


def _columns(prices: Sequence[Priced]) -> Priced:
    """Turn prices on their side."""
    return Priced._make(zip(*prices, strict=True))


def decimals(values: Sequence[int | None]) -> "pa.Array[Any]":
    """Build a decimal column from unscaled integers: ten times faster than through Decimal objects."""
    data = b"".join([(value or 0).to_bytes(16, "little", signed=True) for value in values])
    known = pa.array([value is not None for value in values], pa.bool_())
    return pa.Array.from_buffers(COST, len(values), [known.buffers()[1], pa.py_buffer(data)])


def unscaled(column: "pa.ChunkedArray[Any]") -> list[int | None]:
    """Read a decimal column back as unscaled integers."""
    found: list[int | None] = []
    for chunk in column.chunks:
        data = chunk.buffers()[1]
        raw = bytes(data)[chunk.offset * 16 :] if data is not None else b""
        known = chunk.is_valid().to_pylist()
        found += [
            int.from_bytes(raw[row * 16 : row * 16 + 16], "little", signed=True) if is_known else None
            for row, is_known in enumerate(known)
        ]
    return found
