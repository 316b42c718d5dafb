"""What Prometheus reads of the prices: which catalogue, how old, and whether the user's file is in use as it is."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from llmlab.pricing.catalogue import NAME
from llmlab_exporter.file_metrics import file_metrics
from llmlab_exporter.price_files import PriceFiles


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
            yield from file_metrics("prices_file", "prices", self._files.own)
