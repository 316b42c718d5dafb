"""What docs/pricing.md counts in the catalogue, counted again: a newer genai-prices changes the page too."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import genai_prices
import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, StartDateConstraint, TieredPrices, TimeOfDateConstraint

from llmlab.pricing.catalogue import Catalogue, Listing
from llmlab.pricing.rate import Rate
from pricing.library import NOW, ns, price_sets
from pricing.test_real_ids import IDS

PAGE = " ".join((Path(__file__).parents[2] / "docs" / "pricing.md").read_text(encoding="utf-8").split())
PROVIDERS = get_snapshot().providers
MODELS = [model for provider in PROVIDERS for model in provider.models]


def empty_rates() -> list[Rate]:
    """The rates of all models without any price."""
    catalogue = Catalogue()
    listings = [Listing(provider, provider, model) for provider in PROVIDERS for model in provider.models]
    rates = [catalogue.rates(listing).at(ns(NOW)) for listing in listings]
    return [rate for rate in rates if not rate.coverage.fields and not rate.coverage.per_request]


FREE = [rate.coverage.free for rate in empty_rates()]


def constraints(model: ModelInfo) -> list[object]:
    return [] if isinstance(model.prices, ModelPrice) else [price.constraint for price in model.prices]


def has(model: ModelInfo, kind: type) -> bool:
    return any(isinstance(constraint, kind) for constraint in constraints(model))


def is_tiered(model: ModelInfo) -> bool:
    return any(isinstance(price, TieredPrices) for prices in price_sets(model) for price in vars(prices).values())


def is_by_the_hour(model: ModelInfo) -> bool:
    return any(
        "hours" in key and price is not None for prices in price_sets(model) for key, price in vars(prices).items()
    )


def decimals() -> Iterator[int]:
    for price in (price for model in MODELS for prices in price_sets(model) for price in vars(prices).values()):
        match price:
            case Decimal():
                yield -int(price.as_tuple().exponent)
            case TieredPrices():
                yield from (
                    -int(each.as_tuple().exponent) for each in (price.base, *(tier.price for tier in price.tiers))
                )
            case _:
                pass


@pytest.mark.parametrize(
    "words",
    [
        f"{len(MODELS):,} models of {len(PROVIDERS)} providers in version {genai_prices.__version__}",
        f"{sum(has(model, StartDateConstraint) for model in MODELS)} have had more than one price",
        f"{sum(has(model, TimeOfDateConstraint) for model in MODELS)} change with the time of day",
        f"{sum(map(is_tiered, MODELS))} have long-context tiers",
        f"{sum(bool(model.price_variants) for model in MODELS)} have prices of their own for batch",
        f"{sum(map(is_by_the_hour, MODELS))} models are billed by the hour of audio",
        f"up to {max(decimals())} decimals ({sum(count >= 16 for count in decimals())} prices have 16 or more)",
        f"({FREE.count(True)} models). An empty price without such words",
        f"nobody knows it ({FREE.count(False)} models",
        f"has {len(IDS)} names from traffic",
    ],
)
def test_the_page_counts_right(words: str):
    assert words in PAGE


def test_the_page_names_no_other_version_of_the_catalogue():
    assert set(re.findall(r"genai-prices (\d[\d.]*\d)", PAGE)) == {genai_prices.__version__}
