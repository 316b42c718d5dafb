"""Prices that only the library itself can apply: per hour of audio, with a minimum, finer than a yocto-USD."""

from decimal import Context, Decimal, localcontext

import genai_prices

from llmlab.money import yocto
from llmlab.pricing.card import Contradiction
from llmlab.pricing.catalogue.lookup import Listing
from llmlab.pricing.catalogue.units import FIELDS, PER_FIELD_UNIT
from llmlab.pricing.catalogue.windows import Variant, Window
from llmlab.usage import MEASURES, Usage, contradictions

_EXACT = Context(prec=100)


class LibraryTariff:
    """A price that only the library itself can apply: per hour of audio, or with a minimum."""

    def __init__(self, listing: Listing, window: Window, variant: Variant) -> None:
        self.price = window.price
        self._listing = listing
        self._moment = window.moment
        self._variant = variant

    def cost(self, usage: Usage) -> int:
        """Return the cost in yocto-USD, rounded half even beyond 24 decimals. Raises `Contradiction`."""
        with localcontext(_EXACT):
            try:
                calculation = self._listing.model.calc_price(
                    library_usage(usage),
                    self._listing.provider,
                    genai_request_timestamp=self._moment,
                    price_context=self._variant,
                )
                return yocto(calculation.total_price)
            except ValueError as error:
                raise Contradiction("; ".join(contradictions(usage)) or str(error)) from error

    def parts(self, usage: Usage) -> tuple[tuple[str, int], ...]:
        """Return the whole under the name of what was measured: the library does not take it apart."""
        measured = next((name for name in MEASURES if getattr(usage, name) is not None), "request")
        return ((measured, self.cost(usage)),)


def library_usage(usage: Usage) -> genai_prices.Usage:
    """Write a usage in the library's units. Raises ValueError for a negative count."""
    counts = {unit: _in_units(field, getattr(usage, field)) for unit, field in FIELDS.items()}
    return genai_prices.Usage(**counts)


def _in_units(field: str, count: int | None) -> int | Decimal | None:
    per_unit = PER_FIELD_UNIT.get(field, 1)
    return count if count is None or per_unit == 1 else _EXACT.divide(Decimal(count), per_unit)
