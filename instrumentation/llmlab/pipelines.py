"""What needs OpenTelemetry's SDK, which an application may lack: a pipeline of our own, and watching the others.

Import it only where the SDK is known to be there, or be ready for a `ModuleNotFoundError`.
"""

from weakref import WeakSet

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from llmlab import semconv
from llmlab.recent import RECENT
from llmlab.surroundings import here

EXPORT_DELAY_MS = 1000
"""How long a span waits for others. OpenTelemetry's own default is five times as long."""

_USAGE = frozenset(
    {
        semconv.USAGE_ATTRIBUTES["input"],
        semconv.USAGE_ATTRIBUTES["output"],
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "langfuse.observation.usage_details",
    }
)
"""Where instrumentations, ours and others', write what a call used. A span with one of these is a recorded call."""

_watched: "WeakSet[trace.TracerProvider]" = WeakSet()


def own_tracer_provider(endpoint: str, headers: dict[str, str], service_name: str | None) -> TracerProvider:
    """Return a tracer provider that exports to an OTLP/HTTP endpoint (`http://host:4318`) and flushes at exit."""
    resource = Resource.create({SERVICE_NAME: service_name} if service_name else None)
    provider = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", headers=headers)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_DELAY_MS))
    return provider


def watch(provider: trace.TracerProvider) -> None:
    """Let blocks of `track_cost` know of the calls that other instrumentations record through this provider."""
    if isinstance(provider, TracerProvider) and provider not in _watched:
        _watched.add(provider)
        provider.add_span_processor(_CallWatcher())


class _CallWatcher(SpanProcessor):
    """Notices recorded calls."""

    def on_end(self, span: ReadableSpan) -> None:
        """Take note of a span if it is a call."""
        attributes = span.attributes
        if attributes is None or attributes.keys().isdisjoint(_USAGE):
            return
        scope = span.instrumentation_scope
        if scope is not None and scope.name == semconv.TRACK_SCOPE:  # whoever makes these notes it himself
            return
        response_id = attributes.get(semconv.RESPONSE_ID)
        if isinstance(response_id, str):
            RECENT.add(response_id)
        if (block := here().block) is not None:
            block.note_call()
