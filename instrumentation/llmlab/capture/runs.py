"""The runs of a framework (agents, chains, tools, models) around the calls that we record.

Most runs make no call, so a run gets a span only when a call inside begins: then the runs around it become its parents,
from the outermost inwards. Such spans say who called; they never carry usage.
"""

from collections.abc import Callable
from threading import RLock
from time import time_ns
from typing import TYPE_CHECKING, NamedTuple

from opentelemetry import context, trace

from llmlab import semconv
from llmlab.attribution import tags_in
from llmlab.capture.collector import settle_safely
from llmlab.capture.faults import Guard
from llmlab.surroundings import place

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from llmlab.capture.spans import Spans
    from llmlab.tags import Tags

Enclose = Callable[[context.Context], context.Context]
"""Puts the run that surrounds a call into the call's context. Returns the context as it is outside of runs."""

enclosing: list[Enclose] = []
"""One for each framework that is in use."""

_enclosing = Guard("find the run around a call")
_ending = Guard("end the span of a run")
_beginning = RLock()
"""Held while a run gets its span, which calls in several threads may want at once."""


def enclosed(around: context.Context) -> context.Context:
    """Return the context of a call with the runs around it."""
    for enclose in enclosing:
        with _enclosing:
            around = enclose(around)
    return around


class Attributed(NamedTuple):
    """What a framework's run says about whom and what its calls are for."""

    said: "Tags"
    """What the application said for this run. It overrides what holds outside."""
    derived: "Tags"
    """What follows from names that frameworks use. It holds only where nothing else was said."""


class Run:
    """One run of a framework. Frameworks derive from it, or from `ShownRun`."""

    __slots__ = ("__weakref__", "_attributed", "around", "id", "outer", "started_ns")

    def __init__(self, run_id: object, outer: "Run | None") -> None:
        self.id = run_id
        self.outer = outer
        self.started_ns = time_ns()
        self.around = context.get_current()
        """What held where the run began."""
        self._attributed: Attributed | None = None

    @property
    def outermost(self) -> "Run":
        """The run that all others began in."""
        return self if self.outer is None else self.outer.outermost

    def attributed(self) -> Attributed:
        """Read what the run says. Asked once, when the first call inside begins."""
        raise NotImplementedError

    def enclose(self, around: context.Context) -> context.Context:
        """Put this run into the context of a call inside."""
        return self.above(self._tagged(around))

    def outside(self) -> context.Context:
        """Return the context that holds for the run itself, were it a call."""
        return self._tagged(self.around if self.outer is None else self.outer.enclose(self.around))

    def above(self, around: context.Context) -> context.Context:
        """Make the nearest run with a span the parent, unless the application began a span of its own in between."""
        if self.outer is None or trace.get_current_span(around) is not trace.get_current_span(self.around):
            return around
        return self.outer.above(around)

    def tags(self, around: context.Context) -> "Tags":
        """Return what holds in a context for calls of this run."""
        if self._attributed is None:
            self._attributed = self.attributed()
        said, derived = self._attributed
        outside = tags_in(around)
        return {**derived, **outside, **said} if said or derived else outside

    def _tagged(self, around: context.Context) -> context.Context:
        tags = self.tags(around)
        return place(around, tags) if tags else around


class ShownRun(Run):
    """A run with a span, once a call inside begins."""

    __slots__ = ("_ended_ns", "_error", "_span", "_spans")

    def __init__(self, run_id: object, outer: Run | None, spans: "Spans") -> None:
        super().__init__(run_id, outer)
        self._spans = spans
        self._span: trace.Span | None = None
        self._error: str | None = None
        self._ended_ns: int | None = None

    def __del__(self) -> None:
        if self._span is not None and self._ended_ns is None:
            settle_safely(self.end)

    @property
    def is_shown(self) -> bool:
        """Whether it has its span by now."""
        return self._span is not None

    def presented(self) -> "tuple[str, dict[str, AttributeValue]]":
        """Return the name and the attributes of the span."""
        raise NotImplementedError

    def above(self, around: context.Context) -> context.Context:
        """Make the span of this run the parent, unless the application began a span of its own in between."""
        if trace.get_current_span(around) is not trace.get_current_span(self.around):
            return around
        return trace.set_span_in_context(self.show(), around)

    def show(self) -> trace.Span:
        """Return the span, which begins with the run, even where it is asked for later."""
        with _beginning:
            if self._span is None:
                self._span = self._begin()
                if self._ended_ns is not None:  # a call of a thread that outlives the run
                    self._finish(self._span, self._ended_ns)
            return self._span

    def end(self, error: BaseException | None = None) -> None:
        """End the span, if there is one; from the second time on, do nothing."""
        if self._ended_ns is None:
            self._ended_ns = time_ns()
            self._error = None if error is None else type(error).__qualname__
            if self._span is not None:
                with _ending:
                    self._finish(self._span, self._ended_ns)

    def _begin(self) -> trace.Span:
        around = self.around if self.outer is None else self.outer.above(self.around)
        name, attributes = self.presented()
        attributes.update(self.tags(around))
        return self._spans.start(name, around, attributes, self.started_ns, trace.SpanKind.INTERNAL)

    def _finish(self, span: trace.Span, ended_ns: int) -> None:
        if self._error is not None:
            span.set_attribute(semconv.ERROR_TYPE, self._error)
            span.set_status(trace.StatusCode.ERROR)
        span.end(ended_ns)
