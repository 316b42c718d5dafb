"""One budget and its sums: what its period has cost so far, and what the last weeks did hour by hour."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from llmlab.budgets import Budget, Window
from llmlab.budgets.scope import fits
from llmlab.money import YOCTO_PER_USD
from llmlab_exporter.budgets.forecast import HOUR_S, PROFILE_WEEKS, WEEK_S
from llmlab_exporter.budgets.shared.share import Share, Sums
from llmlab_exporter.budgets.spending import Limits, Part
from llmlab_exporter.ledger.features import OTHER
from llmlab_exporter.tally import BUCKET_S, FeatureSum, Series

HISTORY_S = PROFILE_WEEKS * WEEK_S + 24 * HOUR_S
RECENT_S = 2 * HOUR_S
"""How long quarters of an hour are told apart, for the burn rate."""

_NONE = FeatureSum(0, 0, 0)


@dataclass(slots=True, eq=False)
class Watch:
    """A budget's sums. They follow what the ledger commits; whoever made the watch also keeps it in order."""

    budget: Budget
    window: Window
    sums: Sums = field(default_factory=Sums)
    since_s: int = 0
    """Since when its calls are known; 0 when ever since."""
    hours: dict[int, float] = field(default_factory=dict[int, float])
    """USD by the number of the hour since 1970."""
    quarters: dict[int, float] = field(default_factory=dict[int, float])
    """USD by the start of the quarter of an hour, for the last two hours."""
    first_s: int | None = None
    """When the first call was made that is remembered, Unix seconds."""
    counter_yocto: int = 0
    """Cost of calls since this watch began, which never falls."""
    is_loaded: bool = False
    """Whether it holds what was spent before it was watched."""
    _net_yocto: int = 0

    def concerns(self, call: Mapping[str, str]) -> bool | None:
        """Whether calls with some labels count, whatever their feature; None when some of them may."""
        is_certain = True
        for name, wanted in self.budget.scope:
            if name != "feature" and not fits(name, wanted, call[name]):
                if call[name] != OTHER:
                    return False
                is_certain = False
        return is_certain or None

    def has_ended(self, now: float) -> bool:
        """Whether its period is another one now."""
        return not self.window.start_s <= now < self.window.end_s

    def reset(self) -> None:
        """Forget the last weeks, to read them anew."""
        self.hours, self.quarters, self.first_s = {}, {}, None

    def start(self, window: Window, limits: Limits) -> None:
        """Begin a period at zero."""
        self.window = window
        self.sums = Sums()
        self.since_s = limits.spend_s
        if feature := self.budget.scope.feature:
            self.since_s = max(self.since_s, limits.features_s, limits.by_feature.get(feature, 0))

    def add(self, part: Part, *, is_certain: bool, is_new: bool) -> None:
        """Take in what was committed. `is_new` is False where only the price of calls changed."""
        if part.bucket < self.since_s:
            return
        if self.window.start_s <= part.bucket < self.window.end_s:
            self.add_sum(part, is_certain=is_certain)
        if not is_certain:
            return
        cost_yocto = self._counted(part).cost_yocto
        if cost_yocto:
            self._remember(part.bucket, cost_yocto)
        if is_new:
            self._net_yocto += cost_yocto
            self.counter_yocto = max(self.counter_yocto, self._net_yocto)

    def add_sum(self, part: Part, *, is_certain: bool) -> None:
        """Take in what was spent in this period."""
        calls = self._counted(part)
        if not is_certain:
            self.sums.unattributed += calls.requests
            return
        self.sums.requests += calls.requests
        self.sums.unpriced += calls.unpriced
        self.sums.cost_yocto += calls.cost_yocto
        if self.budget.scope.feature and OTHER in part.features and not self.tells(OTHER):
            self.sums.unattributed += part.features[OTHER].requests

    def add_history(self, part: Part) -> None:
        """Take in what was spent in some quarter or hour of the last weeks."""
        if part.bucket >= self.since_s and (cost_yocto := self._counted(part).cost_yocto):
            self._remember(part.bucket, cost_yocto)

    def tells(self, feature: str) -> bool:
        """Whether calls of a feature count."""
        wanted = self.budget.scope.feature
        return bool(wanted) and fits("feature", wanted, feature)

    def share(self) -> Share:
        """Return what is known of its calls, as it is now."""
        return Share(
            window=self.window,
            sums=replace(self.sums),
            since_s=self.since_s,
            first_s=self.first_s,
            quarters=dict(self.quarters),
            hours=dict(self.hours),
        )

    def _remember(self, bucket: int, cost_yocto: int) -> None:
        usd = cost_yocto / YOCTO_PER_USD
        hour = bucket // HOUR_S
        self.hours[hour] = self.hours.get(hour, 0.0) + usd
        self.quarters[bucket] = self.quarters.get(bucket, 0.0) + usd
        if self.first_s is None or bucket < self.first_s:
            self.first_s = bucket

    def _counted(self, part: Part) -> Part | FeatureSum:
        """Return what counts of a part."""
        if not self.budget.scope.feature:
            return part
        fitting = [calls for name, calls in part.features.items() if self.tells(name)]
        if len(fitting) == 1:
            return fitting[0]
        return FeatureSum(*(sum(each) for each in zip(_NONE, *fitting, strict=True)))

    def forget_old(self, now: float) -> None:
        """Drop what is no longer asked for."""
        oldest_hour = (now - HISTORY_S) // HOUR_S
        if len(self.hours) > HISTORY_S // HOUR_S:
            self.hours = {hour: usd for hour, usd in self.hours.items() if hour >= oldest_hour}
        if len(self.quarters) > RECENT_S // BUCKET_S:
            self.quarters = {at_s: usd for at_s, usd in self.quarters.items() if at_s >= now - RECENT_S}


def window_of(budget: Budget, now: float) -> Window:
    """Return the period that it is now. Raises ValueError for a budget whose period is not cut out of time."""
    window = budget.window(now)
    if window is None:
        raise ValueError(f"a budget by {budget.period} cannot be watched")
    return window


def labels(series: Series) -> Mapping[str, str]:
    """Return what a series says of its calls, by the dimensions of scopes."""
    return {
        "org": series.org,
        "project": series.project,
        "service": series.service_name,
        "environment": series.environment,
        "provider": series.provider,
        "model": series.model,
    }


def is_same_calls(one: Budget, other: Budget) -> bool:
    """Whether two budgets count the same calls in the same periods."""
    return (one.period, one.zone, one.scope) == (other.period, other.zone, other.scope)
