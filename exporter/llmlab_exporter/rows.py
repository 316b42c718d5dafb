"""The columns of a stored call, built once per batch in the form in which the store takes them."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from operator import attrgetter, is_
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
    duplicate_of: Sequence[bytes]
    rule: Sequence[str]
    said: Sequence[Call | None]
    calls: Sequence[Call]
    """Not turned, like `prices`, which are those of `computed`."""
    prices: Sequence[Priced]


class Column(NamedTuple):
    """One column of `llm_calls`: its name, its Arrow type, and where its values are."""

    name: str
    type: pa.DataType
    values: Callable[[Transposed], Sequence[Any]]


Constants = tuple[tuple[str, pa.DataType, Any], ...]
"""Columns of which all rows have one value."""


class Rows(NamedTuple):
    """Rows of a table: most columns of one request say the same of all its calls, so they are kept as one value."""

    varying: pa.RecordBatch
    constant: Constants


def text_column(name: str, path: str) -> Column:
    """Return a column of what is found at a path of `Transposed`."""
    return _column(name, path)


def _column(name: str, path: str, kind: pa.DataType = _TEXT) -> Column:
    return Column(name, kind, attrgetter(path))


def _money(field: str) -> Callable[[Transposed], Sequence[int | None]]:
    def values(lines: Transposed) -> list[int | None]:
        amounts: Sequence[Decimal | None] = getattr(lines.reading, field)
        return [None if amount is None else yocto(amount) for amount in amounts]

    return values


def _parents(lines: Transposed) -> list[bytes]:
    return [parent_id or _NO_SPAN for parent_id in lines.call.parent_id]


def _duplicates(lines: Transposed) -> list[bytes | None]:
    return [span_id or None for span_id in lines.duplicate_of]


def _outcomes(lines: Transposed) -> list[str]:
    return [call.outcome for call in lines.calls]


def _usage_sources(lines: Transposed) -> list[str]:
    return [source or "" for source in lines.reading.usage_source]


def _flaws(lines: Transposed) -> list[str]:
    return ["; ".join(flaws) for flaws in lines.reading.flaws]


def _rates(lines: Transposed) -> list[str]:
    return [rate_text(priced, usage) for priced, usage in zip(lines.prices, lines.reading.usage, strict=True)]


def _beside(lines: Transposed) -> list[int | None]:
    """Return the computed cost where it is not the cost."""
    costs = zip(lines.priced.source, lines.computed.cost_yocto, strict=True)
    return [computed if source == "provider" else None for source, computed in costs]


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
    _column("duplicate_reason", "rule"),
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


_OF_ONE_CALL = frozenset({"response_id", "user_id", "session_id", "run_id", "cost_detail", "flaws", "said"})
"""Texts that differ from call to call, or may: that they are the same in one request says nothing of the next one."""


def rows_of(lines: Sequence[Line], more: Sequence[Column] = ()) -> Rows:
    """Turn priced calls, at least one, into rows with the columns of `llm_calls`, and more."""
    turned = _transpose(lines)
    constant: list[tuple[str, pa.DataType, Any]] = []
    varying: list[tuple[pa.Field[Any], pa.Array[Any]]] = []
    for column in (*COLUMNS, *more):
        values = column.values(turned)
        first = values[0]
        if _may_be_constant(column, first) and values.count(first) == len(values):
            constant.append((column.name, column.type, first))
        else:
            varying.append((pa.field(column.name, column.type), array(values, column.type)))
    fields, arrays = zip(*varying, strict=True)
    return Rows(pa.record_batch(list(arrays), schema=pa.schema(fields)), tuple(constant))


def _may_be_constant(column: Column, value: object) -> bool:
    """Whether it is worth a look if all calls say this, as those of the next request will: there must not be many."""
    return not value or value is True or (type(value) is str and column.name not in _OF_ONE_CALL)


def record_batch(lines: Sequence[Line]) -> pa.RecordBatch:
    """Turn priced calls into one Arrow record batch with the columns of `llm_calls`."""
    if not lines:
        return pa.RecordBatch.from_pylist([], SCHEMA)
    turned = _transpose(lines)
    return pa.record_batch([array(column.values(turned), column.type) for column in COLUMNS], schema=SCHEMA)


def _transpose(lines: Sequence[Line]) -> Transposed:
    calls, prices, duplicates, computed, rules, said = zip(*lines, strict=True)
    call: Any = Call._make(zip(*calls, strict=True))
    reading: Any = Reading._make(zip(*call.reading, strict=True))
    usage = Usage._make(zip(*reading.usage, strict=True))
    priced = _columns(prices)
    # Nearly always the cost is the computed one, and then it is the same object.
    concluded = priced if all(map(is_, prices, computed)) else _columns(computed)
    return Transposed(call, reading, usage, priced, concluded, duplicates, rules, said, calls, computed)


def _columns(prices: Sequence[Priced]) -> Priced:
    """Turn prices on their side."""
    return Priced._make(zip(*prices, strict=True))


def array(values: Sequence[Any], kind: pa.DataType) -> "pa.Array[Any]":
    """Build a column; a cost is given as an unscaled integer."""
    return decimals(values) if kind is COST else pa.array(values, kind)


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
