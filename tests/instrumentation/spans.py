"""What the instrumented calls of a test left behind."""

from dataclasses import dataclass

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util.types import AttributeValue


@dataclass
class Spans:
    """The finished spans of one test."""

    exporter: InMemorySpanExporter

    def all(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def one(self) -> ReadableSpan:
        (span,) = self.all()
        return span

    def attributes(self) -> dict[str, AttributeValue]:
        return dict(self.one().attributes or {})

    def usage(self) -> dict[str, AttributeValue]:
        """Return the attributes of the one span that count something."""
        return {
            name: value
            for name, value in self.attributes().items()
            if ".usage." in name and name != "llmlab.usage.source"
        }
