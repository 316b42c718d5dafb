"""Turns an entry of a price list, as the library holds it, into a rate for a served tier or for batch."""

import re

from genai_prices.types import ModelInfo, ModelPrice

from llmlab.pricing.card import Card, Tier
from llmlab.pricing.catalogue.compiling import Prices, compile_card, prices_of
from llmlab.pricing.catalogue.fallback import LibraryTariff
from llmlab.pricing.catalogue.lookup import Listing
from llmlab.pricing.catalogue.units import ALL_FIELDS, PER_REQUEST
from llmlab.pricing.catalogue.windows import Variant, Window
from llmlab.pricing.names import STANDARD_TIERS
from llmlab.pricing.rate import Coverage, Origin, Rate, Tariff

_FREE = re.compile(r":free\b|\(free\)|free of charge|included in the subscription", re.IGNORECASE)
"""How the catalogue says that an empty price means no cost. Without such words it means that nobody knows the price:
`cerebras/qwen-3-coder-480b` is merely no longer listed."""


def rate_in(
    window: Window, listing: Listing, label: str, start: str, tier: str, *, batch: bool, image_gap: str = ""
) -> Rate:
    """Compile what a model charges in one window.

    `label` names the catalogue, `start` is the ISO date since when the price is valid, `image_gap` says why images of
    this kind have no price, "" when they have or nobody gives them any. Raises `CatalogueError` or
    ValueError when the price list contradicts itself.
    """
    origin = Origin(label, listing.owner.id, listing.model.id, start)
    prices = prices_of(window.price)
    coverage = _coverage(listing.model, prices)
    doubt = "" if coverage.free else _doubt(origin, window, tier, batch=batch)
    tariff = _tariff(listing, window, variant_of(listing, tier, batch=batch), prices)
    return Rate(tariff, coverage, origin, doubt, image_gap=image_gap)


def variant_of(listing: Listing, tier: str, *, batch: bool) -> Variant:
    """Say which price variant to select.

    Anthropic calls its fast mode `speed`; all others call such things a tier. A batch's tier is no part of its price,
    and would win over it: the library takes the first variant that matches. Variants belong to the provider in whose
    list they stand, so that for Azure, OpenAI's do not count; the library decides the same.
    """
    if listing.provider is not listing.owner:
        return {}
    if batch:
        return {"processing": "batch"}
    return {"service_tier": tier, "speed": tier} if tier else {}


def _doubt(origin: Origin, window: Window, tier: str, *, batch: bool) -> str:
    """Say why a price is not the one of the served tier, "" when it is."""
    if batch:
        wanted = "" if ("processing", "batch") in window.selected else "batch"
    else:
        wanted = "" if tier in STANDARD_TIERS or tier in dict(window.selected).values() else f"tier {tier[:80]!r}"
    return f"no price for {wanted} at {origin.provider}/{origin.model}, the standard one was taken" if wanted else ""


def _coverage(model: ModelInfo, prices: Prices) -> Coverage:
    fields = frozenset(ALL_FIELDS[unit] for unit in prices if unit in ALL_FIELDS)
    return Coverage(fields, per_request=PER_REQUEST in prices, free=not prices and _is_free(model))


def _is_free(model: ModelInfo) -> bool:
    texts = (model.id, model.name, model.description, model.price_comments)
    return any(text and _FREE.search(text) for text in texts)


def _tariff(listing: Listing, window: Window, variant: Variant, prices: Prices) -> Tariff:
    if not prices:
        return Card((Tier(0, 0, ()),))
    card = compile_card(prices) if type(window.price) is ModelPrice else None
    return card or LibraryTariff(listing, window, variant)
