"""What is charged for a call: the user's own prices, else the catalogue's, less the user's discounts.

    the user's exact name  >  the user's pattern  >  the catalogue        then: discounts on whatever was computed

A model is looked up by the name that served, then by the one that was requested; the first that the user's file or the
catalogue knows decides. Before the first date of an own price, the catalogue's holds. The name of a deployment, which
its owner made up, is only looked for in the user's file: before the served model, since it says more; but where it is
also the name of a model in the catalogue, an entry with that name means the model, and it is looked for last.
"""

from collections.abc import Sequence
from typing import NamedTuple

from llmlab.pricing import Priced
from llmlab.pricing.catalogue import Catalogue, Listing, Unknown
from llmlab.pricing.catalogue.own_prices import NO_OWN_PRICES, OwnPrice, OwnPrices
from llmlab.pricing.rate import Discount, NoRate, Rate
from llmlab.pricing.schedule import Schedule, combine, constant


class Found(NamedTuple):
    """What a name leads to."""

    rates: Schedule[Rate | NoRate]
    listing: Listing | None
    """In the catalogue, None when it does not know the name."""
    own: OwnPrice | None = None
    """The prices in the user's file that apply."""


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
        is_own_name = bool(deployment and self.own.entries) and not self.catalogue.listing(provider, (deployment,))
        first = (deployment,) if is_own_name else ()
        for model in dict.fromkeys(filter(None, models)):
            listing = self.catalogue.listing(provider, (model,))
            if found := self._priced(provider, (*first, model), listing, tier, batch=batch, project=project):
                return found
        if deployment and (found := self._priced(provider, (deployment,), None, tier, batch=batch, project=project)):
            return found
        unknown = self.catalogue.unknown(provider, models)
        return _with_deployment(unknown, deployment) if deployment else unknown

    def _priced(
        self, provider: str, names: tuple[str, ...], known: Listing | None, tier: str, *, batch: bool, project: str
    ) -> Found | None:
        """Put the user's own price of any of the names before the catalogue's; None when there is neither."""
        seller = known.provider.id if known else self.catalogue.provider_id(provider)
        own = self.own.find(seller, (*names, known.model.id) if known else names)
        if own is None and known is None:
            return None
        base: Schedule[Rate | NoRate] = (
            combine(self.catalogue.rates(known, tier, batch=batch), NOTHING, _first)
            if known
            else constant(NoRate(_not_yet(self.own, provider, names[-1])))
        )
        rates = combine(own.rates(tier, batch=batch), base, _own_or_base) if own else base
        discounts = self.own.discounts(seller, project)
        return Found(combine(rates, discounts, _reduced), known, own)


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
