"""Counts of tokens: which numbers can be believed, and what becomes of the others."""

from typing import NamedTuple

from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.reading.values import decimal
from llmlab_exporter.span import Attributes, Value

MAX_COUNT = 10**12
"""Tokens of one call. The largest context windows hold 10^7."""

_MAX_SHOWN_CHARS = 40

Table = tuple[tuple[str, str], ...]
"""Pairs of an attribute key and the field of `Usage` that it tells. Of several keys for one field the first that the
span carries counts, unless it says 0 and a later one more."""


class Counts(NamedTuple):
    """What a span says was consumed."""

    usage: Usage
    flaws: tuple[str, ...] = ()
    """Numbers that cannot be, each naming its attribute and value."""
    spoiled: bool = False
    """Because of a flaw some field of `usage` is missing."""


def keys(table: Table) -> tuple[str, ...]:
    """Return the attribute keys of a table."""
    return tuple(key for key, _ in table)


def read_counts(table: Table, said: Attributes) -> Counts:
    """Read the counts of a span.

    Counts that are all zero are none: that is what instrumentations write where the provider reported nothing.
    """
    found: dict[str, int] = {}
    flawed: dict[str, str] = {}
    for key, field in table:
        value = said.get(key)
        if value is None or value == "" or found.get(field):
            continue
        number = value if type(value) is int and 0 <= value <= MAX_COUNT else count(value)
        if number is None:
            flawed[field] = f"{key} is {_shown(value)}, which is no count"
        else:
            found[field] = number
    usage = Usage(**found) if any(found.values()) else NO_USAGE
    if not flawed:
        return Counts(usage)
    return Counts(usage, tuple(flawed.values()), spoiled=not flawed.keys() <= found.keys())


def count(value: Value) -> int | None:
    """Return a whole number from 0 to `MAX_COUNT`, as an integer, as 5.0, or as text of either; else None."""
    number = decimal(value) if type(value) is str else value
    if type(number) is float and number.is_integer():
        number = int(number)
    return number if type(number) is int and 0 <= number <= MAX_COUNT else None


def with_cache_inside(usage: Usage) -> Usage:
    """Convert an input that is counted beside its cached parts to one that contains them."""
    if usage.input is None:
        return usage
    return usage._replace(input=usage.input + (usage.cache_read or 0) + (usage.cache_write or 0))


def plus(total: int | None, more: int | None) -> int | None:
    """Add what a total leaves out; what is unknown stays so."""
    return total if total is None or more is None else total + more


def completed(usage: Usage, other: Usage) -> Usage:
    """Fill the gaps in one report of a call from another report of the same call."""
    if other is NO_USAGE:
        return usage
    return Usage._make(theirs if mine is None else mine for mine, theirs in zip(usage, other, strict=True))


def agree(usage: Usage, other: Usage) -> bool:
    """Whether two reports have the same totals."""
    return (usage.input, usage.output or 0) == (other.input, other.output or 0)


def _shown(value: Value) -> str:
    shown = repr(value)
    return shown if len(shown) <= _MAX_SHOWN_CHARS and shown.isprintable() else f"{shown[:_MAX_SHOWN_CHARS]!a}..."
