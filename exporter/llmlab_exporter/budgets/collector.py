"""Budgets as Prometheus reads them. It has no calendar, so the periods' state comes ready-made, as gauges."""

from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from llmlab.money import YOCTO_PER_USD
from llmlab_exporter.budgets.registry import Budgets
from llmlab_exporter.budgets.status import Status
from llmlab_exporter.budgets.tracker import Tracker
from llmlab_exporter.file_metrics import file_metrics

_LABELS = ("budget", "org", "project", "period")

_GAUGES: tuple[tuple[str, str, Callable[[Status], float | None]], ...] = (
    ("limit_usd", "The limit, in USD, for each period.", lambda status: status.budget.limit_yocto / YOCTO_PER_USD),
    ("spent_usd", "Spent in this period, in USD, as far as costs are known.", lambda status: _usd(status.spent_yocto)),
    (
        "forecast_usd",
        "What the period will have cost at its end, in USD; missing while too little is known.",
        lambda status: status.forecast.usd if status.forecast else None,
    ),
    (
        "period_start_timestamp_seconds",
        "When this period began, in Unix seconds.",
        lambda status: status.window.start_s,
    ),
    ("period_end_timestamp_seconds", "When this period ends, in Unix seconds.", lambda status: status.window.end_s),
    ("unpriced_requests", "Calls of this period whose cost is unknown.", lambda status: status.unpriced),
    (
        "unattributed_requests",
        "Calls of this period that may belong to the budget: there were too many names to tell.",
        lambda status: status.unattributed,
    ),
)


class BudgetsCollector(Collector):
    """What Prometheus is told of budgets."""

    def __init__(self, budgets: Budgets, tracker: Tracker) -> None:
        self._budgets = budgets
        self._tracker = tracker

    def collect(self) -> Iterable[Metric]:
        """Yield the metric families."""
        statuses = self._tracker.statuses()
        for name, text, value in _GAUGES:
            yield _gauge(name, text, value, statuses)
        yield _thresholds(statuses)
        cost = CounterMetricFamily(
            "llm_budget_cost_usd",
            "Cost of this exporter's calls that count towards the budget, over all periods: sum it up over exporters.",
            labels=_LABELS,
        )
        for status in statuses:
            cost.add_metric(_labels(status), _usd(status.counter_yocto))
        yield cost
        heard = [status.heard for status in statuses if status.heard]
        if heard:
            yield GaugeMetricFamily(
                "llmlab_exporter_shared_budgets_doubtful",
                "Budgets of which some part is missing or old, so that they say too little.",
                sum(bool(each.doubts) for each in heard),
            )
        yield CounterMetricFamily(
            "llmlab_exporter_budget_failures", "How often the ledger could not be read.", self._tracker.failures
        )
        if self._budgets.file:
            yield from file_metrics("budgets_file", "budgets", self._budgets.file)


def _gauge(name: str, text: str, value: Callable[[Status], float | None], statuses: Iterable[Status]) -> Metric:
    gauge = GaugeMetricFamily(f"llm_budget_{name}", text, labels=_LABELS)
    for status in statuses:
        found = value(status)
        if found is not None:
            gauge.add_metric(_labels(status), found)
    return gauge


def _thresholds(statuses: Iterable[Status]) -> Metric:
    gauge = GaugeMetricFamily(
        "llm_budget_threshold_ratio", "Parts of the limit at which to alert.", labels=(*_LABELS, "threshold")
    )
    for status in statuses:
        for threshold in status.budget.thresholds:
            gauge.add_metric((*_labels(status), f"{threshold:f}"), float(threshold / 100))
    return gauge


def _labels(status: Status) -> tuple[str, ...]:
    budget = status.budget
    return budget.name, budget.scope.org, budget.scope.project, budget.period


def _usd(yocto: int) -> float:
    return yocto / YOCTO_PER_USD
