"""What one ledger has of a budget, and the sum of what several have."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar, cast

import orjson

from llmlab.budgets import Budget, Window

Key = TypeVar("Key")


@dataclass(slots=True)
class Sums:
    """Calls of one period that count towards a budget."""

    requests: int = 0
    unpriced: int = 0
    cost_yocto: int = 0
    unattributed: int = 0
    """Calls that may count too: the ledger had too many names to tell what they belong to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What is known of a budget's calls: the sums of its period, and what the last weeks did."""

    window: Window
    sums: Sums = field(default_factory=Sums)
    since_s: int = 0
    """Since when its calls are known, Unix seconds; 0 when ever since."""
    first_s: int | None = None
    """When the first call was made that is remembered, Unix seconds."""
    quarters: Mapping[int, float] = field(default_factory=dict[int, float])
    """USD by the start of the quarter of an hour, for the last two hours."""
    hours: Mapping[int, float] = field(default_factory=dict[int, float])
    """USD by the number of the hour since 1970, for the last weeks."""


def identity(budget: Budget) -> str:
    """Name a budget by what it counts, whatever it is called and whatever its limit."""
    return orjson.dumps([budget.period, budget.zone, sorted(budget.scope)]).decode()


def combined(own: Share, others: Iterable[Share]) -> Share:
    """Add shares up. The sums of another period do not count in this one; what the last weeks did always does."""
    shares = (own, *others)
    current = [share for share in shares if share.window == own.window]
    starts = [share.first_s for share in shares if share.first_s is not None]
    return Share(
        window=own.window,
        sums=Sums(
            requests=sum(share.sums.requests for share in current),
            unpriced=sum(share.sums.unpriced for share in current),
            cost_yocto=sum(share.sums.cost_yocto for share in current),
            unattributed=sum(share.sums.unattributed for share in current),
        ),
        since_s=max(share.since_s for share in shares),
        first_s=min(starts, default=None),
        quarters=_added(share.quarters for share in shares),
        hours=_added(share.hours for share in shares),
    )


def dump(share: Share) -> str:
    """Write a share without its hours. Costs are text, since they exceed what JSON's numbers hold."""
    sums = asdict(share.sums) | {"cost_yocto": str(share.sums.cost_yocto)}
    written = {
        **sums,
        "window": list(share.window),
        "since_s": share.since_s,
        "first_s": share.first_s,
        "quarters": {str(at_s): usd for at_s, usd in share.quarters.items()},
    }
    return orjson.dumps(written).decode()


def load(text: str, hours: Mapping[int, float]) -> Share:
    """Read what `dump` wrote. Raises `ValueError` when it is something else."""
    try:
        written: dict[str, Any] = orjson.loads(text)
        start_s, end_s = written["window"]
        first_s = written["first_s"]
        return Share(
            window=Window(int(start_s), int(end_s)),
            sums=Sums(
                requests=int(written["requests"]),
                unpriced=int(written["unpriced"]),
                cost_yocto=int(written["cost_yocto"]),
                unattributed=int(written["unattributed"]),
            ),
            since_s=int(written["since_s"]),
            first_s=None if first_s is None else int(first_s),
            quarters=_numbers(written["quarters"]),
            hours=hours,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no share of a budget: {error!r}") from error


def dump_hours(share: Share) -> str:
    """Write the hours of a share, which are many and are of use when they are a minute old."""
    return orjson.dumps({str(hour): usd for hour, usd in share.hours.items()}).decode()


def load_hours(text: str) -> dict[int, float]:
    """Read what `dump_hours` wrote. Raises `ValueError` when it is something else."""
    try:
        return _numbers(orjson.loads(text))
    except (TypeError, AttributeError) as error:
        raise ValueError(f"no hours of a budget: {error!r}") from error


def _numbers(written: object) -> dict[int, float]:
    return {int(at): float(usd) for at, usd in cast("dict[str, Any]", written).items()}


def _added(parts: Iterable[Mapping[Key, float]]) -> dict[Key, float]:
    total: dict[Key, float] = {}
    for part in parts:
        for key, usd in part.items():
            total[key] = total.get(key, 0.0) + usd
    return total
