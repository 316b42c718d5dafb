"""What is charged for a call: the user's own prices, else the catalogue's, less the user's discounts.

    the user's exact name  >  the user's pattern  >  the catalogue        then: discounts on whatever was computed

A model is looked up by the name that served, then by the one that was requested; the first that the user's file or the
catalogue knows decides. Before the first date of an own price, the catalogue's holds. The name of a deployment, which
its owner made up, is only looked for in the user's file, and last.
"""

from collections.abc import Sequence
from typing import NamedTuple

from llmlab.pricing import Priced
from llmlab.pricing.catalogue import Catalogue, Listing, Unknown
from llmlab.pricing.catalogue.own_prices import NO_OWN_PRICES, OwnPrices
from llmlab.pricing.rate import Discount, NoRate, Rate
from llmlab.pricing.schedule import Schedule, combine, constant


class Found(NamedTuple):
    """What a name leads to."""

    rates: Schedule[Rate | NoRate]
    listing: Listing | None
    """In the catalogue, None when it does not know the name."""
    own: str = ""
    """The entry of the user's file that applies, by its name there."""


class PriceBook:
    """A catalogue and the user's own prices. Immutable, so that threads may share it."""

    def __init__(self, catalogue: Catalogue | None = None, own: OwnPrices = NO_OWN_PRICES) -> None:
        self.catalogue = catalogue or Catalogue()
        self.own = own.known_as(self.catalogue.provider_id)

    def find(
        self,
        provider: str,
        models: Sequence[str],
        *,
        tier: str = "",
        batch: bool = False,
        project: str = "",
        deployment: str = "",
    ) -> Found | Unknown:
        """Find what is charged, and when.

        Raises `CatalogueError` or ValueError when the catalogue contradicts itself.
        """
        for model in dict.fromkeys(filter(None, models)):
            if found := self._find(provider, model, tier, batch=batch, project=project):
                return found
        if deployment and (found := self._find_own(provider, deployment, None, tier, batch=batch, project=project)):
            return found
        unknown = self.catalogue.find(provider, models)
        assert isinstance(unknown, Unknown), "each name was looked up alone"  # noqa: S101 - a law of `find`
        return _with_deployment(unknown, deployment) if deployment else unknown

    def _find(self, provider: str, model: str, tier: str, *, batch: bool, project: str) -> Found | None:
        listing = self.catalogue.find(provider, (model,))
        return self._find_own(
            provider, model, None if isinstance(listing, Unknown) else listing, tier, batch=batch, project=project
        )

    def _find_own(
        self, provider: str, model: str, known: Listing | None, tier: str, *, batch: bool, project: str
    ) -> Found | None:
        """Put the user's own price of a name before the catalogue's; None when there is neither."""
        seller = known.provider.id if known else self.catalogue.provider_id(provider)
        own = self.own.find(seller, (model, known.model.id) if known else (model,))
        if own is None and known is None:
            return None
        base: Schedule[Rate | NoRate] = (
            combine(self.catalogue.rates(known, tier, batch=batch), NOTHING, _first)
            if known
            else constant(NoRate(_not_yet(self.own, provider, model)))
        )
        rates = combine(own.rates(tier, batch=batch), base, _own_or_base) if own else base
        discounts = self.own.discounts(seller, project)
        return Found(combine(rates, discounts, _reduced), known, own.name if own else "")


NOTHING: Schedule[None] = constant(None)


def _first(rate: Rate | NoRate, _: None) -> Rate | NoRate:
    return rate


def _own_or_base(own: Rate | None, base: Rate | NoRate) -> Rate | NoRate:
    return own or base


def _reduced(rate: Rate | NoRate, discounts: Sequence[Discount]) -> Rate | NoRate:
    return rate.reduced(discounts) if isinstance(rate, Rate) else rate


def _with_deployment(unknown: Unknown, deployment: str) -> Unknown:
    return unknown._replace(detail=f"{unknown.detail}, and no own price is for the deployment {deployment[:200]!r}")


def _not_yet(own: OwnPrices, provider: str, model: str) -> Priced:
    detail = f"{own.label} prices {model:.200} at {provider or 'any provider':.200} only from a later date"
    return Priced(None, "none", "unknown_model", detail, own.label)
