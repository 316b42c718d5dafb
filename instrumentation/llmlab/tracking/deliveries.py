"""The ways in which calls leave the application."""

from datetime import UTC, datetime
from os import environ
from threading import Thread
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

from opentelemetry import context, trace

from llmlab import semconv
from llmlab._version import __version__
from llmlab.capture import attributes
from llmlab.image_kind import kind_on
from llmlab.providers import Reply
from llmlab.tags import Tags, name_of
from llmlab.tracking.event_queue import EventQueue
from llmlab.tracking.exporter_api import ExporterApi


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
        if self.reply.usage.images is not None:
            return "image_generation"
        return "embeddings" if self.reply.usage.output is None else "chat"


class Delivery(Protocol):
    """Takes calls without making anybody wait."""

    @property
    def tracer_provider(self) -> trace.TracerProvider:
        """Makes the spans of the calls inside a block."""
        ...

    @property
    def tracer(self) -> trace.Tracer:
        """Makes the spans of blocks."""
        ...

    @property
    def dropped(self) -> int:
        """Calls that will never arrive, as far as that is known."""
        ...

    def deliver(self, call: ReportedCall, /) -> None:
        """Record one call."""
        ...

    def flush(self, timeout_s: float, /) -> bool:
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
        # Beside a pipeline of the application's, a block of ours would be a parent that its traces never get to see.
        is_alone = not is_ours or not is_set_up(trace.get_tracer_provider())
        self.tracer = self._tracer if is_alone else trace.NoOpTracer()

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
        """Wait for the span processors, if the provider has some. Those of the SDK know no time limit by themselves."""
        flush: Any = getattr(self.tracer_provider, "force_flush", None)
        if flush is None:
            return True
        outcome: list[bool] = []
        thread = Thread(target=lambda: outcome.append(flush()), name="llmlab-flush", daemon=True)
        thread.start()
        thread.join(timeout_s)
        return outcome == [True]

    def close(self) -> None:
        """End a pipeline of ours; the application's is its own business."""
        shut_down: Any = getattr(self.tracer_provider, "shutdown", None)
        if self._is_ours and shut_down is not None:
            shut_down()


class EventDelivery:
    """Posts calls to the exporter's API. There are no spans."""

    def __init__(self, api: ExporterApi, service_name: str) -> None:
        self.tracer_provider = trace.NoOpTracerProvider()
        self.tracer = trace.NoOpTracer()
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


class Nowhere:
    """Takes calls that nobody wants, and counts them."""

    def __init__(self) -> None:
        self.tracer_provider = trace.NoOpTracerProvider()
        self.tracer = trace.NoOpTracer()
        self.dropped = 0

    def deliver(self, _call: ReportedCall) -> None:
        """Count a call."""
        self.dropped += 1

    def flush(self, _timeout_s: float) -> bool:
        """Do nothing: nothing waits."""
        return True

    def close(self) -> None:
        """Do nothing."""


def is_set_up(provider: trace.TracerProvider) -> bool:
    """Say whether the application has set up OpenTelemetry: until then the API gives out a stand-in."""
    return not isinstance(provider, trace.ProxyTracerProvider)


def _attributes(call: ReportedCall) -> dict[str, Any]:
    said: dict[str, Any] = {semconv.OPERATION: call.operation, semconv.PROVIDER: call.provider}
    if call.model:
        said[semconv.REQUEST_MODEL] = call.model
    said |= attributes.of_outcome(call.reply, semconv.TIER)
    return {**said, semconv.USAGE_SOURCE: semconv.USAGE_REPORTED, **call.tags}


def _event(call: ReportedCall) -> dict[str, Any]:
    """Write a call as the exporter's API wants it. What is not known is left out."""
    reply = call.reply
    counts = reply.usage._asdict()
    event = {
        "id": uuid4().hex,
        "provider": call.provider,
        "model": reply.model or call.model,
        "operation": call.operation,
        "input_tokens": counts.pop("input"),
        "output_tokens": counts.pop("output"),
        **counts,
        "response_id": reply.id,
        "tier": reply.tier or str(kind_on(reply.attributes)) or None,
        "timestamp": datetime.fromtimestamp(call.ended_ns / 1e9, tz=UTC).isoformat(),
        "duration_s": (call.ended_ns - call.started_ns) / 1e9,
        "metadata": {name_of(name): value for name, value in call.tags.items()},
    }
    return {name: value for name, value in event.items() if value is not None}
