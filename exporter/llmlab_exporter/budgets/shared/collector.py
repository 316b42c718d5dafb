"""How well budgets are shared, for Prometheus."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from llmlab_exporter.budgets.shared.presence import GONE, LOST, RUNNING, STOPPED
from llmlab_exporter.budgets.shared.sharing import Sharing

_PREFIX = "llmlab_exporter_shared_budgets"


class SharingCollector(Collector):
    """What Prometheus is told of sharing."""

    def __init__(self, sharing: Sharing) -> None:
        self._sharing = sharing

    def collect(self) -> Iterable[Metric]:
        """Yield the metric families."""
        sharing, others = self._sharing, self._sharing.others
        states = [others.state(other.presence) for other in others.known.values()]
        exporters = GaugeMetricFamily(
            f"{_PREFIX}_exporters",
            "Other exporters whose part of the budgets is known, by state.",
            labels=["state"],
        )
        for state in (RUNNING, LOST, STOPPED, GONE):
            exporters.add_metric([state], states.count(state))
        yield exporters
        for name, text, value in (
            ("connected", "1 when Redis has answered lately.", others.is_connected),
            ("oldest_part_age_seconds", "Age of the oldest part that may still grow.", others.oldest_s()),
            ("same_id", "1 when another process publishes under the id of this exporter.", bool(others.problem)),
            ("file_differs", "1 when another exporter has other budgets in its file.", bool(sharing.differing_files)),
            ("clock_skew_seconds", "How far the clock of Redis is ahead.", others.skew_s),
        ):
            yield GaugeMetricFamily(f"{_PREFIX}_{name}", text, value)
        yield CounterMetricFamily(
            f"{_PREFIX}_failures", "How often Redis or the ledger did not answer.", sharing.failures
        )
