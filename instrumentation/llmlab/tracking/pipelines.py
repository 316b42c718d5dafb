"""A pipeline of our own, of OpenTelemetry's SDK and its OTLP exporter. Both come with the extra `otlp`.

Import it only where they may be missing, and be ready for a `ModuleNotFoundError`.
"""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

EXPORT_DELAY_MS = 1000
"""How long a span waits for others. OpenTelemetry's own default is five times as long."""


def own_tracer_provider(endpoint: str, headers: dict[str, str], service_name: str | None) -> TracerProvider:
    """Return a tracer provider that exports to an OTLP/HTTP endpoint (`http://host:4318`) and flushes at exit."""
    resource = Resource.create({SERVICE_NAME: service_name} if service_name else None)
    provider = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", headers=headers)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_DELAY_MS))
    return provider
