"""`llmlab prices show`: what one model costs, and who says so."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from llmlab.cli.errors import CommandError
from llmlab.pricing.book import Found, PriceBook
from llmlab.pricing.catalogue import Unknown
from llmlab.pricing.catalogue.listed import Listed, listed_prices
from llmlab.pricing.catalogue.own_prices import OwnPrice
from llmlab.pricing.rate import Rate
from llmlab_exporter.cli.prices_source import console, load_book, sources

_TIERS = ("flex", "priority", "fast")
PER = {
    "mtok": "1M tokens",
    "mchars": "1M characters",
    "gpixels": "1G pixels",
    "kpages": "1,000 pages",
    "kcount": "1,000",
    "hours": "1 hour",
}
"""For how much a price is, by how its key ends."""

Columns = dict[str, Rate]
"""The rate of each way to be served."""


@click.command()
@click.argument("model")
@click.option("--provider", default="", help="Who serves it, such as openai or aws.bedrock.")
@click.option("--project", default="", help="Whose discounts apply.")
@click.option(
    "--at", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="When, in UTC: 2026-10-01. Otherwise now."
)
@sources
def show(model: str, provider: str, project: str, at: datetime | None, prices: Path | None, data: Path | None) -> None:
    """Show what MODEL costs, since when, and which price list says so."""
    moment = at.replace(tzinfo=UTC) if at else datetime.now(UTC)
    book = load_book(prices, data)
    columns, found = _columns(book, provider, model, project, moment)
    page = console()
    for part in _page(book, columns, found, provider, model, moment):
        page.print(part)


def _columns(book: PriceBook, provider: str, model: str, project: str, moment: datetime) -> tuple[Columns, Found]:
    """Find the rates of all ways to be served. Raises `CommandError` when there is none."""
    standard = _find(book, provider, model, project)
    columns: Columns = {}
    tiers = dict.fromkeys((*_TIERS, *_own_tiers(standard.own)))
    ways = {"standard": ("", False), "batch": ("", True)} | {tier: (tier, False) for tier in tiers}
    for name, (tier, batch) in ways.items():
        found = book.find(*_names(book, provider, model), tier=tier, batch=batch, project=project)
        rate = None if isinstance(found, Unknown) else found.rates.at(int(moment.timestamp()) * 10**9)
        if isinstance(rate, Rate) and not rate.tier_doubt and not (rate.image_gap and not rate.coverage.fields):
            columns[name] = rate
    if not columns:
        begins = standard.own.written if standard.own else model
        raise CommandError(
            f"{model} has no price at {moment:%Y-%m-%d %H:%M}: {begins} begins later",
            "choose another date with --at, or give it an earlier `from`",
        )
    return columns, standard


def _own_tiers(own: OwnPrice | None) -> list[str]:
    """List the tiers, and the kinds of images, that the user's own price tells apart."""
    entries = own.entries if own else ()
    tiers = [tier for entry in entries for tier in entry.variants if tier != "batch"]
    return [*tiers, *(str(kind) for entry in entries for kind in entry.image_kinds)]


def _names(book: PriceBook, provider: str, model: str) -> tuple[str, tuple[str]]:
    """Read `provider/model` where no provider is named and the family does not tell."""
    if provider or not isinstance(book.find("", (model,)), Unknown):
        return provider, (model,)
    prefix, _, rest = model.partition("/")
    return (prefix, (rest,)) if rest and not isinstance(book.find(prefix, (rest,)), Unknown) else (provider, (model,))


def _find(book: PriceBook, provider: str, model: str, project: str) -> Found:
    found = book.find(*_names(book, provider, model), project=project)
    if isinstance(found, Unknown):
        nearest = book.catalogue.nearest(provider, model)
        hint = f"nearest: {', '.join(nearest)}" if nearest else "name the provider too: --provider openai"
        raise CommandError(found.detail, f"{hint}; or give it a price in prices.yaml")
    return found


def _page(
    book: PriceBook, columns: Columns, found: Found, provider: str, model: str, moment: datetime
) -> Iterator[Text | Table]:
    rate = next(iter(columns.values()))
    own = found.own if rate.origin.catalogue == book.own.label else None
    asked = "/".join(filter(None, (provider, model)))
    name = asked if own and "/" in asked else f"{rate.origin.provider}/{rate.origin.model}"
    alias = "" if asked.lower() in {name.lower(), rate.origin.model} else f" for {asked}"
    yield Text.assemble((name, "bold"), (f"{alias}, {moment:%Y-%m-%d %H:%M} UTC\n", "dim"))
    yield _table(columns)
    yield Text(f"\n{'price list':<12}{rate.origin.catalogue}{_since(rate)}")
    if own:
        listed = found.listing
        instead = f", instead of {listed.owner.id}/{listed.model.id} in {book.catalogue.label}" if listed else ""
        yield Text(f"{'your entry':<12}{own.written}{instead}", "yellow")
    elif found.listing and found.listing.provider is not found.listing.owner:
        yield Text(
            f"{'served by':<12}{found.listing.provider.id}, at the list price of {found.listing.owner.id}", "dim"
        )
    if rate.discount:
        yield Text(f"{'discount':<12}{rate.discount}, deducted from the prices above", "yellow")


def _since(rate: Rate) -> str:
    return f", valid since {rate.origin.start}" if rate.origin.start else ""


def _table(columns: Columns) -> Table | Text:
    prices = {name: list(_without_repeats(listed_prices(rate))) for name, rate in columns.items()}
    rows = dict.fromkeys((listed.key, listed.above) for column in prices.values() for listed in column)
    if not rows:
        return Text("free: it costs nothing" if all(rate.coverage.free for rate in columns.values()) else "no price")
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("USD", no_wrap=True)
    table.add_column("for", no_wrap=True, style="dim")
    for name in prices:
        table.add_column(name, justify="right", no_wrap=True)
    for key, above in sorted(rows, key=lambda row: (row[1], list(rows).index(row))):
        label = f"{key}, input above {above:,}" if above else key
        table.add_row(label, PER[key.rpartition("_")[2]], *(_cell(column, key, above) for column in prices.values()))
    return table


def _without_repeats(listed: list[Listed]) -> Iterator[Listed]:
    """Leave out what a long input does not make dearer."""
    base = {each.key: each.usd for each in listed if not each.above}
    return (each for each in listed if not each.above or base.get(each.key) != each.usd)


def _cell(column: list[Listed], key: str, above: int) -> str:
    return next((f"{listed.usd:f}" for listed in column if (listed.key, listed.above) == (key, above)), "")
