"""Price lists that nobody has published, but anybody might."""

from collections.abc import Callable
from decimal import Decimal

from genai_prices.data_units import unit_data
from genai_prices.types import ModelPrice, Tier, TieredPrices
from genai_prices.units import UnitRegistry
from hypothesis import strategies as st

from llmlab.pricing.catalogue.units import FIELDS, PER_REQUEST

REGISTRY = UnitRegistry(unit_data)
COMPILABLE = sorted(name for name, unit in REGISTRY.units.items() if unit.dimensions["family"] != "durations")
COUNTED = sorted({*FIELDS, PER_REQUEST} & {*COMPILABLE})
"""Units that a usage can tell, so that a price list of them refuses none in which everything is told."""

Price = Decimal | TieredPrices

amounts = st.decimals(min_value=0, max_value=200, places=6)
fine_amounts = st.decimals(min_value=0, max_value=200, places=15)


@st.composite
def price_lists(draw: st.DrawFn) -> ModelPrice:
    """Any prices that the library accepts: with each unit its totals, with each two units what they share."""
    units = _closed(draw(st.sets(st.sampled_from(COMPILABLE), min_size=1, max_size=5)))
    return _priced(units, lambda: draw(_prices()))


@st.composite
def counted_lists(draw: st.DrawFn, *, rising: bool = False) -> ModelPrice:
    """Prices for what a usage can tell, some with long-context tiers: of any price, or none below the one before."""
    return _priced(draw(_counted()), lambda: draw(_prices().map(_sorted) if rising else _prices()))


@st.composite
def one_price_for_all_tokens(draw: st.DrawFn) -> tuple[ModelPrice, Decimal]:
    """A price list that tells tokens apart and charges the same for each, and what it charges for a million."""
    price = draw(amounts)
    units = (unit for unit in draw(_counted()) if REGISTRY.units[unit].dimensions["family"] == "tokens")
    return _priced({"input_tokens", "output_tokens", *units}, lambda: price), price


@st.composite
def _counted(draw: st.DrawFn) -> set[str]:
    units: set[str] = set()
    for unit in draw(st.lists(st.sampled_from(COUNTED), min_size=1, max_size=6, unique=True)):
        more = _closed(units | {unit})
        if more <= {*COUNTED}:
            units = more
    return units


def _priced(units: set[str], price: Callable[[], Price]) -> ModelPrice:
    return ModelPrice(**{REGISTRY.units[unit].price_key: price() for unit in sorted(units)})


def _closed(units: set[str]) -> set[str]:
    while missing := _missing(units):
        units = units | missing
    return units


def _missing(units: set[str]) -> set[str]:
    totals = {total for unit in units for total in REGISTRY.ancestor_usage_keys(unit)}
    joins = {
        join.usage_key
        for first in units
        for second in units
        if (join := REGISTRY.find_join(REGISTRY.units[first], REGISTRY.units[second]))
    }
    return (totals | joins) - units


def _sorted(price: Price) -> Price:
    if not isinstance(price, TieredPrices):
        return price
    base, *others = sorted([price.base, *(tier.price for tier in price.tiers)])
    starts = sorted(tier.start for tier in price.tiers)
    return TieredPrices(base, [Tier(start, each) for start, each in zip(starts, others, strict=True)])


def _prices() -> st.SearchStrategy[Price]:
    tiers = st.lists(st.builds(Tier, st.integers(0, 60), amounts), min_size=1, max_size=2, unique_by=lambda t: t.start)
    return fine_amounts | st.builds(TieredPrices, amounts, tiers)
