"""OpenTelemetry's client metrics for GenAI: how long calls took, when streams began, and how many tokens were used.

Names, attributes and bucket bounds: open-telemetry/semantic-conventions-genai, `docs/gen-ai/gen-ai-metrics.md`, read
2026-11-21. The histograms know only input and output, so they are for dashboards; costs are computed from the spans.
"""

from functools import cached_property
from os import environ
from typing import TYPE_CHECKING

from opentelemetry import metrics

from llmlab import semconv
from llmlab._version import __version__

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from llmlab.providers import Reply, Request

DURATION = "gen_ai.client.operation.duration"
FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
TOKENS = "gen_ai.client.token.usage"

DURATION_BOUNDS_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKEN_BOUNDS = tuple(4**power for power in range(14))

ASK_EVERY_S = 0.1
"""An application that sets up its metrics after its first calls misses those that began within so many seconds."""
_NEVER_S = float("inf")

_TOKENS_OF_KIND = {semconv.USAGE_ATTRIBUTES[kind]: kind for kind in ("input", "output")}

_API = "opentelemetry.metrics"
"""Where the classes come from that stand for a provider until there is one. They record nothing."""


class ClientMetrics:
    """The histograms of one instrumentation scope."""

    def __init__(self, scope: str, provider: metrics.MeterProvider | None = None) -> None:
        """Without a `provider` the global one is used, which may come later."""
        self._scope = scope
        self._provider = provider
        self._is_on = provider is not None
        self._ask_at_s = _NEVER_S if self._is_on or _is_switched_off() else -_NEVER_S

    def are_on(self, now_s: float) -> bool:
        """Say whether somebody collects metrics. Each measurement takes several microseconds, so nobody else pays.

        `now_s`: by `time.perf_counter`. For a call it is when the call began, which is known without asking.
        """
        if now_s >= self._ask_at_s:
            self._is_on = _is_real(metrics.get_meter_provider())
            self._ask_at_s = _NEVER_S if self._is_on else now_s + ASK_EVERY_S
        return self._is_on

    def record(
        self,
        request: "Request",
        reply: "Reply",
        error: BaseException | None,
        duration_s: float,
        first_chunk_s: float | None = None,
    ) -> None:
        """Record one call that is over, where they `are_on`.

        What was over when we heard of it is left out: nobody saw how long it took.
        `first_chunk_s` is how long the first chunk took from the beginning of the call, None where there was none.
        """
        if request.results is not None or request.is_over:
            return
        attributes = _attributes(request, reply)
        failed = {} if error is None else {semconv.ERROR_TYPE: type(error).__qualname__}
        self._duration.record(duration_s, {**attributes, **failed})
        if first_chunk_s is not None:
            self._first_chunk.record(first_chunk_s, attributes)
        if reply.is_estimated:  # by the conventions these histograms hold what the provider counted
            return
        for name, kind in _TOKENS_OF_KIND.items():
            if (tokens := reply.counts.get(name)) is not None:
                self._tokens.record(tokens, {**attributes, semconv.COUNT_TYPE: kind})

    @cached_property
    def _meter(self) -> metrics.Meter:
        return metrics.get_meter(self._scope, __version__, self._provider)

    @cached_property
    def _duration(self) -> metrics.Histogram:
        return self._meter.create_histogram(
            DURATION,
            unit="s",
            description="GenAI operation duration.",
            explicit_bucket_boundaries_advisory=DURATION_BOUNDS_S,
        )

    @cached_property
    def _first_chunk(self) -> metrics.Histogram:
        return self._meter.create_histogram(
            FIRST_CHUNK,
            unit="s",
            description="Time to receive the first chunk of a streamed response.",
            explicit_bucket_boundaries_advisory=DURATION_BOUNDS_S,
        )

    @cached_property
    def _tokens(self) -> metrics.Histogram:
        return self._meter.create_histogram(
            TOKENS,
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=TOKEN_BOUNDS,
        )


def _is_switched_off() -> bool:
    """Say whether no metrics are wanted: the launcher makes a provider all the same, one that throws them away."""
    return environ.get("OTEL_METRICS_EXPORTER", "").strip().lower() == "none"


def _is_real(provider: metrics.MeterProvider) -> bool:
    return not type(provider).__module__.startswith(_API)


def _attributes(request: "Request", reply: "Reply") -> "dict[str, AttributeValue]":
    attributes: dict[str, AttributeValue] = {semconv.OPERATION: request.operation, **request.endpoint.attributes}
    if request.model is not None:
        attributes[semconv.REQUEST_MODEL] = request.model
    if reply.model:
        attributes[semconv.RESPONSE_MODEL] = reply.model
    return attributes
