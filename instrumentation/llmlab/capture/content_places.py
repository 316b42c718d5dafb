"""Where prompts and answers go once a call is over: onto its span, into an event, or both."""

from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from llmlab.capture import attributes
from llmlab.capture.content_json import as_json
from llmlab.capture.faults import Guard
from llmlab.capture.spans import put

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AttributeValue

    from llmlab.capture.events import Events
    from llmlab.providers import Reply, Request

_putting = Guard("record the content of a call")


class Places:
    """Takes the content of the calls of one instrumentation scope."""

    def __init__(self, events: "Events | None", *, on_spans: bool) -> None:
        """`events` is None where none are wanted."""
        self._events = events
        self._on_spans = on_spans

    def put(
        self,
        request: "Request",
        prompt: "Mapping[str, list[Any]]",
        span: trace.Span,
        reply: "Reply",
        outcome: "Mapping[str, AttributeValue]",
    ) -> None:
        """Record what was asked and answered in a call whose span is about to end. One that was sampled out is not."""
        with _putting:
            if not span.is_recording():
                return
            content = {**prompt, **reply.content}
            if self._on_spans:
                put(span, {name: as_json(value) for name, value in content.items()})
            if self._events is not None:
                self._events.emit(span, {**attributes.of_request(request), **outcome, **content})
