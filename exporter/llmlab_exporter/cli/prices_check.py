"""`llmlab prices check`: what is doubtful about the prices."""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmlab.cli.errors import CommandError
from llmlab.cli.exporter_client import UnpricedModel, fetch_summary
from llmlab.pricing.book import PriceBook
from llmlab.pricing.catalogue.comparing import Comparison, Disagreement, compare
from llmlab.pricing.catalogue.formats import read_price_list
from llmlab.pricing.catalogue.sheet import PriceListError, Sheet
from llmlab_exporter.cli.prices_source import console, load_book, sources

_OLD_DAYS = 30


@click.command()
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Another price list: LiteLLM's JSON, a price page as CSV or YAML, JSON records, or genai-prices' JSON.",
)
@click.option("--url", envvar="LLMLAB_URL", default="http://127.0.0.1:4318", show_default=True, help="The exporter.")
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True, help="Days of traffic to look at.")
@click.option("--limit", type=click.IntRange(1), default=25, show_default=True, help="Disagreements to list.")
@click.option("--strict", is_flag=True, help="End with exit code 1 when anything is found.")
@sources
def check(
    against: Sequence[Path], url: str, days: int, limit: int, strict: bool, prices: Path | None, data: Path | None
) -> None:
    """Look for disagreements, old prices and calls without a price."""
    book = load_book(prices, data)
    page = console()
    found = _age(book, page)
    for sheet in [_read(path) for path in against]:
        comparison = compare(book.catalogue, sheet, datetime.now(UTC).date())
        found += len(comparison.disagreements)
        for part in _compared(comparison, sheet, book, limit):
            page.print(part)
    found += _traffic(book, url, days, page)
    if strict and found:
        sys.exit(1)


def _read(path: Path) -> Sheet:
    try:
        return read_price_list(path)
    except PriceListError as error:
        raise CommandError(f"{path} cannot be used:\n{error}", "docs/pricing.md describes the formats") from error


def _age(book: PriceBook, page: Console) -> int:
    catalogue = book.catalogue
    days = (datetime.now(UTC) - catalogue.as_of).days
    what = "fetched" if catalogue.fetched else "its newest price began"
    old = days > _OLD_DAYS
    page.print(Text.assemble((catalogue.label, "bold"), (f", {what} {days} days ago", "yellow" if old else "dim")))
    if old:
        page.print(Text("  fetch the current prices with 'llmlab prices update'", "yellow"))
    if book.own.label:
        rules = f", {len(book.own.rules)} discounts" if book.own.rules else ""
        page.print(Text.assemble((book.own.label, "bold"), (f", {len(book.own.entries)} prices{rules}", "dim")))
    return int(old)


def _compared(comparison: Comparison, sheet: Sheet, book: PriceBook, limit: int) -> Iterator[Text | Table]:
    models = len({(each.provider, each.model) for each in comparison.disagreements})
    yield Text.assemble(
        "\n",
        (sheet.label, "bold"),
        f": {comparison.compared:,} models compared, {models:,} disagree",
        (f"; {len(comparison.only_theirs):,} are not in {book.catalogue.label}\n", "dim"),
    )
    if comparison.disagreements:
        yield _disagreements(comparison.disagreements[:limit])
        if (more := len(comparison.disagreements) - limit) > 0:
            yield Text(f"and {more:,} more, with smaller differences (--limit)", "dim")
    if sheet.skipped:
        yield Text(f"not compared: {'; '.join(sheet.skipped[:5])}", "dim")


def _disagreements(listed: Sequence[Disagreement]) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("model", overflow="fold")
    table.add_column("USD per", no_wrap=True)
    for title in ("ours", "theirs", "difference"):
        table.add_column(title, justify="right", no_wrap=True)
    for each in listed:
        share = f"{100 * each.share:.1f} %"
        table.add_row(f"{each.provider}/{each.model}", each.key, _usd(each.ours), _usd(each.theirs), share)
    return table


def _usd(price: Decimal) -> str:
    text = f"{price:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _traffic(book: PriceBook, url: str, days: int, page: Console) -> int:
    try:
        unpriced = fetch_summary(url, days).summary["unpriced"]["models"]
    except CommandError as error:
        page.print(Text(f"\ntraffic not looked at: {error.message}", "dim"))
        return 0
    if not unpriced:
        page.print(Text(f"\ntraffic of the last {days} days: every call has a price", "dim"))
        return 0
    page.print(Text.assemble("\n", ("Calls without a price", "bold"), f", last {days} days\n"))
    for model in unpriced:
        page.print(_unpriced(book, model))
    return len(unpriced)


def _unpriced(book: PriceBook, model: UnpricedModel) -> Text:
    name = "/".join(filter(None, (model["provider"], model["model"]))) or "no model was named"
    nearest = book.catalogue.nearest(model["provider"], model["model"]) if model["model"] else []
    hint = f"  nearest: {', '.join(nearest)}" if nearest else ""
    return Text.assemble(f"{name}  ", (f"{model['requests']:,} calls", "dim"), (hint, "dim"))
