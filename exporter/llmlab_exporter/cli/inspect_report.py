"""An inspected request as lines of JSON or as a table."""

import json
import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmlab.cli.dollars import dollars
from llmlab.money import plain, usd, yocto
from llmlab.pricing import Priced
from llmlab.usage import Usage
from llmlab_exporter.assess import Line
from llmlab_exporter.call import Call
from llmlab_exporter.inspection import Inspection

_ALWAYS = ("input", "output", "cache_read", "cache_write", "reasoning")
"""Counts that are printed even when nobody knows them."""

_PIPE_WIDTH = 200
"""Columns where nobody watches: enough that no name has to be broken."""

_SHORT_ID = 8
"""Hexadecimal digits of a span id that tell the spans of one request apart."""


def print_json(file: Path, inspection: Inspection) -> None:
    """Print one object per span, and refusals to standard error."""
    for line in inspection.lines:
        click.echo(json.dumps({"file": str(file), **_fields(line)}))
    if refusals := _refusals(inspection):
        click.echo(f"warning: {file}: {refusals}", err=True)


def print_table(file: Path, inspection: Inspection) -> None:
    """Print a table of the spans, with their sum."""
    watched = os.isatty(1) or "COLUMNS" in os.environ
    console = Console(width=None if watched else _PIPE_WIDTH, highlight=False)
    console.print(Text(str(file), style="bold"))
    if inspection.lines:
        console.print(_table(inspection.lines))
    console.print(Text(_summary(inspection), style="dim"))
    if refusals := _refusals(inspection):
        console.print(Text(refusals, style="red"))
    console.print()


def _fields(line: Line) -> dict[str, Any]:
    call, priced, duplicate_of, *_ = line
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
        "duplicate_reason": line.rule or None,
        **_said(call),
    }


def _said(call: Call) -> dict[str, Any]:
    """What else is known of a call, by the names that the API has for it."""
    reading = call.reading
    return {
        "service": call.service,
        "project": call.project,
        "request_model": reading.request_model or None,
        "response_model": reading.response_model or None,
        "response_id": reading.response_id or None,
        "user": reading.user or None,
        "session": reading.session or None,
        "run": reading.run or None,
        "feature": reading.feature or None,
        "batch": reading.batch,
        "stream": reading.stream,
        "finish_reason": reading.finish_reason or None,
        "outcome": call.outcome,
        "duration_ms": round((call.end_ns - call.start_ns) / 1e6, 3),
        "first_chunk_ms": None if reading.first_chunk_s is None else round(reading.first_chunk_s * 1e3, 3),
        "provider_cost_usd": _amount(reading.provider_cost),
        "claimed_cost_usd": _amount(reading.claimed_cost),
    }


def _amount(usd: Decimal | None) -> str | None:
    return None if usd is None else plain(yocto(usd))


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


def _table(lines: Sequence[Line]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in ("span", "dialect", "provider", "model"):
        table.add_column(title, overflow="fold")
    for title in ("input", "cached", "output", "cost"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    for line in lines:
        call, usage = line.call, line.call.reading.usage
        table.add_row(
            call.span_id.hex()[:_SHORT_ID],
            call.dialect,
            Text(call.provider or "?"),
            Text(call.model or "?"),
            *map(_count, (usage.input, usage.cache_read, usage.output)),
            _cost(line),
            Text(_note(line), style="dim"),
        )
    return table


def _count(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _cost(line: Line) -> Text:
    if not line.call.reading.billable:
        return Text("-", style="dim")
    cost = line.priced.cost_yocto
    return Text(dollars(None if cost is None else usd(cost)), style="red" if cost is None else "")


def _note(line: Line) -> str:
    reading = line.call.reading
    if line.duplicate_of:
        return f"same call as {line.duplicate_of.hex()[:_SHORT_ID]}"
    if not reading.billable:
        return f"{reading.error or reading.operation or 'not a call'}: not billed"
    said_by = {"provider": "by the provider", "estimated": "estimated"}.get(line.priced.source, "")
    return "; ".join(filter(None, (said_by, reading.error, line.priced.detail, *reading.flaws)))


def _summary(inspection: Inspection) -> str:
    billed = [line for line in inspection.lines if line.call.reading.billable]
    costs = [line.priced.cost_yocto for line in billed if line.priced.cost_yocto is not None]
    unpriced = len(billed) - len(costs)
    parts = [f"{len(billed)} billed: {dollars(usd(sum(costs))) if costs or not billed else 'unpriced'}"]
    if unpriced and costs:
        parts.append(f"{unpriced} of them unpriced")
    repeated = sum(1 for line in inspection.lines if line.duplicate_of)
    parts.append(f"{repeated} duplicates, {inspection.ignored} other spans")
    return ", ".join(parts)


def _refusals(inspection: Inspection) -> str:
    count = sum(inspection.rejected.values())
    return f"{count} refused: {inspection.rejection}" if count else ""
