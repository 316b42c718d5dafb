"""Money without rounding: every cost is an integer number of yocto-USD (1e-24 USD).

Catalogues price a million tokens with up to 18 decimals, so one token needs 24. Python's integers have no upper
bound, so sums are exact too. Decimal and text exist only where money leaves the program.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal

YOCTO_PER_USD = 10**24

MAX_YOCTO = 10**38 - 1
"""Just under 1e14 USD, the most that a `Decimal(38, 24)` column holds. A call that costs more is a wrong number."""

_EXACT = Context(prec=100)
"""More digits than any sum of ours has, so that nothing is rounded on the way out."""


def usd(yocto: int) -> Decimal:
    """Return the exact amount in USD, without trailing zeros."""
    return _EXACT.create_decimal(yocto).scaleb(-24, _EXACT).normalize(_EXACT)


def yocto(usd_amount: Decimal) -> int:
    """Return an amount in USD as yocto-USD, rounded half even at the 24th decimal.

    Raises ValueError when the amount is no number, infinite, or has more than 50 digits before the point.
    """
    if not usd_amount.is_finite() or usd_amount.adjusted() > 50:
        raise ValueError(f"{usd_amount} is no amount of USD")
    return int(usd_amount.scaleb(24, _EXACT).to_integral_value(ROUND_HALF_EVEN, _EXACT))


def plain(yocto_amount: int | None) -> str | None:
    """Write an amount as a plain decimal string in USD (`0.000183`); None stays None: unknown is not zero."""
    return None if yocto_amount is None else f"{usd(yocto_amount):f}"
