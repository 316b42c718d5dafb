"""The event that says what was asked and answered in one call, apart from its span.

Its name and attributes: open-telemetry/semantic-conventions-genai, `docs/gen-ai/gen-ai-events.md`, read 2026-11-21. The
content is in structured form there, as the conventions demand of events.
"""

from importlib import import_module
from inspect import signature
from time import time_ns
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from llmlab._version import __version__

if TYPE_CHECKING:
    from opentelemetry._logs import Logger, LoggerProvider

DETAILS = "gen_ai.client.inference.operation.details"


def are_events_known() -> bool:
    """Say whether OpenTelemetry's API lets a library emit events without the SDK's own classes: since 1.38."""
    return "event_name" in signature(_api().Logger.emit).parameters


def _api() -> Any:
    """Return the API for logs. It is imported here, since that takes 1 ms, and most programs want no events."""
    return import_module("opentelemetry._logs")


class Events:
    """Emits the events of one instrumentation scope."""

    def __init__(self, scope: str, provider: "LoggerProvider | None" = None) -> None:
        """Without a `provider` the global one is used, which may come later."""
        self._logger: Logger = _api().get_logger(scope, __version__, provider)

    def emit(self, span: trace.Span, attributes: dict[str, Any]) -> None:
        """Emit the details of the call that a span stands for."""
        now_ns = time_ns()
        self._logger.emit(
            timestamp=now_ns,
            observed_timestamp=now_ns,
            context=trace.set_span_in_context(span),
            attributes=attributes,
            event_name=DETAILS,
        )
