"""A budget from what people write, and everything that is wrong with it, in words and with its place.

The same rules hold for a file, a request and the command line. What they write is plain: texts, numbers, lists,
mappings.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, Final, NamedTuple, TypeVar, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from llmlab.budgets.amounts import nano_usd
from llmlab.budgets.budget import DEFAULT_THRESHOLDS, MAX_NAME_CHARS, Budget, default_name
from llmlab.budgets.periods import PERIODS, Period
from llmlab.budgets.scope import DIMENSIONS, Scope
from llmlab.errors import LLMLabError

SOFT_PERIODS = ("day", "week", "month")
SOFT_DIMENSIONS = ("org", "project", "service", "environment", "provider", "model", "feature")
FIELDS = ("name", "limit", "period", "time_zone", "scope", "thresholds")
MAX_THRESHOLDS = 10
MAX_VALUE_CHARS = 256

_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME_CHARS - 1}}}")
_SPELLINGS = {"daily": "day", "weekly": "week", "monthly": "month"}
_RESERVED: Final = ("set", "list", "status", "rm", "exporters")

P = TypeVar("P")
T = TypeVar("T")
Path = tuple[str | int, ...]


class Fault(NamedTuple):
    """What is wrong with a budget, where, and what would be right."""

    path: Path
    """Keys and positions that lead to it."""
    what: str
    hint: str
    is_key: bool = False
    """Whether the key itself is wrong, not what it says."""


class BadBudget(LLMLabError):
    """What was written is no budget."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.what for fault in faults))
        self.faults = tuple(faults)


class Wrong(BadBudget):
    """One thing that was written is wrong."""

    def __init__(self, what: str, hint: str, *path: str | int, is_key: bool = False) -> None:
        super().__init__([Fault(path, what, hint, is_key)])


def read_budget(written: object, name: str = "") -> Budget:
    """Read a budget from a mapping with `limit` and perhaps the other `FIELDS`.

    With `name`, it is the budget's, and the mapping must not say another. Without either, it is named by its limits.
    Raises `BadBudget` with everything that is wrong.
    """
    if not isinstance(written, Mapping):
        raise BadBudget([Fault((), f"{shown(written)} is no budget", "write a mapping such as {limit: 1000}")])
    fields = cast("Mapping[object, object]", written)
    known = FIELDS[1:] if name else FIELDS
    faults: list[Fault] = [
        Fault((str(key),), f"unknown key {shown(key)}", _nearest(str(key), known), is_key=True)
        for key in fields
        if key not in known
    ]

    def field(key: str, read: Callable[[Any], T], default: T) -> T:
        if key not in fields:
            return default
        try:
            return read(fields[key])
        except BadBudget as bad:
            faults.extend(fault._replace(path=(key, *fault.path)) for fault in bad.faults)
            return default

    if "limit" not in fields:
        faults.append(Fault((), "there is no limit", "write limit: and an amount in USD, such as limit: 1000"))
    limit_nano = field("limit", _limit, 1)
    period: Period = field("period", _period, "month")
    zone = field("time_zone", _zone, "UTC")
    scope = field("scope", _scope, Scope())
    thresholds = field("thresholds", _thresholds, DEFAULT_THRESHOLDS)
    said = name or field("name", read_name, "")
    if faults:
        raise BadBudget(faults)
    return Budget(
        name=said or default_name(period, scope),
        limit_nano=limit_nano,
        period=period,
        zone=zone,
        scope=scope,
        thresholds=thresholds,
    )


def read_name(value: object) -> str:
    """Read the name of a budget. Raises `Wrong`."""
    text = _text(value, "write a short name such as monthly")
    if not _NAME.fullmatch(text):
        raise Wrong(
            f"{shown(text)} is no name for a budget",
            f"up to {MAX_NAME_CHARS} letters, digits, '.', '_' and '-', beginning with a letter or digit",
        )
    if text in _RESERVED:
        raise Wrong(f"{shown(text)} is what a command is called", "choose another name")
    return text


