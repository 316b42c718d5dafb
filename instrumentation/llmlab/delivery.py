"""Where the calls go that the application reports itself, and the blocks of `track_cost`.

    an endpoint was named          a pipeline of our own to that exporter
    OpenTelemetry is set up        the application's pipeline
    neither                        a pipeline of our own to LLMLAB_URL, or to the exporter on this machine

Our own pipeline is OpenTelemetry's SDK where it is installed. Without it, calls are posted one by one.
"""

import logging
from datetime import UTC, datetime
from importlib import import_module
from os import environ
from threading import Lock
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

from opentelemetry import context, trace

from llmlab import attributes, semconv
from llmlab._version import __version__
from llmlab.event_queue import EventQueue
from llmlab.exporter_api import ExporterApi
from llmlab.providers import Reply
from llmlab.tags import Tags, name_of

DEFAULT_ENDPOINT = "http://127.0.0.1:4318"
ENDPOINT = "LLMLAB_URL"
API_KEY = "LLMLAB_API_KEY"

_logger = logging.getLogger("llmlab")


class Settings(NamedTuple):
    """How to reach an exporter. Empty means: not said."""

    api_key: str = ""
    endpoint: str = ""
    service_name: str = ""

    def api(self) -> ExporterApi:
        """Return the exporter. Raises ValueError when the endpoint is no URL."""
        endpoint = self.endpoint or environ.get(ENDPOINT) or DEFAULT_ENDPOINT
        return ExporterApi(endpoint, self.api_key or environ.get(API_KEY))


class ReportedCall(NamedTuple):
    """One call, as the application or its response tells of it."""

    provider: str
    model: str | None
    """The model that was asked for, when that is known."""
    reply: Reply
    tags: Tags
    started_ns: int
    """Unix nanoseconds."""
    ended_ns: int
    inside: context.Context | None = None
    """The OpenTelemetry context in which it was made, None for the present one."""

    @property
    def operation(self) -> str:
        """What was asked for, as far as the usage tells: embeddings have no output."""
        return "embeddings" if self.reply.usage.output is None else "chat"


class Delivery(Protocol):
    """Takes calls without making anybody wait."""

    @property
    def tracer_provider(self) -> trace.TracerProvider:
        """Makes the spans of blocks, and of the calls inside."""
        ...

    @property
    def dropped(self) -> int:
        """Calls that will never arrive, as far as that is known."""
        ...

    def deliver(self, call: ReportedCall) -> None:
        """Record one call."""
        ...

    def flush(self, timeout_s: float) -> bool:
        """Wait until all calls so far are sent; False when the time is over before."""
        ...

    def close(self) -> None:
        """Send what is left and take no more."""
        ...


class SpanDelivery:
    """Records calls as spans."""

    dropped = 0

    def __init__(self, tracer_provider: trace.TracerProvider, *, is_ours: bool) -> None:
        self.tracer_provider = tracer_provider
        self._is_ours = is_ours
        self._tracer = tracer_provider.get_tracer(semconv.TRACK_SCOPE, __version__)

    def deliver(self, call: ReportedCall) -> None:
        """Make a span of a call that is over."""
        model = call.model or call.reply.model
        span = self._tracer.start_span(
            f"{call.operation} {model}" if model else call.operation,
            call.inside,
            kind=trace.SpanKind.CLIENT,
            attributes=_attributes(call),
            start_time=call.started_ns,
        )
        span.end(call.ended_ns)

    def flush(self, timeout_s: float) -> bool:
        """Wait for the span processors, if the provider has some."""
        flush: Any = getattr(self.tracer_provider, "force_flush", None)
        return flush is None or bool(flush(int(timeout_s * 1000)))

    def close(self) -> None:
        """End a pipeline of ours; the application's is its own business."""
        shut_down: Any = getattr(self.tracer_provider, "shutdown", None)
        if self._is_ours and shut_down is not None:
            shut_down()


class EventDelivery:
    """Posts calls to the exporter's API. There are no spans."""

    def __init__(self, api: ExporterApi, service_name: str) -> None:
        self.tracer_provider = trace.NoOpTracerProvider()
        self._service_name = service_name or environ.get("OTEL_SERVICE_NAME", "")
        self._queue = EventQueue(api)

    @property
    def dropped(self) -> int:
        """Calls that will never arrive."""
        return self._queue.dropped

    def deliver(self, call: ReportedCall) -> None:
        """Queue a call."""
        event = _event(call)
        self._queue.put({**event, "service": self._service_name} if self._service_name else event)

    def flush(self, timeout_s: float) -> bool:
        """Wait for the queue."""
        return self._queue.flush(timeout_s)

    def close(self) -> None:
        """Try what is queued once more, then drop it."""
        self._queue.close()


_lock = Lock()
_chosen: Delivery | None = None


def delivery() -> Delivery:
    """Return where calls go; chosen at the first use."""
    return _chosen or choose(Settings(), only_once=True)


def choose(settings: Settings, *, only_once: bool = False) -> Delivery:
    """Decide where calls go from now on. Raises ValueError when the endpoint is no URL."""
    global _chosen  # noqa: PLW0603 - one choice for the process
    with _lock:
        if _chosen is not None and only_once:
            return _chosen
        former, _chosen = _chosen, _made(settings)
        chosen = _chosen
    if former is not None:
        former.close()
    return chosen


def _made(settings: Settings) -> Delivery:
    api = settings.api()
    set_up = trace.get_tracer_provider()
    if not settings.endpoint and not isinstance(set_up, trace.ProxyTracerProvider):
        return SpanDelivery(set_up, is_ours=False)
    try:
        pipelines = import_module("llmlab.pipelines")
    except ModuleNotFoundError as error:
        _logger.info("llmlab posts calls one by one, since there is no %s: pip install 'llmlab[otlp]'", error.name)
        return EventDelivery(api, settings.service_name)
    provider = pipelines.own_tracer_provider(api.endpoint, api.headers, settings.service_name)
    return SpanDelivery(provider, is_ours=True)


def _attributes(call: ReportedCall) -> dict[str, Any]:
    said: dict[str, Any] = {semconv.OPERATION: call.operation, semconv.PROVIDER: call.provider}
    if call.model:
        said[semconv.REQUEST_MODEL] = call.model
    said |= attributes.of_reply(call.reply, semconv.TIER)
    return {**said, semconv.USAGE_SOURCE: semconv.USAGE_REPORTED, **call.tags}


def _event(call: ReportedCall) -> dict[str, Any]:
    reply = call.reply
    counts = {field: count for field, count in reply.usage._asdict().items() if count is not None}
    named = {"response_id": reply.id, "tier": reply.tier}
    return {
        "id": uuid4().hex,
        "provider": call.provider,
        "model": reply.model or call.model,
        "operation": call.operation,
        "input_tokens": counts.pop("input", 0),
        "output_tokens": counts.pop("output", 0),
        **counts,
        **{name: value for name, value in named.items() if value},
        "timestamp": datetime.fromtimestamp(call.ended_ns / 1e9, tz=UTC).isoformat(),
        "duration_s": (call.ended_ns - call.started_ns) / 1e9,
        "metadata": {name_of(name): value for name, value in call.tags.items()},
    }
