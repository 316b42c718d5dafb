"""Limits of budgets: integer nano-USD (1e-9 USD), which every ledger can add and compare exactly."""

import re
from decimal import Decimal

NANO_PER_USD = 10**9
YOCTO_PER_NANO = 10**15

MAX_LIMIT_NANO = 10**12 * NANO_PER_USD
"""A trillion USD. More than that is a slip of the finger."""

_AMOUNT = re.compile(r"\$?(\d{1,18}|\d{1,3}(,\d{3}){1,5}|\d{1,3}(_\d{3}){1,5})(\.\d{1,30})?", re.ASCII)


def nano_usd(text: str) -> int:
    """Read an amount in USD such as `1000`, `1,000.50` or `$0.25`, exactly.

    Raises ValueError, with what would be right, when it is no amount above zero or finer than a nano-dollar.
    """
    if not _AMOUNT.fullmatch(text):
        raise ValueError("write an amount in USD, such as 1000 or 0.25")
    exact = Decimal(text.lstrip("$").replace(",", "").replace("_", "")) * NANO_PER_USD
    nano = int(exact)
    if nano != exact:
        raise ValueError("write an amount of at most 9 decimals")
    if not 0 < nano <= MAX_LIMIT_NANO:
        raise ValueError("write an amount above 0 and up to 1,000,000,000,000")
    return nano
