"""What Prometheus reads of a file that is followed: whether it is in use as it is."""

from collections.abc import Iterable
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from llmlab_exporter.watched_file import WatchedFile


def file_metrics(name: str, content: str, file: WatchedFile[Any]) -> Iterable[Metric]:
    """Yield the metric families of a file, under `llmlab_exporter_` and a name. `content` is what is read from it."""
    name = f"llmlab_exporter_{name}"
    yield GaugeMetricFamily(
        f"{name}_valid", "1 when the file as it is now is in use, 0 when it is faulty.", not file.error
    )
    loaded = file.loaded_at.timestamp() if file.loaded_at else 0
    yield GaugeMetricFamily(f"{name}_loaded_timestamp_seconds", f"When the {content} in use were read.", loaded)
    reads = CounterMetricFamily(f"{name}_reads", "How often the file was read after a change.", labels=["result"])
    reads.add_metric(["ok"], file.loads)
    reads.add_metric(["failed"], file.failures)
    yield reads
