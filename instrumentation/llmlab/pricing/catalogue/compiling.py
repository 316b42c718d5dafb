"""Compiles a price of genai-prices into a `Card` of integers, where that loses nothing.

The library takes a usage apart into disjoint leaves (`genai_prices.decompose`): each priced unit counts what it was
reported with, less the leaves of the more specific units that have prices of their own. Here the same happens once,
with the fields' names instead of their counts.
"""

from collections.abc import Collection, Mapping, Sequence
from decimal import Context, Decimal
from functools import cache
from itertools import combinations

from genai_prices.data_units import unit_data
from genai_prices.types import ModelPrice, TieredPrices
from genai_prices.units import UnitDef, UnitRegistry
from genai_prices.validation import validate_priced_units

from llmlab.money import YOCTO_PER_USD
from llmlab.pricing.card import Card, Charge, Term, Tier, Total
from llmlab.pricing.catalogue.units import ALL_FIELDS, OWN_UNITS, PER_REQUEST
from llmlab.usage import Usage

REGISTRY = UnitRegistry({**unit_data, **OWN_UNITS})

Price = Decimal | TieredPrices
Prices = dict[str, Price]
"""By the library's unit of usage."""

_Leaf = dict[str, int]
"""A sum over units: how often each is counted."""

_POSITIONS = {unit: Usage._fields.index(field) for unit, field in ALL_FIELDS.items()}
_EXACT = Context(prec=100)


class CatalogueError(Exception):
    """A price that the price list should not contain, so that no cost can be trusted to it."""


def prices_of(model_price: ModelPrice) -> Prices:
    """Return the price of each unit that has one.

    Raises `CatalogueError` for what the library would warn about and leave out, and ValueError for what it refuses.
    """
    prices: Prices = {}
    for key, price in vars(model_price).items():
        if price is not None:
            prices[_unit(key).usage_key] = _checked(key, price)
    validate_priced_units([REGISTRY.units[unit] for unit in prices], REGISTRY)
    return prices


def compile_card(prices: Prices) -> Card | None:
    """Return the card, or None when it would not be exact or the library has rules of its own for such a price."""
    if any(REGISTRY.units[unit].dimensions["family"] == "durations" for unit in prices):
        return None  # a price per hour divides by 3600, and some providers bill a minimum time
    tiered = (price for price in prices.values() if isinstance(price, TieredPrices))
    starts = sorted({tier.start for price in tiered for tier in price.tiers})
    leaves = _leaves(prices)
    try:
        tiers = [_tier(prices, leaves, tokens) for tokens in (0, *(start + 1 for start in starts))]
    except _TooFineError:
        return None
    return Card(
        tiers=tuple(tiers),
        rests=tuple(terms for leaf in leaves.values() if len(terms := _terms(leaf)) > 1),
        totals=tuple(total for unit in _read(prices) if (total := _total(unit)).parts or total.overlaps),
    )


class _TooFineError(ArithmeticError):
    """A price that has digits beyond the yocto-USD."""


def _unit(price_key: str) -> UnitDef:
    try:
        return REGISTRY.unit_for_price_key(price_key)
    except KeyError as error:
        raise CatalogueError(f"unknown price {price_key!r}: genai-prices is older than its price list") from error


def _checked(key: str, price: object) -> Price:
    if isinstance(price, Decimal | TieredPrices):
        amounts = [price] if isinstance(price, Decimal) else [price.base, *(tier.price for tier in price.tiers)]
        if all(amount.is_finite() and amount >= 0 for amount in amounts):
            return price
    raise CatalogueError(f"{key} is {price!r}, which is no price")


def _leaves(units: Collection[str]) -> dict[str, _Leaf]:
    """Fold each unit's leaf into a sum over units. The most specific ones come first: the others build on them."""
    leaves: dict[str, _Leaf] = {}
    for unit in sorted(units, key=lambda name: -len(REGISTRY.units[name].dimensions)):
        if unit == PER_REQUEST:
            continue
        leaf = {unit: 1}
        for inner, inner_leaf in leaves.items():
            if unit in REGISTRY.ancestor_usage_keys(inner):
                for name, count in inner_leaf.items():
                    leaf[name] = leaf.get(name, 0) - count
        leaves[unit] = leaf
    return leaves


def _terms(sums: Mapping[str, int]) -> tuple[Term, ...]:
    """Write a sum over units as one over fields; what has no field is never reported and counts 0."""
    return tuple(
        sorted(Term(_POSITIONS[unit], factor) for unit, factor in sums.items() if factor and unit in _POSITIONS)
    )


def _tier(prices: Prices, leaves: Mapping[str, _Leaf], tokens: int) -> Tier:
    """Fold the prices that apply to an input of this size. Raises `_TooFineError`."""
    weights: dict[str, int] = {}
    charges: list[Charge] = []
    for unit, leaf in leaves.items():
        price = _yocto_per_unit(_applicable(prices[unit], tokens), unit)
        for name, factor in leaf.items():
            weights[name] = weights.get(name, 0) + factor * price
        if unit in _POSITIONS:
            charges.append(Charge(_POSITIONS[unit], price, _terms(leaf)))
    requested = prices.get(PER_REQUEST, Decimal(0))
    per_request = _yocto_per_unit(_applicable(requested, tokens), PER_REQUEST)
    return Tier(max(tokens - 1, 0), per_request, _terms(weights), tuple(sorted(charges)))


def _applicable(price: Price, tokens: int) -> Decimal:
    """Return the price for an input of this many tokens, by the library's rule: above its start, a tier holds."""
    if isinstance(price, Decimal):
        return price
    return next((tier.price for tier in reversed(price.tiers) if tokens > tier.start), price.base)


def _yocto_per_unit(price: Decimal, unit: str) -> int:
    whole, rest = _EXACT.divmod(_EXACT.multiply(price, YOCTO_PER_USD), REGISTRY.units[unit].per)
    if rest:
        raise _TooFineError
    return int(whole)


def _read(prices: Prices) -> Sequence[str]:
    """List the units whose counts the library reads: those with a price, and the input where a tier depends on it."""
    units = [unit for unit in prices if unit != PER_REQUEST]
    tiered = any(isinstance(price, TieredPrices) for price in prices.values())
    return [*units, "input_tokens"] if tiered and "input_tokens" not in units else units


@cache
def _total(unit: str) -> Total:
    """State what must not be reported unless this unit is (`Usage._infer_missing_value` in `genai_prices.types`)."""
    parts = (name for name in ALL_FIELDS if unit in REGISTRY.ancestor_usage_keys(name))
    overlaps = (pair for pair in combinations(sorted(ALL_FIELDS), 2) if _intersect(pair, unit))
    return Total(
        _POSITIONS.get(unit),
        tuple(_POSITIONS[part] for part in parts),
        tuple((_POSITIONS[first], _POSITIONS[second]) for first, second in overlaps),
    )


def _intersect(pair: tuple[str, str], unit: str) -> bool:
    """Whether a unit is exactly what two others, neither inside the other, have in common."""
    first, second = (REGISTRY.units[name] for name in pair)
    join = REGISTRY.find_join(first, second)
    return join is not None and join.usage_key == unit and unit not in pair
