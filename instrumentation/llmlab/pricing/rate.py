"""One entry of a price list at one time: the price of a usage, and what that number is worth.

A price list multiplies what it has a price for and is silent about the rest. Here the rest is said: a usage of which
nothing has a price has no cost rather than 0, and a cost that leaves something out is an estimate.
"""

from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from math import prod
from typing import NamedTuple, Protocol

from llmlab.money import MAX_YOCTO
from llmlab.pricing import Parts, Priced, Reason
from llmlab.pricing.card import Contradiction, Picker, picker
from llmlab.usage import EXTRAS, MEASURES, Usage

_TOKENS = ("input", "output")

_new = tuple.__new__
"""Makes a named tuple from values that are already in order, at two thirds of the price of calling its class."""


class Tariff(Protocol):
    """Whatever turns a usage into yocto-USD: a compiled `Card`, or the catalogue's own code."""

    def cost(self, usage: Usage) -> int:
        """Return the cost in yocto-USD. Raises `Contradiction`."""
        ...

    def parts(self, usage: Usage) -> Parts:
        """Return what each part costs. The amounts add up to the cost."""
        ...


class Discount(NamedTuple):
    """A share of the list price that is not charged."""

    percent: Decimal
    """More than 0, at most 100."""
    reason: str
    """Whose discount it is, such as `openai` or `project research`."""

    def __str__(self) -> str:
        return f"{self.percent:f} % {self.reason}"


class Discounted:
    """A tariff less discounts, each on what the one before leaves; rounded half even at the yocto-USD."""

    def __init__(self, tariff: Tariff, discounts: Sequence[Discount]) -> None:
        self.tariff = tariff
        self._factor = prod((1 - Fraction(discount.percent) / 100 for discount in discounts), start=Fraction(1))

    def cost(self, usage: Usage) -> int:
        """Return the reduced cost in yocto-USD. Raises `Contradiction`."""
        return round(self.tariff.cost(usage) * self._factor)

    def parts(self, usage: Usage) -> Parts:
        """Return what each part costs. The last one carries what rounding leaves, less than one yocto-USD for each."""
        parts = self.tariff.parts(usage)
        reduced = [(name, round(cost * self._factor)) for name, cost in parts[:-1]]
        rest = self.cost(usage) - sum(cost for _, cost in reduced)
        return (*reduced, *((name, rest) for name, _ in parts[-1:]))


class Coverage(NamedTuple):
    """What a tariff has prices for."""

    fields: frozenset[str]
    """Fields of `Usage` with a price."""
    per_request: bool = False
    """Whether the call as such has a price. Such a price covers the searches a call makes (Perplexity)."""
    free: bool = False
    """Whether the catalogue says that the model costs nothing, whatever was consumed."""

    def measures(self) -> tuple[str, ...]:
        """List the fields of which at least one has to be reported, or nothing that was consumed has a price."""
        priced = tuple(name for name in MEASURES if name in self.fields)
        return priced or (MEASURES if self.free or self.per_request else ())

    def omissions(self) -> tuple[str, ...]:
        """List the fields that, when they count anything, the cost leaves out."""
        if self.free:
            return ()
        tokens = _TOKENS if self.fields.intersection(_TOKENS) else ()
        extras = () if self.per_request else EXTRAS
        return tuple(name for name in (*tokens, *extras) if name not in self.fields)


class Origin(NamedTuple):
    """Where a price stands."""

    catalogue: str
    provider: str
    model: str
    start: str = ""
    """ISO date since when the price is valid, "" when it always was."""


