"""genai-prices' own price list as it is published between releases: fetched, checked by compiling all of it, kept.

The library's updater hands out parsed prices only, which cannot be kept. So the text is fetched from the same address
and parsed by the same function, which is private: with a release that moves it, nothing fetched can be used, and the
bundled prices remain.
"""

import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

from genai_prices import types as library
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice, Provider, StartDateConstraint
from genai_prices.update_prices import DEFAULT_UPDATE_URL
from pydantic import ValidationError

from llmlab.pricing.catalogue import Catalogue
from llmlab.pricing.catalogue.compiling import CatalogueError
from llmlab.pricing.catalogue.lookup import Listing
from llmlab.pricing.catalogue.sheet import Entry, PriceListError, Problem, Sheet, UnitPrices, is_json, load_json

UPDATE_URL = DEFAULT_UPDATE_URL
"""Where the current price list is published."""

_HINT = "fetch it again with 'llmlab prices update'; genai-prices may need an update too"


class PublishedList:
    """The adapter for genai-prices' published list, or what `llmlab prices update` keeps of it."""

    name = "genai-prices"

    def recognises(self, text: str) -> bool:
        """Whether a text is a list of providers with models."""
        return is_json(text, lambda value: _looks_right(_providers_in(value)))

    def read(self, text: str, name: str) -> Sheet:
        """Read the standard prices. Raises `PriceListError`."""
        catalogue = read_published(text, name)
        return catalogue_sheet(catalogue)


def catalogue_sheet(catalogue: Catalogue) -> Sheet:
    """Write a catalogue's standard prices, with all their dates."""
    entries = tuple(
        entry for provider in catalogue.providers for model in provider.models for entry in _entries(provider, model)
    )
    return Sheet(label=catalogue.label, entries=entries)


def read_published(text: str, name: str) -> Catalogue:
    """Read a published list, and compile every price of it. Raises `PriceListError`."""
    value = load_json(text, name)
    try:
        fetched = _fetched_in(value)
        providers = library._providers_from_raw(_providers_in(value))  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        catalogue = Catalogue(DataSnapshot(providers, from_auto_update=True), fetched)
        _compile_all(catalogue)
    except (ValidationError, CatalogueError, ValueError, TypeError, LookupError, AttributeError) as error:
        what = f"this is no usable price list: {str(error).splitlines()[0]:.200}"
        raise PriceListError(name, [Problem(1, 0, what, _HINT)]) from error
    return catalogue


def keep_published(text: str, path: Path, fetched: datetime) -> Catalogue:
    """Check a fetched list and put it in place in one step.

    Raises `PriceListError` or `OSError`; then the one before it remains.
    """
    wrapped = f'{{"fetched": "{fetched.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", "providers": {text}}}\n'
    catalogue = read_published(wrapped, path.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{time.monotonic_ns()}.partial")
    partial.write_text(wrapped, encoding="utf-8")
    partial.replace(path)
    return catalogue


def _providers_in(value: Any) -> Any:
    """Return the list itself: bare as published, or within what `keep_published` writes."""
    return cast("dict[str, Any]", value).get("providers") if isinstance(value, dict) else value


def _fetched_in(value: Any) -> datetime | None:
    return datetime.fromisoformat(cast("dict[str, str]", value)["fetched"]) if isinstance(value, dict) else None


def _looks_right(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    first = cast("list[Any]", value)[0]
    return isinstance(first, dict) and {"id", "api_pattern", "models"} <= cast("dict[str, Any]", first).keys()


def _compile_all(catalogue: Catalogue) -> None:
    if not any(provider.models for provider in catalogue.providers):
        raise ValueError("it has no models")
    for provider in catalogue.providers:
        for model in provider.models:
            catalogue.rates(Listing(provider, provider, model))


def _entries(provider: Provider, model: ModelInfo) -> list[Entry]:
    if isinstance(model.prices, ModelPrice):
        return [Entry(provider=provider.id, model=model.id, prices=unit_prices(model.prices))]
    return [
        Entry(provider=provider.id, model=model.id, prices=unit_prices(price.prices), start=_start(price))
        for price in model.prices
    ]


def unit_prices(prices: ModelPrice) -> UnitPrices:
    """Return the prices that a model has."""
    return {key: price for key, price in vars(prices).items() if price is not None}


def _start(price: ConditionalPrice) -> date | None:
    return price.constraint.start_date if isinstance(price.constraint, StartDateConstraint) else None
