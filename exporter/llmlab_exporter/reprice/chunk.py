"""Prices one chunk of stored calls again."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from llmlab.pricing import Priced
from llmlab.pricing.pricer import Pricer
from llmlab.usage import Usage
from llmlab_exporter.call import Call, Reading
from llmlab_exporter.kin import Identity
from llmlab_exporter.pricing import price
from llmlab_exporter.rates import rate_text
from llmlab_exporter.reprice.reading import COLUMNS, Cursor
from llmlab_exporter.reprice.report import Report
from llmlab_exporter.rows import COST, KEY, decimals, unscaled
from llmlab_exporter.tally import BUCKET_S, Sampled, Series, Tallies, Tally
from llmlab_exporter.window import NewPrice

CALLS_PER_CHANGE = 10
"""Calls without a change are recorded as having been looked at ten times as seldom."""

PRICE_COLUMNS = (
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
)
"""What a new price changes in a call."""


class Repriced(NamedTuple):
    """What a chunk amounts to."""

    rows: pa.Table
    """The calls whose price is another one now, as `store.changes.stage` takes them."""
    differences: Tallies
    """What that does to the ledger's spend."""


class _Old(NamedTuple):
    """The price that is stored."""

    cost_yocto: int | None
    source: str
    reason: str
    price_provider: str
    price_model: str
    rate_start: str
    discount: str


class Pending:
    """Repriced calls that are not recorded yet: few changes of many calls are worth one transaction."""

    def __init__(self, max_changes: int) -> None:
        self._max_changes = max_changes
        self._rows: list[pa.Table] = []
        self._differences: Tallies = {}
        self._cursor = Cursor()
        self.calls = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to record them."""
        changes = sum(rows.num_rows for rows in self._rows)
        return changes >= self._max_changes or self.calls >= CALLS_PER_CHANGE * self._max_changes

    def add(self, repriced: Repriced, calls: int, cursor: Cursor) -> None:
        """Add what some calls, of which the cursor is the last, amount to."""
        self.calls += calls
        self._cursor = cursor
        self._rows.append(repriced.rows)
        for place, tally in repriced.differences.items():
            self._differences.setdefault(place, Tally()).add(tally)

    def take(self) -> tuple[pa.Table, Tallies, Cursor]:
        """Return all of it, and begin anew."""
        taken = pa.concat_tables(self._rows), self._differences, self._cursor
        self._rows, self._differences, self.calls = [], {}, 0
        return taken


def reprice(table: pa.Table, pricer: Pricer, report: Report) -> Repriced:
    """Price the calls of a chunk, and count them in the report."""
    changed: list[int] = []
    prices: list[tuple[Priced, str]] = []
    differences: Tallies = {}
    for row, (call, outcome, old) in enumerate(_calls(table)):
        new = price(call, pricer)
        is_changed = old != (new.cost_yocto, new.source, new.reason, *new[5:8], new.discount)
        report.count(call, old.cost_yocto, new.cost_yocto, is_changed=is_changed)
        if not is_changed:
            continue
        changed.append(row)
        prices.append((new, rate_text(new, call.reading.usage)))
        _add(differences, call, outcome, old, new)
    return Repriced(_staged(table, changed, prices), differences)


def new_prices(rows: pa.Table) -> list[NewPrice]:
    """Read what is staged."""
    names = ("org", "project", "trace_id", "span_id", "base_version", "cost_usd", "cost_source")
    columns = [_values(rows, name) for name in names]
    return [NewPrice(Identity(*row[:4]), *row[4:]) for row in zip(*columns, strict=True)]


def _calls(table: pa.Table) -> Iterator[tuple[Call, str, _Old]]:
    """Put the calls together again, as far as their price depends on it."""
    columns = (_values(table, name) for name in COLUMNS)
    for (
        (org, project, start_ns, trace_id, span_id),
        (service, environment, end_ns, provider, model, request_model, response_model, operation, outcome),
        (tier, batch, usage_source, usage_spoiled, flaws, threshold),
        (cost, source, reason, price_provider, price_model, rate_start, discount, _version),
        usage,
    ) in _grouped(zip(*columns, strict=True)):
        reading = Reading(
            operation=operation,
            provider=provider,
            request_model=request_model,
            response_model=response_model,
            tier=tier,
            batch=batch,
            usage=Usage._make(usage),
            usage_source=usage_source or None,
            flaws=(flaws,) if flaws else (),
            usage_spoiled=usage_spoiled,
        )
        place = (org, project, service, environment, provider, model)
        call = Call(trace_id, span_id, b"", start_ns, end_ns, "", *place, reading, sampling_threshold=threshold)
        yield call, outcome, _Old(cost, source, reason, price_provider, price_model, rate_start, discount)


def _grouped(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    return ((row[:5], row[5:14], row[14:20], row[20:28], row[28:]) for row in rows)


def _values(table: pa.Table, name: str) -> Sequence[Any]:
    column = table.column(name)
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.int64()).to_pylist()
    return unscaled(column) if pa.types.is_decimal(column.type) else column.to_pylist()


def _add(differences: Tallies, call: Call, outcome: str, old: _Old, new: Priced) -> None:
    series = Series(
        call.org,
        call.project,
        call.service,
        call.environment,
        call.provider,
        call.model,
        call.reading.operation,
        outcome,
    )
    bucket = call.end_ns // (BUCKET_S * 1_000_000_000) * BUCKET_S
    tally = differences.setdefault((bucket, series), Tally())
    newly_priced = (new.cost_yocto is not None) - (old.cost_yocto is not None)
    tally.priced += newly_priced
    tally.unpriced -= newly_priced
    tally.estimated += (new.source == "estimated") - (old.source == "estimated")
    difference = (new.cost_yocto or 0) - (old.cost_yocto or 0)
    tally.cost_yocto += difference
    if call.sampling_threshold:
        tally.count_sampled(call.sampling_threshold, Sampled(0, difference))


def _staged(table: pa.Table, changed: list[int], prices: list[tuple[Priced, str]]) -> pa.Table:
    rows = table.select([*KEY, "version"]).take(pa.array(changed, pa.int64()))
    rows = rows.rename_columns([*KEY, "base_version"])
    values: dict[str, list[Any]] = {
        "cost_source": [new.source for new, _ in prices],
        "cost_reason": [new.reason for new, _ in prices],
        "cost_detail": [new.detail for new, _ in prices],
        "catalogue": [new.catalogue for new, _ in prices],
        "price_provider": [new.price_provider for new, _ in prices],
        "price_model": [new.price_model for new, _ in prices],
        "rate_start": [new.rate_start for new, _ in prices],
        "rate": [text for _, text in prices],
        "discount": [new.discount for new, _ in prices],
    }
    rows = rows.append_column(pa.field("cost_usd", COST), decimals([new.cost_yocto for new, _ in prices]))
    for name, column in values.items():
        rows = rows.append_column(pa.field(name, pa.string()), pa.array(column, pa.string()))
    return rows