def shown(value: object) -> str:
    """Return a value, short enough for a message."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None or value == "":
        return "nothing"
    text = value if isinstance(value, str) else str(value)
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def _nearest(word: str, known: Sequence[str]) -> str:
    found = get_close_matches(word.lower(), known, 1)
    return f"did you mean {found[0]}?" if found else f"known are {', '.join(known)}"


def _all(reads: Iterable[tuple[Callable[[P, object], T], P, object]]) -> list[T]:
    """Read several things, and raise what is wrong with all of them together."""
    found: list[T] = []
    faults: list[Fault] = []
    for read, place, value in reads:
        try:
            found.append(read(place, value))
        except BadBudget as bad:
            faults += bad.faults
    if faults:
        raise BadBudget(faults)
    return found


def _text(value: object, hint: str, *path: str) -> str:
    if isinstance(value, str) and value and len(value) <= MAX_VALUE_CHARS and value.isprintable():
        return value
    raise Wrong(f"{shown(value)} stands where a text of up to {MAX_VALUE_CHARS} characters is expected", hint, *path)


def _number(value: object) -> str | None:
    """Return a number as text; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    return (
        value.strip() if isinstance(value, str) else f"{Decimal(repr(value) if isinstance(value, float) else value):f}"
    )


def _limit(value: object) -> int:
    try:
        return nano_usd(_number(value) or "")
    except (ValueError, InvalidOperation) as error:
        raise Wrong(f"the limit is {shown(value)}", str(error)) from error


def _period(value: object) -> Period:
    text = _text(value, f"write one of {', '.join(SOFT_PERIODS)}").lower()
    period = _SPELLINGS.get(text, text)
    if period in SOFT_PERIODS:
        return cast("Period", period)
    if period in PERIODS:
        what = f"a budget by {period} is for stopping calls, which this version does not do yet"
        raise Wrong(what, f"choose {', '.join(SOFT_PERIODS)}")
    raise Wrong(f"{shown(value)} is no period", _nearest(period, SOFT_PERIODS))


def _zone(value: object) -> str:
    text = _text(value, "write an IANA time zone such as Europe/Berlin")
    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        near = get_close_matches(text, available_timezones(), 1)
        hint = f"did you mean {near[0]}?" if near else "write a name such as Europe/Berlin"
        raise Wrong(f"{shown(text)} is not an IANA time zone", hint) from error


def _scope(value: object) -> Scope:
    if not isinstance(value, Mapping):
        raise Wrong(f"{shown(value)} stands where a scope is expected", "write a mapping such as {project: web}")
    limits = cast("Mapping[object, object]", value)
    return Scope(**dict(_all((_limited, str(name), wanted) for name, wanted in limits.items())))


def _limited(name: str, value: object) -> tuple[str, str]:
    if name in SOFT_DIMENSIONS:
        return name, _text(value, f"write {name}: and a name", name)
    if name in DIMENSIONS:
        what = f"a budget by {name} is for stopping calls, which this version does not do yet"
        raise Wrong(what, f"limit it by {', '.join(SOFT_DIMENSIONS)}", name, is_key=True)
    raise Wrong(f"unknown key {shown(name)}", _nearest(name, SOFT_DIMENSIONS), name, is_key=True)


def _thresholds(value: object) -> tuple[Decimal, ...]:
    if not isinstance(value, list | tuple) or not value:
        what = f"{shown(value)} stands where thresholds are expected"
        raise Wrong(what, "write percentages such as [50, 80, 100]")
    listed = cast("Sequence[object]", value)
    if len(listed) > MAX_THRESHOLDS:
        raise Wrong(f"there are {len(listed)} thresholds", f"{MAX_THRESHOLDS} are enough")
    return tuple(sorted(set(_all((_threshold, place, each) for place, each in enumerate(listed)))))


def _threshold(place: int, value: object) -> Decimal:
    hint = "write percentages such as [50, 80, 100]"
    try:
        percent = Decimal((_number(value) or "").removesuffix("%"))
    except InvalidOperation as error:
        raise Wrong(f"{shown(value)} is no percentage", hint, place) from error
    if not percent.is_finite() or not 0 < percent <= 1000 or percent != round(percent, 3):
        raise Wrong(f"{shown(value)} is no percentage from 0.001 to 1000", hint, place)
    return Decimal(f"{percent.normalize():f}")  # 100, not 1E+2
