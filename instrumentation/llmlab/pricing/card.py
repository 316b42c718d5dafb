"""The arithmetic of prices: a usage times a rate card, in integers.

A price list charges the most specific part of a usage that it has a price for: cached tokens at the cache price,
the rest of the input at the input price. That is linear, so all of it folds into one weight per field: with input
at 3 and cache reads at 1 a token, the weights are 3 and -2. What the folding must not lose is when a price list
refuses: a rest below zero, or a part whose total nobody told.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import gcd
from operator import itemgetter
from typing import Any, NamedTuple

from llmlab.usage import Usage

_FIRST_PART = 2
"""The first field of `Usage` behind `input` and `output`. Without any of the others nothing contradicts anything."""

_NO_PARTS = Usage()[_FIRST_PART:]

Picker = Callable[[Sequence[Any]], tuple[Any, ...]]
"""Takes some of a tuple's values."""


class Contradiction(ValueError):
    """A usage that cannot be: its parts do not fit its totals. The message names the numbers."""


class Term(NamedTuple):
    """A factor for one field of `Usage`, which is named by its position."""

    field: int
    factor: int


class Charge(NamedTuple):
    """One price of a tier, as the price list says it."""

    field: int
    """The field of `Usage` that it is the price of."""
    per_unit: int
    """Yocto-USD."""
    leaf: tuple[Term, ...]
    """What is counted: the field less its separately priced parts."""


_Plain = tuple[tuple[int, int], ...]
"""Terms as plain tuples: the interpreter takes those apart twice as fast as named ones."""


class Tier(NamedTuple):
    """The prices that apply to all of a call when its input has more than `start` tokens."""

    start: int
    per_request: int
    """Yocto-USD for the call as such."""
    weights: tuple[Term, ...]
    """Yocto-USD for each unit of a field; parts carry the difference to their total."""
    charges: tuple[Charge, ...] = ()
    """The same unfolded, to show."""


class Total(NamedTuple):
    """A field that must be reported when its parts are, because it has a price of its own."""

    field: int | None
    """None for a unit that `Usage` has no field for, so that it never is reported."""
    parts: tuple[int, ...]
    """Fields that are contained in it: any of them needs it."""
    overlaps: tuple[tuple[int, int], ...] = ()
    """Pairs of fields that it is the intersection of: both together need it."""


@dataclass(frozen=True, slots=True)
class Card:
    """All that one model charges at one time. Compiled by a catalogue, applied to any number of usages."""

    tiers: tuple[Tier, ...]
    """By ascending start, the base first. There is no price between two tiers: one token more puts the whole call into
    the next."""
    rests: tuple[tuple[Term, ...], ...] = ()
    """Sums that must not be negative: a priced field without its separately priced parts."""
    totals: tuple[Total, ...] = ()
    _starts: tuple[int, ...] = field(init=False)
    _sums: tuple[tuple[int, int, _Plain], ...] = field(init=False, repr=False, compare=False)
    """By tier: the price of the call, what all weights are multiples of, and how many times: numbers of one machine
    word multiply several times as fast as yocto-USD do."""
    _checks: tuple[_Plain, ...] = field(init=False, repr=False, compare=False)
    """The rests."""
    _owners: Picker = field(init=False, repr=False, compare=False)
    """Takes the totals out of a usage."""
    _homeless: bool = field(init=False)
    """Whether there is a total that no usage has."""

    def __post_init__(self) -> None:
        owners = [total.field for total in self.totals if total.field is not None]
        object.__setattr__(self, "_starts", tuple(tier.start for tier in self.tiers[1:]))
        object.__setattr__(self, "_sums", tuple(map(_scaled, self.tiers)))
        object.__setattr__(self, "_checks", tuple(tuple(map(tuple, rest)) for rest in self.rests))
        object.__setattr__(self, "_owners", picker(owners))
        object.__setattr__(self, "_homeless", len(owners) < len(self.totals))

    def cost(self, usage: Usage) -> int:
        """Return the cost in yocto-USD. A field that is None counts 0. Raises `Contradiction`."""
        if usage[_FIRST_PART:] != _NO_PARTS:
            self._check(usage)
        per_request, scale, weights = self._sums[bisect_left(self._starts, usage[0] or 0) if self._starts else 0]
        cost = 0
        for position, weight in weights:
            count = usage[position]
            if count:
                if count < 0:
                    raise Contradiction(f"{_listed([position], usage)} is negative")
                cost += count * weight
        return per_request + cost * scale

    def parts(self, usage: Usage) -> tuple[tuple[str, int], ...]:
        """Return what each part costs, in yocto-USD: a field or `request`. The amounts add up to `cost`."""
        tier = self.tiers[bisect_left(self._starts, usage[0] or 0)]
        found = [("request", tier.per_request)] if tier.per_request else []
        for position, per_unit, leaf in tier.charges:
            count = sum(factor * (usage[counted] or 0) for counted, factor in leaf)
            if count:
                found.append((Usage._fields[position], count * per_unit))
        return tuple(found)

    def _check(self, usage: Usage) -> None:
        if self._homeless or None in self._owners(usage):
            _check_unreported(self.totals, usage)
        for place, rest in enumerate(self._checks):
            left = 0
            for position, factor in rest:
                count = usage[position]
                if count:
                    left += factor * count
            if left < 0:
                raise Contradiction(_exceeded(self.rests[place], usage))


def picker(positions: Sequence[int]) -> Picker:
    """Make a function that takes the values at these positions out of a tuple, in one call into C."""
    if not positions:
        return _nothing
    return itemgetter(*positions, positions[0])  # twice the first: with a single position it would give no tuple


def _scaled(tier: Tier) -> tuple[int, int, _Plain]:
    scale = gcd(*(term.factor for term in tier.weights)) or 1
    weights = tuple((position, factor // scale) for position, factor in tier.weights)
    return tier.per_request, scale, weights


def _nothing(_values: Sequence[Any]) -> tuple[Any, ...]:
    return ()


def _check_unreported(totals: Sequence[Total], usage: Usage) -> None:
    for position, parts, overlaps in totals:
        if position is not None and usage[position] is not None:
            continue
        counted = [part for part in parts if usage[part]]
        if counted:
            total = "a total" if position is None else Usage._fields[position]
            raise Contradiction(f"{_listed(counted, usage)} in {total} unknown")
        for pair in overlaps:
            if usage[pair[0]] and usage[pair[1]]:
                raise Contradiction(f"{_listed(pair, usage)} may overlap, and nobody reported by how much")


def _exceeded(rest: Sequence[Term], usage: Usage) -> str:
    parts = [term.field for term in rest if term.factor < 0 and usage[term.field]]
    totals = [term.field for term in rest if term.factor > 0]
    return f"{_listed(parts, usage)} in {_listed(totals, usage)}"


def _listed(positions: Sequence[int], usage: Usage) -> str:
    return " + ".join(f"{Usage._fields[position]} {usage[position] or 0}" for position in positions)
