"""What the exporter counts about itself: every span has one fate, and every refusal a reason."""

import logging
import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from llmlab.money import usd
from llmlab_exporter.assess import Line
from llmlab_exporter.call import Call, Intake
from llmlab_exporter.reading.sampling import adjusted

disable_created_metrics()  # one more series for each counter, and Prometheus knows when it first saw it


MAX_COMPARED_MODELS = 500
"""Beyond so many models whose providers say what calls cost, new ones are counted under `other`."""

MAX_SAMPLING_SERVICES = 500
"""Beyond so many services that sample, new ones are counted under `other`, and not warned of."""

OTHER = "other"

log = logging.getLogger(__name__)


class Telemetry:
    """Counters of this process, under `llmlab_exporter_*`. Thread-safe."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._spans = Counter(
            "llmlab_exporter_spans",
            "Spans received, by what became of them: accepted, redelivered, ignored (no LLM call), rejected.",
            ["result"],
            registry=registry,
        )
        for result in ("accepted", "redelivered", "ignored", "rejected"):
            self._spans.labels(result)
        self._rejected = Counter(
            "llmlab_exporter_rejected_spans",
            "Spans that can never be accepted, by reason. Their senders were told.",
            ["reason"],
            registry=registry,
        )
        self._refused = Counter(
            "llmlab_exporter_refused_requests",
            "Whole requests that were not accepted, by reason. `busy` and `ledger` are retried by the sender.",
            ["transport", "reason"],
            registry=registry,
        )
        self._other_signals = Counter(
            "llmlab_exporter_other_signal_requests",
            "Requests with metrics or logs: acknowledged and dropped, since only spans carry calls.",
            ["signal"],
            registry=registry,
        )
        self._sampled = Counter(
            "llmlab_exporter_sampled_spans",
            "Spans of calls whose sender left out others, by its sampling: sums are a lower bound.",
            ["service_name"],
            registry=registry,
        )
        self._sampling_services: set[str] = set()
        self._compared = Counter(
            "llmlab_exporter_provider_cost_compared_usd",
            "Computed cost of calls for which the provider returned a cost too, in USD.",
            ["provider", "model"],
            registry=registry,
        )
        self._difference = Counter(
            "llmlab_exporter_provider_cost_difference_usd",
            "How far the cost that the provider returned lies above or below the computed one, in USD.",
            ["provider", "model", "direction"],
            registry=registry,
        )
        self._compared_models: set[tuple[str, str]] = set()
        self.acknowledged = Histogram(
            "llmlab_exporter_ack_seconds",
            "From the arrival of a request to its durable acknowledgement.",
            ["transport"],
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
            registry=registry,
        )
        self._lag = Histogram(
            "llmlab_exporter_lag_seconds",
            "From the end of the latest call of a request to its durable acknowledgement.",
            buckets=(0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400),
            registry=registry,
        )
        self.held_bytes = Gauge(
            "llmlab_exporter_held_bytes", "Bytes of requests that are being processed now.", registry=registry
        )

    def count_intake(self, intake: Intake, redelivered: int) -> None:
        """Count the spans of one request that was answered."""
        self._spans.labels("accepted").inc(len(intake.calls) - redelivered)
        self._spans.labels("redelivered").inc(redelivered)
        self._spans.labels("ignored").inc(intake.ignored)
        for call in intake.calls:
            if call.sampling_threshold:
                self._count_sampled(call)
        for reason, spans in intake.rejected.items():
            self._spans.labels("rejected").inc(spans)
            self._rejected.labels(reason).inc(spans)

    def _count_sampled(self, call: Call) -> None:
        service = call.service
        if service not in self._sampling_services:
            if len(self._sampling_services) >= MAX_SAMPLING_SERVICES:
                service = OTHER
            else:
                self._sampling_services.add(service)
                log.warning(
                    "the service %.200r sends a sample of its spans, 1 in %.6g: what it spends is a lower bound; "
                    "let it send all of them, or see 'llmlab status --extrapolate'",
                    service,
                    float(adjusted(call.sampling_threshold)),
                )
        self._sampled.labels(service).inc()

    def count_comparisons(self, lines: Iterable[Line]) -> None:
        """Compare what providers said with what was computed, for calls that were committed."""
        for call, priced, _, computed, *_ in lines:
            if priced is computed or priced.cost_yocto is None or computed.cost_yocto is None:
                continue
            model = (call.provider, call.model)
            if model not in self._compared_models and len(self._compared_models) >= MAX_COMPARED_MODELS:
                model = (OTHER, OTHER)
            self._compared_models.add(model)
            difference = priced.cost_yocto - computed.cost_yocto
            self._compared.labels(*model).inc(float(usd(computed.cost_yocto)))
            self._difference.labels(*model, "above").inc(float(usd(max(difference, 0))))
            self._difference.labels(*model, "below").inc(float(usd(max(-difference, 0))))

    def observe_lag(self, lines: Iterable[Line]) -> None:
        """Note how old calls are that were committed just now. A clock that goes ahead makes them 0 seconds old."""
        self._lag.observe(max(time.time() - max(line.call.end_ns for line in lines) / 1e9, 0.0))

    def count_refusal(self, transport: str, reason: str) -> None:
        """Count a request that was turned away."""
        self._refused.labels(transport, reason).inc()

    def count_other_signal(self, signal: str) -> None:
        """Count a request with metrics or logs."""
        self._other_signals.labels(signal).inc()

    def rejected_by_reason(self) -> dict[str, int]:
        """Return the rejected spans so far."""
        return {
            sample.labels["reason"]: int(sample.value)
            for metric in self._rejected.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        }
