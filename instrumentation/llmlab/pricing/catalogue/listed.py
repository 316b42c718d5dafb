"""The prices in a rate, unfolded again to be shown: USD by the price list's units."""

from collections.abc import Iterator
from decimal import Context, Decimal
from typing import NamedTuple

from genai_prices.types import TieredPrices

from llmlab.money import usd
from llmlab.pricing.card import Card, Tier
from llmlab.pricing.catalogue.compiling import REGISTRY, prices_of
from llmlab.pricing.catalogue.fallback import LibraryTariff
from llmlab.pricing.catalogue.units import ALL_FIELDS, PER_FIELD_UNIT, PER_REQUEST
from llmlab.pricing.rate import Rate
from llmlab.usage import Usage

_EXACT = Context(prec=100)
_UNITS = {field: unit for unit, field in ALL_FIELDS.items()}


class Listed(NamedTuple):
    """One price."""

    key: str
    """Such as `input_mtok`."""
    above: int
    """Input tokens above which it holds, 0 for all calls."""
    usd: Decimal


def listed_prices(rate: Rate) -> list[Listed]:
    """List the prices of a rate before discounts."""
    if isinstance(rate.list_price, Card):
        return [listed for tier in rate.list_price.tiers for listed in _of_tier(tier)]
    if isinstance(rate.list_price, LibraryTariff):
        return list(_of_library(rate.list_price))
    return []


def _of_tier(tier: Tier) -> Iterator[Listed]:
    if tier.per_request:
        yield _listed(PER_REQUEST, tier.start, tier.per_request)
    for charge in tier.charges:
        field = Usage._fields[charge.field]
        yield _listed(_UNITS[field], tier.start, charge.per_unit * PER_FIELD_UNIT.get(field, 1))


def _listed(unit: str, above: int, yocto_each: int) -> Listed:
    known = REGISTRY.units[unit]
    return Listed(known.price_key, above, _EXACT.multiply(usd(yocto_each), known.per).normalize(_EXACT))


def _of_library(tariff: LibraryTariff) -> Iterator[Listed]:
    for unit, price in prices_of(tariff.price).items():
        key = REGISTRY.units[unit].price_key
        if isinstance(price, TieredPrices):
            yield Listed(key, 0, price.base)
            yield from (Listed(key, tier.start, tier.price) for tier in price.tiers)
        else:
            yield Listed(key, 0, price)
