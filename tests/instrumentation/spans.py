"""What the instrumented calls of a test left behind."""

import json
import time
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from opentelemetry.util.types import AttributeValue

CONTENT = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions")

_PATIENCE_S = 10


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

    def contents(self) -> dict[str, Any]:
        """Return the prompts and answers on the one span."""
        attributes = self.attributes()
        return {name: json.loads(str(attributes[name])) for name in CONTENT if name in attributes}

    def source(self) -> AttributeValue | None:
        """Return how the usage of the one span came about.

        The span may come a moment later: what the garbage collector finds is settled in a thread.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while not self.all() and time.monotonic() < deadline:
            time.sleep(0.001)
        return self.attributes().get("llmlab.usage.source")

    def is_partial(self) -> bool:
        """Say whether the one span is that of a stream which was left early, by no fault of the provider's."""
        return self.source() == "partial" and "error.type" not in self.attributes()

    def is_refused(self, error: BaseException) -> bool:
        """Say whether the one span has this error, and no usage."""
        attributes = self.attributes()
        return (
            attributes["error.type"] == type(error).__name__
            and self.one().status.status_code is StatusCode.ERROR
            and not self.usage()
            and "llmlab.usage.source" not in attributes
        )
