"""What Prometheus reads of the prices: which catalogue, how old, and whether the user's file is in use as it is."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from llmlab.pricing.catalogue import NAME
from llmlab.pricing.catalogue.own_prices import OwnPrices
from llmlab_exporter.price_files import PriceFiles, WatchedFile


class PricesCollector(Collector):
    """What the exporter knows of its prices, for Prometheus."""

    def __init__(self, files: PriceFiles) -> None:
        self._files = files

    def collect(self) -> Iterable[Metric]:
        """Yield the metric families."""
        catalogue = self._files.catalogue
        info = InfoMetricFamily("llmlab_exporter_catalogue", "The price catalogue that calls are priced by.")
        info.add_metric([], {"name": NAME, "version": catalogue.version})
        yield info
        yield GaugeMetricFamily(
            "llmlab_exporter_catalogue_timestamp_seconds",
            "When the catalogue was fetched; for the bundled one, when its newest price began.",
            catalogue.as_of.timestamp(),
        )
        if self._files.own:
            yield from _of_file(self._files.own)


def _of_file(file: WatchedFile[OwnPrices]) -> Iterable[Metric]:
    name = "llmlab_exporter_prices_file"
    yield GaugeMetricFamily(
        f"{name}_valid", "1 when the file as it is now is in use, 0 when it is faulty.", not file.error
    )
    loaded = file.loaded_at.timestamp() if file.loaded_at else 0
    yield GaugeMetricFamily(f"{name}_loaded_timestamp_seconds", "When the prices in use were read.", loaded)
    reads = CounterMetricFamily(f"{name}_reads", "How often the file was read after a change.", labels=["result"])
    reads.add_metric(["ok"], file.loads)
    reads.add_metric(["failed"], file.failures)
    yield reads
