"""The price catalogue: genai-prices, read for what it says and compiled into rates.

2,330 models of 47 providers in version 0.2.3, with dated prices, prices by the time of day, long-context tiers, and
variants for batch and service tiers. Importing this takes 0.7 s and 100 MiB, so nothing that runs in an application
does.
"""

import re

import genai_prices
from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import ModelInfo, ModelPrice

from llmlab.pricing.card import Card, Tier
from llmlab.pricing.catalogue.compiling import Prices, compile_card, prices_of
from llmlab.pricing.catalogue.fallback import LibraryTariff
from llmlab.pricing.catalogue.lookup import Listing, Lookup, Unknown
from llmlab.pricing.catalogue.units import FIELDS, PER_REQUEST
from llmlab.pricing.catalogue.windows import Variant, Window, schedule
from llmlab.pricing.names import STANDARD_TIERS, served
from llmlab.pricing.rate import Coverage, Origin, Rate, Tariff
from llmlab.pricing.schedule import Schedule

__all__ = ["Catalogue", "Listing", "Unknown"]

_FREE = re.compile(r":free\b|\(free\)|free of charge|included in the subscription", re.IGNORECASE)
"""How the catalogue says that an empty price means no cost. Without such words it means that nobody knows the price:
`cerebras/qwen-3-coder-480b` is merely no longer listed."""


class Catalogue:
    """One version of the price list. Immutable once made, apart from caches, so that threads may share it."""

    def __init__(self, snapshot: DataSnapshot | None = None) -> None:
        """Read a snapshot of genai-prices, by default the one that the installed version brings along."""
        snapshot = snapshot or get_snapshot()
        self.label = _label(snapshot)
        lookup = Lookup(snapshot, self.label)
        self.find = lookup.find
        self.nearest = lookup.nearest

    def rates(self, listing: Listing, tier: str = "", *, batch: bool = False) -> Schedule[Rate]:
        """Compile the rates of a model for a served tier, as the provider spells it, or for batch processing.

        Raises `CatalogueError` or ValueError when the price list contradicts itself.
        """
        tier, batch = served(tier, batch=batch)
        variant = _variant(listing, tier, batch=batch)

        def rate(window: Window, start: str) -> Rate:
            origin = Origin(self.label, listing.owner.id, listing.model.id, start)
            return _rate(listing, window, variant, origin, _doubt(origin, window, tier, batch=batch))

        return schedule(listing.model, variant, rate)


def _label(snapshot: DataSnapshot) -> str:
    """Say name and version, such as `genai-prices 0.2.3`, and when the prices were fetched if they were."""
    fetched = f", fetched {snapshot.timestamp:%Y-%m-%dT%H:%M}" if snapshot.from_auto_update else ""
    return f"genai-prices {genai_prices.__version__}{fetched}"


def _variant(listing: Listing, tier: str, *, batch: bool) -> Variant:
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


def _rate(listing: Listing, window: Window, variant: Variant, origin: Origin, doubt: str) -> Rate:
    prices = prices_of(window.price)
    coverage = _coverage(listing.model, prices)
    if coverage.free:
        doubt = ""
    return Rate(_tariff(listing, window, variant, prices), coverage, origin, doubt)


def _coverage(model: ModelInfo, prices: Prices) -> Coverage:
    fields = frozenset(FIELDS[unit] for unit in prices if unit in FIELDS)
    return Coverage(fields, per_request=PER_REQUEST in prices, free=not prices and _is_free(model))


def _is_free(model: ModelInfo) -> bool:
    texts = (model.id, model.name, model.description, model.price_comments)
    return any(text and _FREE.search(text) for text in texts)


def _tariff(listing: Listing, window: Window, variant: Variant, prices: Prices) -> Tariff:
    if not prices:
        return Card((Tier(0, 0, ()),))
    card = compile_card(prices) if type(window.price) is ModelPrice else None
    return card or LibraryTariff(listing, window, variant)
