"""Where two price lists disagree about the same model today."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from genai_prices.types import TieredPrices

from llmlab.pricing.catalogue import Catalogue, Unknown
from llmlab.pricing.catalogue.lookup import Listing
from llmlab.pricing.catalogue.sheet import Entry, Sheet, UnitPrices
from llmlab.pricing.catalogue.windows import midnight


class Disagreement(NamedTuple):
    """One price that two lists state differently."""

    provider: str
    model: str
    """As the other list names it."""
    key: str
    """Such as `input_mtok`."""
    ours: Decimal
    theirs: Decimal

    @property
    def share(self) -> Decimal:
        """The difference as a share of the larger price: 0.5 when one is twice the other, 1 when one is zero."""
        return abs(self.ours - self.theirs) / max(self.ours, self.theirs)


class Comparison(NamedTuple):
    """What came of comparing a list with the catalogue."""

    disagreements: tuple[Disagreement, ...]
    """The largest first."""
    compared: int
    """Models that both lists know."""
    only_theirs: tuple[str, ...]
    """Names that the catalogue does not know."""


def compare(catalogue: Catalogue, sheet: Sheet, today: date) -> Comparison:
    """Compare the base prices that both lists state for a model."""
    found: list[Disagreement] = []
    unknown: list[str] = []
    compared = 0
    for entry in current(sheet, today):
        listing = catalogue.find(entry.provider, (entry.model,))
        if isinstance(listing, Unknown):
            unknown.append(f"{entry.provider}/{entry.model}")
            continue
        compared += 1
        found.extend(_differences(entry, listing, today))
    found.sort(key=lambda each: (-each.share, each.provider, each.model, each.key))
    return Comparison(tuple(found), compared, tuple(unknown))


def current(sheet: Sheet, today: date) -> list[Entry]:
    """Return the entries that apply on a day: of each model the latest that has begun."""
    latest: dict[tuple[str, str], Entry] = {}
    for entry in sheet.entries:
        begun = entry.start or date.min
        other = latest.get((entry.provider, entry.model))
        if begun <= today and (other is None or begun >= (other.start or date.min)):
            latest[entry.provider, entry.model] = entry
    return list(latest.values())


def _differences(entry: Entry, listing: Listing, today: date) -> Iterator[Disagreement]:
    ours: UnitPrices = vars(listing.model.get_prices(midnight(today)))
    for key, price in entry.prices.items():
        own = ours.get(key)
        if own is not None and (base := _base(own)) != (other := _base(price)):
            yield Disagreement(entry.provider, entry.model, key, base, other)


def _base(price: Decimal | TieredPrices) -> Decimal:
    return price.base if isinstance(price, TieredPrices) else price
