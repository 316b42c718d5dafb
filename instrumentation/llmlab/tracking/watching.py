"""Noticing the calls that other instrumentations record.

It needs OpenTelemetry's SDK: import it only where that may be missing, and be ready for a `ModuleNotFoundError`.
"""

from weakref import WeakSet

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from llmlab import semconv
from llmlab.surroundings import here
from llmlab.tracking.recent import RECENT

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
