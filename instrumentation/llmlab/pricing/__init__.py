"""What a call costs: model names resolved to compiled rate cards, cards applied to usage.

`card.py` is the arithmetic, exact and without dependencies. `catalogue.py` reads genai-prices (extra `server`)
and compiles its prices into cards. `pricer.py` finds the card for a call and says why when there is none.
"""

from typing import Literal, NamedTuple

CostSource = Literal["provider", "computed", "estimated", "none"]

Reason = Literal[
    "", "unknown_model", "unknown_provider", "no_usage", "contradiction", "unpriced_unit", "not_billable"
]
"""Why a call has no cost."""


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
    price_model: str = ""
    """What the catalogue calls provider and model."""
    rate_start: str = ""
    """ISO date since when the applied rate is valid, "" when it always was."""
