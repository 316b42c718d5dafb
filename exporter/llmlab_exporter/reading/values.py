"""Attribute values that can be believed: texts of bounded length, finite numbers, plausible amounts.

Whoever can send spans can send anything in them, and what is read here goes to a database, to metric labels and to a
terminal.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import cast

from llmlab_exporter.span import Value

MAX_TEXT_CHARS = 256
"""Of a model name, an id, a user. The longest model names, of Bedrock inference profiles, have about 150."""

MAX_COST_USD = Decimal(1_000_000)
"""Of one call. The dearest one possible, a million tokens at the dearest price, costs about a thousand."""

MAX_SECONDS = 10**9
"""Thirty years."""

_MAX_NUMBER_CHARS = 64


def text(value: Value) -> str:
    """Return a text of printable characters, cut after 256 of them; "" for anything else."""
    if type(value) is not str:
        return ""
    if len(value) <= MAX_TEXT_CHARS and value.isprintable():
        return value
    return "".join(filter(str.isprintable, value[: 4 * MAX_TEXT_CHARS]))[:MAX_TEXT_CHARS]


_NAMELESS = frozenset({"unknown", "none", "null", "undefined", "n/a"})


def named(value: Value) -> str:
    """Return a text that names something; "" for what libraries write where they do not know the name."""
    said = text(value)
    return "" if said.lower() in _NAMELESS else said


def texts(value: Value) -> str:
    """Return a list of texts joined by commas, also one that was written as JSON, or a single text."""
    if not isinstance(value, tuple):
        return listed(text(value))
    if len(value) == 1:
        return text(value[0])
    return text(",".join(filter(None, map(text, value[:MAX_TEXT_CHARS]))))


def truth(value: Value) -> bool | None:
    """Return a boolean, also one that was written as text by Python or JavaScript; None for anything else."""
    if value is None or isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def listed(joined: str) -> str:
    """Return what a list of texts says that was written as JSON; any other text as it is."""
    if not joined.startswith("["):
        return joined
    try:
        items = json.loads(joined)
    except (ValueError, RecursionError):
        return joined
    return texts(tuple(cast("list[Value]", items)))


def host_of(url: str) -> str:
    """Return the host name in a URL; a bare host name is returned as it is."""
    return url.rpartition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0]


def seconds(value: Value) -> float | None:
    """Return a duration from 0 to `MAX_SECONDS`, written as a number or as text; None for anything else."""
    number = decimal(value) if type(value) is str else value
    if (type(number) is float or type(number) is int) and 0 <= number <= MAX_SECONDS:
        return float(number)
    return None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def seconds_until(moment: str, start_ns: int) -> float | None:
    """Return how long after a start a moment was that is written by ISO 8601; None if it is none, or was before."""
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return None
    elapsed = (then if then.tzinfo else then.replace(tzinfo=UTC)) - _EPOCH
    elapsed_us = elapsed // _MICROSECOND - start_ns // 1000
    return seconds(elapsed_us / 1e6)


_NUMBER = re.compile(r"\d{1,20}(\.\d{1,40})?")


def decimal(said: str) -> float | None:
    """Return a number without a sign that was written as text; None for any other text."""
    return float(said) if said.isascii() and _NUMBER.fullmatch(said) else None


def amount_usd(value: Value) -> Decimal | None:
    """Return an amount from 0 to `MAX_COST_USD`, written as a number or as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > _MAX_NUMBER_CHARS:
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount <= MAX_COST_USD else None
