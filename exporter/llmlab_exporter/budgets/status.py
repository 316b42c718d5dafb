"""What is to be said of a budget at a moment."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from llmlab.budgets import Budget, Window
from llmlab.money import YOCTO_PER_USD
from llmlab_exporter.budgets.forecast import HOUR_S, Course, Forecast, burn_rate, forecast
from llmlab_exporter.budgets.shared.others import Heard
from llmlab_exporter.budgets.shared.share import Share, combined
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
    """Cost of this exporter's calls since it watches the budget, over all periods; never falls."""
    heard: Heard | None = None
    """What is known of other exporters' parts; None when budgets are not shared."""

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
        return bool(self.unpriced or self.unattributed or self.since_s or (self.heard and self.heard.doubts))

    def _is_reached(self, percent: Decimal) -> bool:
        return self.spent_yocto * 100 >= self.budget.limit_yocto * percent


def status_of(watch: Watch, source: str, now: float, heard: Heard | None = None) -> Status:
    """Say how a budget stands: with what other exporters have of it, where budgets are shared."""
    budget = watch.budget
    share = combined(watch.share(), heard.shares if heard else ())
    since_s = share.since_s if share.since_s > share.window.start_s else None
    return Status(
        budget=budget,
        source=source,
        now=now,
        window=share.window,
        since_s=since_s,
        spent_yocto=share.sums.cost_yocto,
        requests=share.sums.requests,
        unpriced=share.sums.unpriced,
        unattributed=share.sums.unattributed,
        forecast=forecast(_course(budget, share, now)),
        burn_rate=_burn_rate(budget, share, now),
        counter_yocto=watch.counter_yocto,
        heard=heard,
    )


def _course(budget: Budget, share: Share, now: float) -> Course:
    sums, start_s = share.sums, share.window.start_s
    return Course(
        window=share.window,
        zone=budget.zone,
        now=now,
        limit_usd=budget.limit_yocto / YOCTO_PER_USD,
        spent_usd=sums.cost_yocto / YOCTO_PER_USD,
        calls=sums.requests - sums.unpriced,
        since_s=max(start_s, share.since_s, now if share.first_s is None else share.first_s),
        hours=share.hours,
    )


def _burn_rate(budget: Budget, share: Share, now: float) -> float:
    """Look at the last hour, begun a little earlier with a whole quarter of an hour."""
    begin_s = (now - HOUR_S) // BUCKET_S * BUCKET_S
    spent = sum(usd for at_s, usd in share.quarters.items() if begin_s <= at_s <= now)
    return burn_rate(spent, now - begin_s, budget.limit_yocto / YOCTO_PER_USD, share.window)
