"""The prices as an exporter on this machine has them: its data directory's catalogue, and the user's file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from platformdirs import user_data_path
from rich.console import Console

from llmlab.cli.errors import CommandError
from llmlab.pricing.book import PriceBook
from llmlab.pricing.catalogue import Catalogue
from llmlab.pricing.catalogue.own_prices import NO_OWN_PRICES, OwnPrices
from llmlab.pricing.catalogue.published import read_published
from llmlab.pricing.catalogue.sheet import PriceListError
from llmlab.pricing.catalogue.user_file import read_user_file
from llmlab_exporter.price_files import catalogue_path

F = TypeVar("F", bound=Callable[..., Any])

_PIPE_WIDTH = 160


def sources(command: F) -> F:
    """Add the options that say where prices come from."""
    own = click.option(
        "--prices",
        type=click.Path(path_type=Path),
        envvar="LLMLAB_PRICES",
        help="Your own prices and discounts (LLMLAB_PRICES).",
    )
    return own(data_option(command))


def data_option(command: F) -> F:
    """Add the option that says where the exporter's data is."""
    return click.option(
        "--data", type=click.Path(path_type=Path), envvar="LLMLAB_DATA", help="The exporter's directory (LLMLAB_DATA)."
    )(command)


def data_directory(data: Path | None) -> Path:
    """Return where `llmlab up` keeps its data unless told otherwise."""
    return data or user_data_path("llmlab")


def load_book(prices: Path | None, data: Path | None) -> PriceBook:
    """Read the prices that an exporter would use. Raises `CommandError`."""
    return PriceBook(load_catalogue(data), _own(prices))


def load_catalogue(data: Path | None) -> Catalogue:
    """Read the fetched catalogue, else the bundled one. Raises `CommandError` when the fetched one is unusable."""
    path = catalogue_path(data_directory(data))
    if not path.exists():
        return Catalogue()
    try:
        return read_published(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError, PriceListError) as error:
        hint = f"fetch it again with 'llmlab prices update', or delete {path} to use the bundled prices"
        raise CommandError(f"the fetched catalogue cannot be used: {error}", hint) from error


def console() -> Console:
    """Return a console that breaks no names where nobody watches."""
    plain = Console(highlight=False)
    return plain if plain.is_terminal else Console(width=_PIPE_WIDTH, highlight=False)


def _own(path: Path | None) -> OwnPrices:
    if path is None:
        return NO_OWN_PRICES
    try:
        return read_user_file(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}", "name your prices with --prices FILE") from error
    except PriceListError as error:
        raise CommandError(
            f"{path} cannot be used:\n{error}", "correct these lines; docs/pricing.md has the format"
        ) from error
