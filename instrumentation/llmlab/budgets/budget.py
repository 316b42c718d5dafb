"""A budget: a limit on what the calls of a scope cost in a period."""

import re
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256

from llmlab.budgets.amounts import YOCTO_PER_NANO
from llmlab.budgets.periods import Period, Window, window_at
from llmlab.budgets.scope import EVERYTHING, Scope

DEFAULT_THRESHOLDS = (Decimal(50), Decimal(80), Decimal(100))
MAX_NAME_CHARS = 80

_FULL = Decimal(100)
_MARK_CHARS = 6
"""Of a hash, which tells names apart that lost characters."""
_BY_PERIOD = {
    "day": "daily",
    "week": "weekly",
    "month": "monthly",
    "hour": "hourly",
    "run": "per-run",
    "total": "total",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One budget. Its limit holds for each period anew."""

    name: str
    limit_nano: int
    """Nano-USD, above 0."""
    period: Period = "month"
    zone: str = "UTC"
    """IANA name of the time zone in which days begin."""
    scope: Scope = EVERYTHING
    thresholds: tuple[Decimal, ...] = DEFAULT_THRESHOLDS
    """Percent of the limit at which to alert, ascending, each above 0."""
    hard: bool = False
    """Whether it stops calls."""

    @property
    def limit_yocto(self) -> int:
        """The limit in the unit of costs, yocto-USD."""
        return self.limit_nano * YOCTO_PER_NANO

    @property
    def warning(self) -> Decimal:
        """The percentage from which the limit is near: the last threshold below 100, else the first."""
        below = [threshold for threshold in self.thresholds if threshold < _FULL]
        return below[-1] if below else self.thresholds[0]

    def window(self, at_s: float) -> Window | None:
        """Return the period that a moment (Unix seconds) lies in; None when it is not cut out of time."""
        return window_at(self.period, self.zone, at_s)


def default_name(period: Period, scope: Scope) -> str:
    """Name a budget by what it limits: `monthly`, `daily-project-web`, so that setting it again changes it."""
    said = "-".join([_BY_PERIOD[period], *(f"{name}-{value}" for name, value in scope)]).lower()
    name = re.sub(r"[^a-z0-9._-]+", "-", said)
    if name == said and len(name) <= MAX_NAME_CHARS:
        return name
    mark = sha256(said.encode()).hexdigest()[:_MARK_CHARS]
    return f"{name[: MAX_NAME_CHARS - _MARK_CHARS - 1].rstrip('-')}-{mark}"