class Rate:
    """A tariff together with what it covers and where it comes from."""

    def __init__(
        self,
        tariff: Tariff,
        coverage: Coverage,
        origin: Origin,
        tier_doubt: str = "",
        discounts: Sequence[Discount] = (),
        *,
        image_gap: str = "",
    ) -> None:
        """`tier_doubt` says in words why this is not the price of the served tier, "" when it is.

        `image_gap` says likewise why images of the served quality and size have no price.
        """
        self.list_price = tariff
        self.tariff: Tariff = Discounted(tariff, discounts) if discounts else tariff
        self.coverage = coverage
        self.origin = origin
        self.tier_doubt = tier_doubt
        self.image_gap = image_gap
        self.discount = " and ".join(map(str, discounts))
        self._computed = ("computed", "", "", *origin, self.discount, self)
        measures = coverage.measures()
        self._measures = _pick(measures)
        self.is_flat = coverage.free or (coverage.per_request and not coverage.fields)
        """Whether the price is the same for any usage, an unknown one included."""
        self._charges_input = "input" in measures
        self._unmeasured = None if self.is_flat else self._measures(Usage())
        omissions = coverage.omissions()
        self._omissions = _pick(omissions)
        self._splits_lifetimes = "cache_write_1h" in coverage.fields
        self._doubtful = bool(image_gap or tier_doubt or omissions or self._splits_lifetimes)

    def price(self, usage: Usage) -> Priced:
        """Price one usage."""
        if (usage[0] is None or not self._charges_input) and self._measures(usage) == self._unmeasured:
            return self._none("unpriced_unit", self._unpriced(usage))
        try:
            cost = self.tariff.cost(usage)
        except Contradiction as contradiction:
            return self._none("contradiction", str(contradiction))
        if cost > MAX_YOCTO:
            return self._none("contradiction", f"{_counted(usage)} would cost 1e14 USD or more")
        if self._doubtful and (
            self.image_gap
            or self.tier_doubt
            or any(self._omissions(usage))
            or (self._splits_lifetimes and _lifetime_unknown(usage))
        ):
            return self._doubted(cost, usage)
        return _new(Priced, (cost, *self._computed))

    def parts(self, usage: Usage) -> Parts:
        """Return what each part of a usage costs; the amounts add up to the cost. Raises `Contradiction`."""
        return self.tariff.parts(usage)

    def reduced(self, discounts: Sequence[Discount]) -> "Rate":
        """Return this rate less discounts."""
        if not discounts:
            return self
        return Rate(self.list_price, self.coverage, self.origin, self.tier_doubt, discounts, image_gap=self.image_gap)

    def _none(self, reason: Reason, detail: str) -> Priced:
        return Priced(None, "none", reason, detail, *self.origin)

    def _doubted(self, cost: int, usage: Usage) -> Priced:
        if self.image_gap and usage.images:
            return self._none("unpriced_unit", self._unpriced(usage))
        doubts = list(self._doubts(usage))
        if not doubts:
            return _new(Priced, (cost, *self._computed))
        reason, words = doubts[0][0], "; ".join(detail for _, detail in doubts)
        return Priced(cost, "estimated", reason, words, *self.origin, discount=self.discount, rate=self)

    def _doubts(self, usage: Usage) -> Iterator[tuple[Reason, str]]:
        if self.tier_doubt and not usage.images:  # an image has quality and size there
            yield "unpriced_tier", self.tier_doubt
        for name in self.coverage.omissions():
            if count := getattr(usage, name):
                yield "unpriced_part", f"{name} {count} has no price at {self._name()} and is left out"
        if self._splits_lifetimes and _lifetime_unknown(usage):
            yield "cache_lifetime", f"cache_write {usage.cache_write} without its time to live, priced as 5 minutes"

    def _unpriced(self, usage: Usage) -> str:
        if self.image_gap and usage.images:
            return f"{_counted(usage)} at {self._name()}: {self.image_gap}"
        prices = ", ".join(self.coverage.measures()) or "nothing"
        return f"{_counted(usage)} at {self._name()}, which has a price for {prices}"

    def _name(self) -> str:
        return f"{self.origin.provider}/{self.origin.model}"


class NoRate:
    """Stands where no rate is known, and says why."""

    def __init__(self, priced: Priced) -> None:
        """`priced` has no cost."""
        self._priced = priced

    def price(self, usage: Usage) -> Priced:  # noqa: ARG002 - takes the place of a `Rate`
        """Return the same for any usage: no cost, and the reason."""
        return self._priced


def _pick(names: Collection[str]) -> Picker:
    return picker([Usage._fields.index(name) for name in names])


def _lifetime_unknown(usage: Usage) -> bool:
    return bool(usage.cache_write and usage.cache_write_1h is None and usage.cache_write > (usage.cache_write_5m or 0))


def _counted(usage: Usage) -> str:
    return ", ".join(f"{name} {count}" for name, count in usage._asdict().items() if count is not None)
