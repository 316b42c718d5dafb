"""Money without rounding: every cost is an integer number of yocto-USD (1e-24 USD).

Catalogues price a million tokens with up to 18 decimals, so one token needs 24. Python's integers have no upper
bound, so sums are exact too. Decimal and text exist only where money leaves the program.
"""

from decimal import Context, Decimal

YOCTO_PER_USD = 10**24

_EXACT = Context(prec=100)
"""More digits than any sum of ours has, so that nothing is rounded on the way out."""


def usd(yocto: int) -> Decimal:
    """Return the exact amount in USD, without trailing zeros."""
    return _EXACT.create_decimal(yocto).scaleb(-24, _EXACT).normalize(_EXACT)


def yocto(usd_amount: Decimal) -> int:
    """Return an amount in USD as yocto-USD, rounded half even at the 24th decimal."""
    return int(usd_amount.scaleb(24, _EXACT).to_integral_value(context=_EXACT))


def plain(yocto_amount: int | None) -> str | None:
    """Write an amount as a plain decimal string in USD (`0.000183`); None stays None: unknown is not zero."""
    return None if yocto_amount is None else f"{usd(yocto_amount):f}"
