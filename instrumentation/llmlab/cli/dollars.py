"""Money, tokens and shares as people read them. Exact numbers are for `--json`."""

from decimal import Context, Decimal

UNPRICED = "unpriced"
"""What stands in place of an amount that nobody knows. It is never $0."""

_EXACT = Context(prec=100)
"""More digits than any amount has: only `_round` shortens a number."""
_SIGNIFICANT_DIGITS = 3
_CENTS = -2
_COMPACT_FROM = 100_000
_UNITS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))


def dollars(usd: Decimal | int | None) -> str:
    """Write an amount in USD: at least two decimals, at least three significant digits, None as `unpriced`.

    So no amount but zero ever reads $0.00.
    """
    if usd is None:
        return UNPRICED
    amount = Decimal(usd)
    if not amount:
        return "$0.00"
    last_digit = min(_CENTS, amount.adjusted() - _SIGNIFICANT_DIGITS + 1)
    text = f"{_round(amount.copy_abs(), last_digit):,f}"
    whole, _, decimals = text.partition(".")
    return f"{'-' if amount < 0 else ''}${whole}.{decimals.rstrip('0').ljust(-_CENTS, '0')}"


def tokens(count: int) -> str:
    """Write a number of tokens: `98,304`, from a hundred thousand on `123k`, `1.23M`, `45.6B`."""
    if count < _COMPACT_FROM:
        return f"{count:,}"
    rounded = int(_round(Decimal(count), Decimal(count).adjusted() - _SIGNIFICANT_DIGITS + 1))
    size, unit = next(each for each in _UNITS if rounded >= each[0])
    return f"{(Decimal(rounded) / size).normalize():f}{unit}"


def percent(part: Decimal | int | None, whole: Decimal | int) -> str:
    """Write a share: `<1%` for what would round to nothing, `-` where nobody knows."""
    if part is None or not whole:
        return "-"
    share = Decimal(part) * 100 / Decimal(whole)
    return "<1%" if 0 < share < 1 else f"{_round(share, 0):f}%"


def _round(number: Decimal, last_digit: int) -> Decimal:
    """Round half even at a power of ten."""
    return number.quantize(Decimal(1).scaleb(last_digit), context=_EXACT)


def calls(count: int) -> str:
    """Write a number of calls."""
    return "1 call" if count == 1 else f"{count:,} calls"
