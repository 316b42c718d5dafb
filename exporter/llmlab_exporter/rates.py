"""The rate that priced a call as one line of text, and the cost taken apart by it.

    input-cache_read:0.00000025 cache_read:0.000000025 output:0.000002 *0.9

reads: what is left of `input` without `cache_read` costs 0.00000025 USD each, and so on, less 10 %. The line is the
same for all calls at one rate, so that a store with dictionaries keeps it nearly for free, and the parts that it gives
add up to the cost to the last digit. Where a rate cannot be written so (prices by the hour of audio), the amounts
themselves are: `audio_ms=0.0123`.
"""

from bisect import bisect_left
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from llmlab.money import plain, yocto
from llmlab.pricing import Priced
from llmlab.pricing.card import Card, Charge, Term
from llmlab.pricing.rate import Rate
from llmlab.usage import Usage

REQUEST = "request"
"""The part of a cost that a call has as such."""


class Part(NamedTuple):
    """One part of a cost."""

    name: str
    """A field of `Usage`, without the parts of it that have prices of their own, or `request`."""
    quantity: int | None
    """How many were charged; None where the catalogue does not take its price apart."""
    unit_yocto: int | None
    """List price of one."""
    cost_yocto: int
    """What it cost, discounts deducted."""


def rate_text(priced: Priced, usage: Usage) -> str:
    """Write the rate of a priced call, "" where there is none."""
    rate = priced.rate
    if rate is None or priced.cost_yocto is None:
        return ""
    if isinstance(rate, Rate) and isinstance(rate.list_price, Card):
        tiers = rate.list_price.tiers
        number = bisect_left([tier.start for tier in tiers[1:]], usage.input or 0) if len(tiers) > 1 else 0
        if text := _tier_text(rate, number):
            return text
    return " ".join(f"{name}={plain(amount)}" for name, amount in priced.parts(usage))


def parts(text: str, usage: Usage) -> list[Part]:
    """Take a cost apart by the rate that priced it; empty without a rate.

    Raises ValueError when the text is no rate.
    """
    terms = text.split()
    factor = Fraction(1)
    if terms and terms[-1].startswith("*"):
        factor = Fraction(terms.pop()[1:])
    found = [part for part in (_part(term, usage) for term in terms) if part.cost_yocto]
    return found if factor == 1 else _reduced(found, factor)


@lru_cache(maxsize=4096)
def _tier_text(rate: Rate, number: int) -> str:
    """Write one tier of a rate, "" when its discounts cannot be written down."""
    tier = rate.list_price.tiers[number] if isinstance(rate.list_price, Card) else None
    if tier is None:
        return ""
    terms = [f"{REQUEST}:{plain(tier.per_request)}"] if tier.per_request else []
    terms += [_term_text(charge) for charge in tier.charges]
    if rate.discount:
        factor = _factor(rate.discount)
        if factor is None:
            return ""
        terms.append(f"*{factor}")
    return " ".join(terms)


def _term_text(charge: Charge) -> str:
    own = next(term for term in charge.leaf if term.field == charge.field)
    rest = [term for term in charge.leaf if term is not own]
    return f"{Usage._fields[charge.field]}{''.join(map(_signed, rest))}:{plain(charge.per_unit)}"


def _signed(term: Term) -> str:
    sign = "+" if term.factor > 0 else "-"
    return f"{sign}{Usage._fields[term.field]}" * abs(term.factor)


def _factor(discount: str) -> str | None:
    """Return what discounts such as `12.5 % openai and 5 % project x` leave of the price, None if that is unclear."""
    left = Fraction(1)
    try:
        for each in discount.split(" and "):
            left *= 1 - Fraction(Decimal(each.split(" % ", 1)[0])) / 100
    except ArithmeticError:
        return None
    return str(left)


def _part(term: str, usage: Usage) -> Part:
    leaf, colon, unit = term.partition(":")
    if not colon:
        name, _, amount = term.partition("=")
        return Part(name, None, None, yocto(Decimal(amount)))
    signed = leaf.replace("-", " -").replace("+", " +").split()
    count = 1 if leaf == REQUEST else sum(_count(name, usage) for name in signed)
    unit_yocto = yocto(Decimal(unit))
    return Part(signed[0], count, unit_yocto, count * unit_yocto)


def _count(signed_name: str, usage: Usage) -> int:
    count: int = getattr(usage, signed_name.lstrip("+-")) or 0
    return -count if signed_name.startswith("-") else count


def _reduced(found: list[Part], factor: Fraction) -> list[Part]:
    """Deduct discounts; the last part carries what rounding leaves, so that the sum is the rounded whole."""
    whole = round(sum(part.cost_yocto for part in found) * factor)
    reduced = [part._replace(cost_yocto=round(part.cost_yocto * factor)) for part in found]
    left = whole - sum(part.cost_yocto for part in reduced[:-1])
    return [*reduced[:-1], *(part._replace(cost_yocto=left) for part in reduced[-1:])]
