"""An inspected request as lines of JSON or as a table."""

import json
import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmlab.cli.dollars import dollars
from llmlab.money import plain, usd
from llmlab.pricing import Priced
from llmlab.usage import Usage
from llmlab_exporter.inspection import Inspected, Inspection

_ALWAYS = ("input", "output", "cache_read", "cache_write", "reasoning")
"""Counts that are printed even when nobody knows them."""

_PIPE_WIDTH = 200
"""Columns where nobody watches: enough that no name has to be broken."""

_SHORT_ID = 8
"""Hexadecimal digits of a span id that tell the spans of one request apart."""


def print_json(file: Path, inspection: Inspection) -> None:
    """Print one object per span, and refusals to standard error."""
    for span in inspection.spans:
        click.echo(json.dumps({"file": str(file), **_fields(span)}))
    if refusals := _refusals(inspection):
        click.echo(f"warning: {file}: {refusals}", err=True)


def print_table(file: Path, inspection: Inspection) -> None:
    """Print a table of the spans, with their sum."""
    watched = os.isatty(1) or "COLUMNS" in os.environ
    console = Console(width=None if watched else _PIPE_WIDTH, highlight=False)
    console.print(Text(str(file), style="bold"))
    if inspection.spans:
        console.print(_table(inspection.spans))
    console.print(Text(_summary(inspection), style="dim"))
    if refusals := _refusals(inspection):
        console.print(Text(refusals, style="red"))
    console.print()


def _fields(span: Inspected) -> dict[str, Any]:
    call, priced, duplicate_of = span
    reading = call.reading
    return {
        "trace_id": call.trace_id.hex(),
        "span_id": call.span_id.hex(),
        "provider": call.provider or None,
        "model": call.model or None,
        "usage": _usage(reading.usage),
        "cost_usd": plain(priced.cost_yocto),
        "cost_source": priced.source,
        "usage_source": reading.usage_source,
        "dialect": call.dialect,
        "billable": reading.billable,
        "duplicate_of": duplicate_of.hex() or None,
        "operation": reading.operation or None,
        "tier": reading.tier or None,
        "error": reading.error or None,
        "reason": priced.reason or None,
        "detail": priced.detail or None,
        "flaws": list(reading.flaws),
        "rate": _rate(priced),
    }


def _usage(usage: Usage) -> dict[str, int | None]:
    return {name: count for name, count in usage._asdict().items() if name in _ALWAYS or count is not None}


def _rate(priced: Priced) -> dict[str, str | None] | None:
    if not priced.price_model:
        return None
    return {
        "catalogue": priced.catalogue,
        "provider": priced.price_provider,
        "model": priced.price_model,
        "since": priced.rate_start or None,
    }


def _table(spans: list[Inspected]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in ("span", "dialect", "provider", "model"):
        table.add_column(title, overflow="fold")
    for title in ("input", "cached", "output", "cost"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    for span in spans:
        call, usage = span.call, span.call.reading.usage
        table.add_row(
            call.span_id.hex()[:_SHORT_ID],
            call.dialect,
            Text(call.provider or "?"),
            Text(call.model or "?"),
            *map(_count, (usage.input, usage.cache_read, usage.output)),
            _cost(span),
            Text(_note(span), style="dim"),
        )
    return table


def _count(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _cost(span: Inspected) -> Text:
    if not span.call.reading.billable:
        return Text("-", style="dim")
    cost = span.priced.cost_yocto
    return Text(dollars(None if cost is None else usd(cost)), style="red" if cost is None else "")


def _note(span: Inspected) -> str:
    reading = span.call.reading
    if span.duplicate_of:
        return f"same call as {span.duplicate_of.hex()[:_SHORT_ID]}"
    if not reading.billable:
        return f"{reading.error or reading.operation or 'not a call'}: not billed"
    said_by = {"provider": "by the provider", "estimated": "estimated"}.get(span.priced.source, "")
    return "; ".join(filter(None, (said_by, reading.error, span.priced.detail, *reading.flaws)))


def _summary(inspection: Inspection) -> str:
    billed = [span for span in inspection.spans if span.call.reading.billable]
    costs = [span.priced.cost_yocto for span in billed if span.priced.cost_yocto is not None]
    unpriced = len(billed) - len(costs)
    parts = [f"{len(billed)} billed: {dollars(usd(sum(costs))) if costs or not billed else 'unpriced'}"]
    if unpriced and costs:
        parts.append(f"{unpriced} of them unpriced")
    repeated = sum(1 for span in inspection.spans if span.duplicate_of)
    parts.append(f"{repeated} duplicates, {inspection.ignored} other spans")
    return ", ".join(parts)


def _refusals(inspection: Inspection) -> str:
    count = sum(inspection.rejected.values())
    return f"{count} refused, the first for {inspection.rejection}" if count else ""
