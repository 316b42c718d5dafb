"""Prices one chunk of stored calls again."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from llmlab.money import usd
from llmlab.pricing import Priced
from llmlab.pricing.pricer import Pricer
from llmlab.usage import Usage
from llmlab_exporter.assess import Line, line
from llmlab_exporter.call import Call, Reading
from llmlab_exporter.kin import Identity
from llmlab_exporter.rates import rate_text
from llmlab_exporter.reprice.reading import COLUMNS, Cursor
from llmlab_exporter.reprice.report import Report
from llmlab_exporter.rows import COST, KEY, decimals, unscaled
from llmlab_exporter.tally import BUCKET_S, FeatureSum, Sampled, Series, Tallies, Tally
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
    "computed_cost_usd",
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
    computed_yocto: int | None
    """What we computed beside the provider's own word, None where that is not the cost."""


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
    lines: list[Line] = []
    differences: Tallies = {}
    for row, (call, outcome, old) in enumerate(_calls(table)):
        new = line(call, pricer)
        is_changed = old != _stored(new)
        report.count(call, old.cost_yocto, new.priced.cost_yocto, is_changed=is_changed, is_said=_is_said(new))
        if not is_changed:
            continue
        changed.append(row)
        lines.append(new)
        _add(differences, call, outcome, old, new.priced)
    return Repriced(_staged(table, changed, lines), differences)


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
        (tier, batch, usage_source, usage_spoiled, flaws, threshold, said, feature),
        old,
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
            provider_cost=None if said is None else usd(said),
            flaws=(flaws,) if flaws else (),
            usage_spoiled=usage_spoiled,
            feature=feature,
        )
        place = (org, project, service, environment, provider, model)
        call = Call(trace_id, span_id, b"", start_ns, end_ns, "", *place, reading, sampling_threshold=threshold)
        yield call, outcome, _Old(*old)


def _grouped(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    return ((row[:5], row[5:14], row[14:22], row[22:30], row[31:]) for row in rows)


def _stored(new: Line) -> _Old:
    """Return a price as it is stored: where the provider's own word is the cost, the rate is that of ours beside it."""
    priced, computed = new.priced, new.computed
    return _Old(
        priced.cost_yocto,
        priced.source,
        priced.reason,
        computed.price_provider,
        computed.price_model,
        computed.rate_start,
        computed.discount,
        computed.cost_yocto if _is_said(new) else None,
    )


def _is_said(new: Line) -> bool:
    """Whether the cost is the provider's own word, which no price list changes."""
    return new.priced.source == "provider"


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
    if call.reading.feature:
        tally.count_feature(call.reading.feature, FeatureSum(0, -newly_priced, difference))


def _staged(table: pa.Table, changed: list[int], lines: list[Line]) -> pa.Table:
    rows = table.select([*KEY, "version"]).take(pa.array(changed, pa.int64()))
    rows = rows.rename_columns([*KEY, "base_version"])
    values: dict[str, list[Any]] = {
        "cost_source": [new.priced.source for new in lines],
        "cost_reason": [new.priced.reason for new in lines],
        "cost_detail": [new.priced.detail for new in lines],
        "catalogue": [new.computed.catalogue for new in lines],
        "price_provider": [new.computed.price_provider for new in lines],
        "price_model": [new.computed.price_model for new in lines],
        "rate_start": [new.computed.rate_start for new in lines],
        "rate": [rate_text(new.computed, new.call.reading.usage) for new in lines],
        "discount": [new.computed.discount for new in lines],
    }
    amounts = {
        "cost_usd": [new.priced.cost_yocto for new in lines],
        "computed_cost_usd": [_stored(new).computed_yocto for new in lines],
    }
    for name, column in amounts.items():
        rows = rows.append_column(pa.field(name, COST), decimals(column))
    for name, column in values.items():
        rows = rows.append_column(pa.field(name, pa.string()), pa.array(column, pa.string()))
    return rows
