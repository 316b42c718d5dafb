"""What calls add up to: the counters behind the metrics and the summaries, per series and quarter of an hour."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

from llmlab.pricing import Priced
from llmlab_exporter.assess import Line
from llmlab_exporter.call import Call

BUCKET_S = 900
"""Spend is kept per quarter of an hour: every time zone in use is a multiple of it away from UTC, so that a day
anywhere is a whole number of buckets."""
_BUCKET_NS = BUCKET_S * 10**9

LATENCY_BOUNDS_S = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
"""Upper bounds of `llm_request_duration_seconds`, between an embedding and a long reasoning call."""


class Series(NamedTuple):
    """The labels that spend is told apart by; no more, so that their number stays bounded."""

    org: str
    project: str
    service_name: str
    environment: str
    provider: str
    model: str
    operation: str
    outcome: str


MAX_SAMPLINGS = 16
"""Beyond so many thresholds in one sum, new ones are counted under 0: an application samples at one, or a few."""


class Sampled(NamedTuple):
    """Calls of one sampling threshold, as measured: nothing is extrapolated here."""

    requests: int
    cost_yocto: int


class FeatureSum(NamedTuple):
    """Calls of one feature, a part of a tally."""

    requests: int
    unpriced: int
    cost_yocto: int


BESIDE = frozenset({"latency", "sampled", "features"})
"""Those fields of a tally that are no single number."""


@dataclass(slots=True)
class Tally:
    """Sums over the calls of one series. Token sums count only what was reported."""

    requests: int = 0
    priced: int = 0
    """Calls whose cost is known; failed calls that cost nothing are neither priced nor unpriced."""
    unpriced: int = 0
    """Billable calls whose cost nobody knows. They are not part of `cost_yocto`."""
    estimated: int = 0
    """Those of `priced` whose cost is an estimate."""
    provider_priced: int = 0
    """Those of `priced` whose cost the provider itself returned."""
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    cost_yocto: int = 0
    duration_ns: int = 0
    latency: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_S) + 1))
    """Calls per latency bucket, not cumulated; the last one is above every bound."""
    sampled: "dict[int, Sampled] | None" = None
    """Those of the calls that stand for others, by their sampling threshold; 0 where it is one of too many."""
    features: "dict[str, FeatureSum] | None" = None
    """Those of the calls that say what they are for, by the name of the feature."""

    def count(self, call: Call, priced: Priced) -> None:
        """Add one call."""
        self.requests += 1
        if priced.cost_yocto is not None:
            self.priced += 1
            self.cost_yocto += priced.cost_yocto
            if priced.source != "computed":
                self.estimated += priced.source == "estimated"
                self.provider_priced += priced.source == "provider"
        elif call.reading.billable:
            self.unpriced += 1
        usage = call.reading.usage
        self.input += usage.input or 0
        self.output += usage.output or 0
        self.cache_read += usage.cache_read or 0
        self.cache_write += usage.cache_write or 0
        self.reasoning += usage.reasoning or 0
        duration_ns = call.end_ns - call.start_ns
        self.duration_ns += duration_ns
        self.latency[bisect_left(LATENCY_BOUNDS_S, duration_ns / 1e9)] += 1
        if call.sampling_threshold:
            self.count_sampled(call.sampling_threshold, Sampled(1, priced.cost_yocto or 0))
        if call.reading.feature:
            is_unpriced = priced.cost_yocto is None and call.reading.billable
            self.count_feature(call.reading.feature, FeatureSum(1, int(is_unpriced), priced.cost_yocto or 0))

    def count_sampled(self, threshold: int, calls: "Sampled") -> None:
        """Add calls, which are counted otherwise already, to those that stand for others."""
        self.sampled = add_sampled(self.sampled or {}, {threshold: calls}) or None

    def count_feature(self, feature: str, calls: FeatureSum) -> None:
        """Add calls, which are counted otherwise already, to those of a feature."""
        if self.features is None:
            self.features = {}
        _add_feature(self.features, feature, calls)
        self.features = self.features or None

    def add(self, other: "Tally") -> None:
        """Add the calls of another tally."""
        self.requests += other.requests
        self.priced += other.priced
        self.unpriced += other.unpriced
        self.estimated += other.estimated
        self.provider_priced += other.provider_priced
        self.input += other.input
        self.output += other.output
        self.cache_read += other.cache_read
        self.cache_write += other.cache_write
        self.reasoning += other.reasoning
        self.cost_yocto += other.cost_yocto
        self.duration_ns += other.duration_ns
        self.latency = [mine + theirs for mine, theirs in zip(self.latency, other.latency, strict=True)]
        if other.sampled:
            self.sampled = add_sampled(self.sampled or {}, other.sampled) or None
        if other.features:
            self.features = add_features(self.features or {}, other.features) or None

    def take_debt(self, debt: "Tally") -> "Tally":
        """Pay a debt, field by field, keep what is left, at least 0, and return what could not be paid."""
        unpaid = Tally()
        for name in Tally.__dataclass_fields__:
            if name not in BESIDE:
                left = getattr(self, name) - getattr(debt, name)
                setattr(self, name, max(left, 0))
                setattr(unpaid, name, max(-left, 0))
        left = [mine - owed for mine, owed in zip(self.latency, debt.latency, strict=True)]
        self.latency = [max(count, 0) for count in left]
        unpaid.latency = [max(-count, 0) for count in left]
        return unpaid

    def subtract(self, other: "Tally") -> None:
        """Take the calls of another tally away; what is left may be negative."""
        for name in Tally.__dataclass_fields__:
            if name not in BESIDE:
                setattr(self, name, getattr(self, name) - getattr(other, name))
        self.latency = [mine - theirs for mine, theirs in zip(self.latency, other.latency, strict=True)]
        if other.sampled:
            negative = {threshold: Sampled(-calls, -cost) for threshold, (calls, cost) in other.sampled.items()}
            self.sampled = add_sampled(self.sampled or {}, negative) or None
        if other.features:
            taken = {name: FeatureSum(*(-each for each in calls)) for name, calls in other.features.items()}
            self.features = add_features(self.features or {}, taken) or None


def add_sampled(these: dict[int, Sampled], those: dict[int, Sampled]) -> dict[int, Sampled]:
    """Add up calls that stand for others, threshold by threshold."""
    added = these.copy()
    for threshold, calls in those.items():
        kept = threshold if threshold in added or len(added) < MAX_SAMPLINGS else 0
        requests, cost_yocto = added.get(kept, _NOTHING)
        added[kept] = Sampled(requests + calls.requests, cost_yocto + calls.cost_yocto)
        if added[kept] == _NOTHING:
            del added[kept]
    return added


_NOTHING = Sampled(0, 0)


def add_features(these: dict[str, FeatureSum], those: Mapping[str, FeatureSum]) -> dict[str, FeatureSum]:
    """Add up calls, feature by feature; what is nothing then is left out."""
    added = these.copy()
    for feature, calls in those.items():
        _add_feature(added, feature, calls)
    return added


def _add_feature(sums: dict[str, FeatureSum], feature: str, calls: FeatureSum) -> None:
    requests, unpriced, cost_yocto = sums.get(feature, _NO_CALLS)
    total = FeatureSum(requests + calls.requests, unpriced + calls.unpriced, cost_yocto + calls.cost_yocto)
    if total == _NO_CALLS:
        sums.pop(feature, None)
    else:
        sums[feature] = total


_NO_CALLS = FeatureSum(0, 0, 0)


_labels: Callable[[Call], tuple[str, ...]] = itemgetter(
    *map(Call._fields.index, ("org", "project", "service", "environment", "provider", "model"))
)


def series_of(call: Call) -> Series:
    """Return the series that a call belongs to."""
    return Series._make((*_labels(call), call.reading.operation, call.outcome))


Tallies = dict[tuple[int, Series], Tally]
"""By the bucket's start (Unix seconds) and the series."""


def tally(lines: Iterable[Line]) -> Tallies:
    """Sum up calls by series and by the quarter of an hour in which they ended.

    Spans that repeat or surround a billed call are stored but not counted: they were no requests.
    """
    tallies: dict[tuple[int, tuple[str, ...], str, str], Tally] = {}
    for call, priced, duplicate_of, _, _, _ in lines:
        reading = call.reading
        if duplicate_of or not (reading.billable or reading.error):
            continue
        place = call.end_ns // _BUCKET_NS, _labels(call), reading.operation, call.outcome
        found = tallies.get(place)
        if found is None:
            found = tallies[place] = Tally()
        found.count(call, priced)
    return {
        (bucket * BUCKET_S, Series._make((*labels, operation, outcome))): found
        for (bucket, labels, operation, outcome), found in tallies.items()
    }
