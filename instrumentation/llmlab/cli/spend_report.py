"""The cost summary as a page of text: sums, a table by provider and model, and what is missing from them."""

import os
from collections.abc import Iterator
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmlab.cli.budget_report import bar, floored, warnings
from llmlab.cli.budget_report import table as budget_table
from llmlab.cli.dollars import UNPRICED, calls, dollars, percent, tokens
from llmlab.cli.exporter_client import Amount, BudgetStatus, ModelSpend, Rate, Summary
from llmlab.cli.sizes import size

_PERIODS = {"today": "today", "month": "this month", "all_time": "all time"}
_PIPE_WIDTH = 200
"""Columns where nobody watches: enough that no name has to be broken."""
_NAME_COLUMNS = 12
_BAR_COLUMNS = (24, 12, 6, 0)
_MODELS_NAMED = 5
_BUDGETS_SHOWN = 10
_BUDGET_BAR = 20


def print_report(summary: Summary, url: str) -> None:
    """Print a summary to standard output, in colour where it is a terminal."""
    watched = os.isatty(1) or "COLUMNS" in os.environ
    console = Console(width=None if watched else _PIPE_WIDTH, highlight=False)
    for part in (
        _header(summary, url),
        _sums(summary, console),
        *_budgets(summary, console),
        *_breakdown(summary, console),
        *_notes(summary),
    ):
        console.print(part)


def _header(summary: Summary, url: str) -> Text:
    as_of = summary["as_of"].replace("T", " ").removesuffix("Z")
    day = "" if summary["timezone"] == "UTC" else f", days of {summary['timezone']}"
    return Text.assemble(("LLMLab ", "bold"), (f"{url}, {as_of} UTC{day}", "dim"), "\n")


def _sums(summary: Summary, console: Console) -> Text:
    periods = {name: summary["periods"][key] for key, name in _PERIODS.items()}
    column = max(len(dollars(period["spend"])) for period in periods.values())
    lines = Text()
    for name, period in periods.items():
        amount = _money(period["spend"], "bold")
        unpriced = f", {period['unpriced_requests']:,} of them unpriced" if period["unpriced_requests"] else ""
        lines.append(f"{name:<{_NAME_COLUMNS}}").append(" " * (column - len(amount))).append_text(amount)
        lines.append(f"  {calls(period['requests'])}{unpriced}\n", "dim")
    if (status := summary.get("budget_status")) and len(summary.get("budgets", [])) <= 1:
        lines.append_text(_budget_line(status, console))
    return lines


def _budget_line(status: BudgetStatus, console: Console) -> Text:
    spent = f"{dollars(status['spent'])} / {dollars(status['budget'])}"
    used = floored(status["percentage"], status["spent"])
    is_reached = status["percentage"] >= 100
    colour = "red" if is_reached else "yellow" if status["alert"] else ""
    warning = "  limit reached" if is_reached else "  near the limit" if status["alert"] else ""
    line = Text(f"{'budget':<{_NAME_COLUMNS}}").append(f"{spent} ({used})  ", "bold")
    line.append(bar(status["percentage"], _BUDGET_BAR, console.encoding), colour or "cyan")
    return line.append(f"{warning}\n", colour)


def _budgets(summary: Summary, console: Console) -> Iterator[Text | Table]:
    """Show several budgets, or one that is limited to some calls, as a table."""
    budgets = summary.get("budgets", [])
    if len(budgets) > 1 or (budgets and not summary.get("budget_status")):
        yield budget_table(budgets[:_BUDGETS_SHOWN], console)
        more = len(budgets) - _BUDGETS_SHOWN
        yield from warnings(budgets)
        yield Text(f"and {more} more: llmlab budget status\n" if more > 0 else "", "dim")


def _breakdown(summary: Summary, console: Console) -> Iterator[Text | Table]:
    window = summary["window"]
    period = "today" if window["days"] == 1 else f"last {window['days']} days"
    if not window["requests"]:
        yield Text(f"No calls {period}.\n")
        return
    yield Text.assemble(("By provider and model", "bold"), f", {period}\n")
    yield _widest_table(summary, console)
    yield Text()


def _widest_table(summary: Summary, console: Console) -> Table:
    """Return the table with the longest bars that leave room for the names."""
    bar = "█" if console.encoding.startswith("utf") else "#"
    tables = [_table(summary, bar, columns) for columns in _BAR_COLUMNS]
    unbounded = console.options.update(width=10 * _PIPE_WIDTH)
    fitting = (table for table in tables if console.measure(table, options=unbounded).maximum <= console.width)
    return next(fitting, tables[-1])


