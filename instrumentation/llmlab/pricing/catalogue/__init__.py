"""The price catalogue: genai-prices, read for what it says and compiled into rates.

2,330 models of 47 providers in version 0.2.3, with dated prices, prices by the time of day, long-context tiers, and
variants for batch and service tiers. Importing this takes 0.7 s and 100 MiB, so nothing that runs in an application
does.

Price lists of other formats are read by one adapter each (`formats.py` lists them) into a `sheet.Sheet`.
"""

from datetime import UTC, date, datetime, time
from functools import cached_property

import genai_prices
from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import ModelPrice, Provider, StartDateConstraint

from llmlab.pricing.catalogue.lookup import Listing, Lookup, Unknown
from llmlab.pricing.catalogue.rating import rate_in, variant_of
from llmlab.pricing.catalogue.windows import Window, schedule
from llmlab.pricing.memory import Memory
from llmlab.pricing.names import price_list, served
from llmlab.pricing.rate import Rate
from llmlab.pricing.schedule import Schedule

__all__ = ["Catalogue", "Listing", "Unknown"]

NAME = "genai-prices"

COMPILED = 5000
"""How many compiled rates are remembered. Many names lead to one model, invented ones such as `gpt-4o-of-mine` too."""


class Catalogue:
    """One version of the price list. Immutable once made, apart from caches, so that threads may share it."""

    def __init__(self, snapshot: DataSnapshot | None = None, fetched: datetime | None = None) -> None:
        """Read a snapshot of genai-prices, by default the one that the installed version brings along.

        `fetched` is when its prices were published or fetched, in UTC.
        """
        snapshot = snapshot or get_snapshot()
        self.version = _version(fetched)
        self.label = f"{NAME} {self.version}"
        self.fetched = fetched
        self.providers: list[Provider] = snapshot.providers
        lookup = Lookup(snapshot, self.label)
        self.find = lookup.find
        self.listing = lookup.listing
        self.unknown = lookup.unknown
        self.nearest = lookup.nearest
        self._provider = lookup.provider
        self._compiled: Memory[tuple[int, str, str, bool], tuple[Listing, Schedule[Rate]]] = Memory(COMPILED)

    def rates(self, listing: Listing, tier: str = "", *, batch: bool = False) -> Schedule[Rate]:
        """Compile the rates of a model for a served tier, as the provider spells it, or for batch processing.

        Raises `CatalogueError` or ValueError when the price list contradicts itself.
        """
        tier, batch = served(tier, batch=batch)
        key = (id(listing.model), listing.provider.id, tier, batch)
        known = self._compiled.get(key)
        if known and known[0].model is listing.model:
            return known[1]
        rates = self._compile(listing, tier, batch=batch)
        self._compiled.put(key, (listing, rates))
        return rates

    def _compile(self, listing: Listing, tier: str, *, batch: bool) -> Schedule[Rate]:
        def rate(window: Window, start: str) -> Rate:
            return rate_in(window, listing, self.label, start, tier, batch=batch)

        return schedule(listing.model, variant_of(listing, tier, batch=batch), rate)

    def provider_id(self, name: str) -> str:
        """Return what the catalogue calls a provider, the name itself in lower case when it does not know it."""
        found = self._provider(name)
        return found.id if found else price_list(name)

    @property
    def compiled(self) -> int:
        """How many rates are remembered."""
        return len(self._compiled)

    @cached_property
    def as_of(self) -> datetime:
        """When the prices were fetched; for those of the library, when the newest of them began, which is the least
        that is known of their age."""
        if self.fetched:
            return self.fetched
        starts = [
            price.constraint.start_date
            for provider in self.providers
            for model in provider.models
            if not isinstance(model.prices, ModelPrice)
            for price in model.prices
            if isinstance(price.constraint, StartDateConstraint)
        ]
        today = datetime.now(UTC).date()
        newest = max((start for start in starts if start <= today), default=date(1970, 1, 1))
        return datetime.combine(newest, time(0), UTC)


def _version(fetched: datetime | None) -> str:
    """Say the version of the library, and when the prices were fetched if they were."""
    when = f", fetched {fetched:%Y-%m-%dT%H:%M}" if fetched else ""
    return f"{genai_prices.__version__}{when}"
