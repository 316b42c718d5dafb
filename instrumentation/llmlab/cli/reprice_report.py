"""The outcome of a repricing as a page of text."""

import os
from collections.abc import Iterator, Sequence
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmlab.cli.dollars import UNPRICED, calls, dollars
from llmlab.cli.reprice_client import Job, ModelSums, Sums

_PIPE_WIDTH = 200
"""Columns where nobody watches: enough that no name has to be broken."""


def print_outcome(job: Job, *, dry_run: bool) -> None:
    """Print what changed, or would change, to standard output."""
    watched = os.isatty(1) or "COLUMNS" in os.environ
    console = Console(width=None if watched else _PIPE_WIDTH, highlight=False)
    for part in _page(job, dry_run=dry_run):
        console.print(part)


def _page(job: Job, *, dry_run: bool) -> Iterator[Text | Table]:
    changed = [sums for sums in job["by_model"] if sums["changed"]]
    if changed:
        yield Text.assemble(("By model", "bold"), f", prices of {job['catalogue']}\n")
        yield _table([(_name(sums), sums) for sums in changed])
        yield Text.assemble("\n", ("By day and model", "bold"), "\n")
        yield _table([(f"{sums['date']}  {_name(sums)}", sums) for sums in job["by_day"]])
        yield Text()
    yield from _notes(job, dry_run=dry_run)


def _table(rows: Sequence[tuple[str, Sums]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("", overflow="fold")
    for title in ("calls", "changed", "newly priced", "old", "new", "difference"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, sums in rows:
        counts = (sums["calls"], sums["changed"], sums["newly_priced"])
        table.add_row(
            Text(name), *(f"{count:,}" for count in counts), *map(_money, (sums["old_spend"], sums["new_spend"])),
            _signed(sums["difference"]),
        )  # fmt: skip
    return table


def _notes(job: Job, *, dry_run: bool) -> Iterator[Text]:
    total = job["total"]
    verb = "would change" if dry_run else "changed"
    yield Text.assemble(
        (f"{total['changed']:,} of {total['calls']:,} calls {verb}", "bold"),
        f": {dollars(total['old_spend'])} -> {dollars(total['new_spend'])} ({_signed(total['difference']).plain})",
    )
    if total["newly_priced"]:
        yield Text(f"{calls(total['newly_priced'])} had no known price before")
    if total["recomputed"]:
        kept = "would keep" if dry_run else "kept"
        yield Text(
            f"of these, {calls(total['recomputed'])} {kept} the provider's cost; what is computed beside it differs"
        )
    if total["no_longer_priced"]:
        yield Text(f"{calls(total['no_longer_priced'])} lost a price that is not known any more", "yellow")
    if total["still_unpriced"]:
        still = [sums for sums in job["by_model"] if sums["still_unpriced"]]
        names = ", ".join(f"{_name(sums)} ({sums['still_unpriced']:,})" for sums in still[:5])
        yield Text(f"still without a known price: {calls(total['still_unpriced'])}, {names}", "yellow")
    if job["state"] == "cancelled":
        yield Text("cancelled: what is done stays; the same command does the rest", "yellow")
    elif dry_run:
        yield Text("nothing was changed (--dry-run)", "dim")
    elif total["changed"]:
        yield Text(f"change {job['id']}; old values are kept in llm_call_versions", "dim")


def _name(sums: ModelSums) -> str:
    return f"{sums['provider'] or 'unknown'}/{sums['model'] or 'unknown'}"


def _money(amount: Decimal | int | None) -> Text:
    text = dollars(amount)
    return Text(text, "yellow" if text == UNPRICED else "")


def _signed(amount: Decimal | int) -> Text:
    return Text(f"{'+' if amount > 0 else ''}{dollars(amount)}", "red" if amount > 0 else "green" if amount < 0 else "")
