"""What is to be said of a budget at a moment."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from llmlab.budgets import Budget, Window
from llmlab.money import YOCTO_PER_USD
from llmlab_exporter.budgets.forecast import HOUR_S, Course, Forecast, burn_rate, forecast
from llmlab_exporter.budgets.watch import Watch
from llmlab_exporter.tally import BUCKET_S

_CENT_OF_PERCENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How much of a budget is spent, and where it leads."""

    budget: Budget
    source: str
    now: float
    window: Window
    since_s: int | None
    """When the spend begins to be known, if that is after the period's start."""
    spent_yocto: int
    """A lower bound when calls are unpriced or unattributed."""
    requests: int
    unpriced: int
    unattributed: int
    """Calls that may belong to it: there were too many names to tell."""
    forecast: Forecast | None
    burn_rate: float
    """Pace of the last hour, where 1 uses up the limit exactly at the period's end."""
    counter_yocto: int
    """Cost of calls since the budget is watched, over all periods; never falls."""

    @property
    def percentage(self) -> Decimal:
        """Percent of the limit, rounded down to two decimals, so that 100 is not said before it is reached."""
        exact = Decimal(self.spent_yocto * 100) / Decimal(self.budget.limit_yocto)
        return exact.quantize(_CENT_OF_PERCENT, ROUND_DOWN)

    @property
    def reached(self) -> list[Decimal]:
        """The thresholds that are reached."""
        return [each for each in self.budget.thresholds if self._is_reached(each)]

    @property
    def is_near(self) -> bool:
        """Whether the limit is near or passed."""
        return self._is_reached(self.budget.warning)

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return self.spent_yocto >= self.budget.limit_yocto

    @property
    def is_lower_bound(self) -> bool:
        """Whether more was spent, or may have been, than is known."""
        return bool(self.unpriced or self.unattributed or self.since_s)

    def _is_reached(self, percent: Decimal) -> bool:
        return self.spent_yocto * 100 >= self.budget.limit_yocto * percent


def status_of(watch: Watch, source: str, now: float) -> Status:
    """Say how a budget stands."""
    sums = watch.sums
    since_s = watch.since_s if watch.since_s > watch.window.start_s else None
    return Status(
        budget=watch.budget,
        source=source,
        now=now,
        window=watch.window,
        since_s=since_s,
        spent_yocto=sums.cost_yocto,
        requests=sums.requests,
        unpriced=sums.unpriced,
        unattributed=sums.unattributed,
        forecast=forecast(_course(watch, now)),
        burn_rate=_burn_rate(watch, now),
        counter_yocto=watch.counter_yocto,
    )


def _course(watch: Watch, now: float) -> Course:
    sums, start_s = watch.sums, watch.window.start_s
    return Course(
        window=watch.window,
        zone=watch.budget.zone,
        now=now,
        limit_usd=watch.budget.limit_yocto / YOCTO_PER_USD,
        spent_usd=sums.cost_yocto / YOCTO_PER_USD,
        calls=sums.requests - sums.unpriced,
        since_s=max(start_s, watch.since_s, now if watch.first_s is None else watch.first_s),
        hours=watch.hours,
    )


def _burn_rate(watch: Watch, now: float) -> float:
    """Look at the last hour, begun a little earlier with a whole quarter of an hour."""
    begin_s = (now - HOUR_S) // BUCKET_S * BUCKET_S
    spent = sum(usd for at_s, usd in watch.quarters.items() if begin_s <= at_s <= now)
    return burn_rate(spent, now - begin_s, watch.budget.limit_yocto / YOCTO_PER_USD, watch.window)
