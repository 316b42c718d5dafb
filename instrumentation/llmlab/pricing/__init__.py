"""What a call costs: model names resolved to compiled rate cards, cards applied to usage.

    names -> book -> schedule -> rate -> card
    who, which model  since when  what is charged, and what it leaves open

`card.py` is the arithmetic, `rate.py` adds what a number is worth, `schedule.py` finds the rate of a moment: exact and
without dependencies. `catalogue/` reads price lists (extra `server`) and compiles their prices into cards. `book.py`
puts the user's own prices before the catalogue's. `pricer.py` finds the rate for a call and says why when there is
none.
"""

from typing import Literal, NamedTuple, Protocol

from llmlab.usage import Usage

CostSource = Literal["provider", "computed", "estimated", "none"]
"""Who says so: the provider in its response, our computation, our computation with a doubt (`reason` says which),
or nobody."""

Reason = Literal[
    "",
    "unknown_model",
    "unknown_provider",
    "no_usage",
    "contradiction",
    "unpriced_unit",
    "not_billable",
    "catalogue_error",
    "unpriced_part",
    "unpriced_tier",
    "cache_lifetime",
]
"""Why a call has no cost; the last three say why its cost is only an estimate.

unknown_model, unknown_provider: the catalogue does not have them.
no_usage: nobody reported how much was consumed.
contradiction: the parts of the usage do not fit its totals.
unpriced_unit: the catalogue knows the model, but has no price for what was consumed.
not_billable: the span repeats or surrounds a call that is billed elsewhere.
catalogue_error: the price list itself is broken; the log has the traceback.
unpriced_part: something beside the tokens has no price, so the cost is a lower bound.
unpriced_tier: the catalogue has no price for the served tier or for batch, so the standard price was taken.
cache_lifetime: a cache write without its time to live, priced as five minutes; one hour costs more.
"""


Parts = tuple[tuple[str, int], ...]
"""What each part of a usage costs: a field of `llmlab.usage.Usage`, or `request`, and yocto-USD. `input` and `output`
are here what is left of them beside the parts that have prices of their own, so that the amounts add up."""


class Explanation(Protocol):
    """What knows how a cost came about."""

    def parts(self, usage: Usage) -> Parts:
        """Return what each part of a usage cost; the amounts add up to the whole."""
        ...


class Priced(NamedTuple):
    """What one call costs, and why."""

    cost_yocto: int | None
    """Integer 1e-24 USD, exact (`llmlab.money`). None when unknown: never 0 for that."""
    source: CostSource
    reason: Reason = ""
    detail: str = ""
    """The reason in words that name the values, for people."""
    catalogue: str = ""
    """Name and version of the catalogue, such as `genai-prices 0.2.3`."""
    price_provider: str = ""
    """Whose price list applied, by the catalogue's name: OpenAI's may apply to a call to Azure."""
    price_model: str = ""
    """What the catalogue calls the model."""
    rate_start: str = ""
    """ISO date since when the applied rate is valid, "" when it always was."""
    discount: str = ""
    """Which discounts are deducted from the list price, in words such as `12.5 % openai`; "" for none."""
    rate: Explanation | None = None
    """The rate that applied, None when none did."""

    def parts(self, usage: Usage) -> Parts:
        """Return what each part of the usage that was priced costs; empty when no rate says so."""
        return () if self.rate is None or self.cost_yocto is None else self.rate.parts(usage)