def _table(summary: Summary, bar: str, bar_columns: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("", overflow="fold")
    for title in ("calls", "input", "output", "spend"):
        table.add_column(title, justify="right", no_wrap=True)
    if bar_columns:
        table.add_column("", width=bar_columns, no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    total = summary["window"]["spend"] or 0
    for name, row, style in _rows(summary):
        numbers = (f"{row['requests']:,}", tokens(row["input_tokens"]), tokens(row["output_tokens"]))
        full = int(bar_columns * Decimal(row["spend"] or 0) / total) if total else 0
        bars = [Text(bar * full, "cyan")] if bar_columns else []
        table.add_row(Text(name, style), *numbers, _money(row["spend"], style), *bars, percent(row["spend"], total))
    return table


def _rows(summary: Summary) -> Iterator[tuple[str, ModelSpend, str]]:
    """Go through the providers, and through the models of each."""
    for provider, spend in summary["by_provider"].items():
        models = [model for model in summary["models"] if (model["provider"] or "unknown") == provider]
        yield provider, _together(provider, spend, models), "bold"
        for model in models:
            yield f"  {model['model'] or 'unknown'}", model, ""


def _together(provider: str, spend: Amount, models: list[ModelSpend]) -> ModelSpend:
    return {
        "provider": provider,
        "model": "",
        "spend": spend,
        "requests": sum(model["requests"] for model in models),
        "unpriced_requests": sum(model["unpriced_requests"] for model in models),
        "input_tokens": sum(model["input_tokens"] for model in models),
        "output_tokens": sum(model["output_tokens"] for model in models),
    }


def _notes(summary: Summary) -> Iterator[Text]:
    """Say what the numbers above leave out."""
    if any(budget.get("shared") for budget in summary.get("budgets", [])):
        yield Text(
            "The sums are those of this exporter; budgets count the calls of all: llmlab budget exporters\n", "dim"
        )
    unpriced = summary["unpriced"]
    if unpriced["requests"]:
        named = [f"{each['model'] or 'unknown'} ({each['requests']:,})" for each in unpriced["models"]]
        more = len(named) - _MODELS_NAMED
        models = ", ".join(named[:_MODELS_NAMED]) + (f" and {more} more" if more > 0 else "")
        verbs = "has no known price and counts" if unpriced["requests"] == 1 else "have no known price and count"
        yield Text(f"{calls(unpriced['requests'])} {verbs} in no sum: {models}\n", "yellow")
    yield from _sampling(summary)
    pending: int = summary["pipeline"].get("pending_rows", 0)
    rejected: int = sum(summary["pipeline"].get("rejected", {}).values())
    state = f"{pending:,} calls wait to be stored" if pending else "all calls are stored"
    refused = f"; {rejected:,} spans were refused" if rejected else ""
    duplicates: dict[str, int] = summary["pipeline"].get("duplicates", {})
    repeated = sum(duplicates.values()) - duplicates.get("redelivered", 0)
    again = f"; {repeated:,} spans told of a call that another one told of, which is billed once" if repeated else ""
    yield Text(f"exporter: {state}{refused}{again}", "dim")
    if buried := summary["pipeline"].get("dead_letters", 0):
        verb = "was refused by the store and is" if buried == 1 else "were refused by the store and are"
        yield Text(f"{calls(buried)} {verb} missing from the single calls: llmlab dead-letters list", "yellow")
    if disk := summary["pipeline"].get("disk"):
        yield from _disk(disk)


def _sampling(summary: Summary) -> Iterator[Text]:
    """Say that calls are missing because their senders left them out."""
    sampling = summary.get("sampling")
    if not sampling:
        return
    rates = sampling["periods"].get("window") or sampling["periods"]["all_time"]
    when = f"of the last {summary['window']['days']} days" if "window" in sampling["periods"] else "of earlier days"
    rest = ", ".join(f"{rate['requests']:,} at {_rate(rate)}" for rate in rates)
    lines = Text(f"Totals are a lower bound: calls {when} were sampled by their senders: {rest}\n", "yellow")
    if extrapolated := sampling.get("extrapolated"):
        lines.append("If what was left out is like what was sent:\n", "")
        for key, name in (*_PERIODS.items(), ("window", f"{summary['window']['days']} days")):
            period = extrapolated["periods"][key]
            lines.append(f"{name:<{_NAME_COLUMNS}}about {dollars(period['spend'])}  {calls(period['requests'])}\n", "")
    yield lines


def _rate(rate: Rate) -> str:
    if rate["one_in"] is None:
        return "various rates"
    return f"1 in {Decimal(rate['one_in']).normalize():f}"


def _disk(disk: dict[str, int | None]) -> Iterator[Text]:
    free, least = disk["free_bytes"] or 0, disk["min_free_bytes"] or 0
    parts = [f"{name} {size(taken)}" for name in ("ledger", "store") if (taken := disk[f"{name}_bytes"]) is not None]
    yield Text(f"disk: {', '.join(parts)}, {size(free)} free", "dim")
    if free < least:
        yield Text(f"no spans are accepted while less than {size(least)} is free; llmlab prune makes room", "red")


def _money(amount: Amount, style: str) -> Text:
    text = dollars(amount)
    return Text(text, "yellow" if text == UNPRICED else style)
