"""The runs of a framework (agents, chains, tools, models) around the calls that we record.

Most runs make no call, so a run gets a span only when a call inside begins: then the runs around it become its parents,
from the outermost inwards. Such spans say who called; they never carry usage.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from time import time_ns
from typing import TYPE_CHECKING

from opentelemetry import context, trace

from llmlab import semconv
from llmlab.attribution import tags_in
from llmlab.capture.collector import settle_safely
from llmlab.capture.faults import Guard
from llmlab.surroundings import place

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from llmlab.tags import Tags

Enclose = Callable[[context.Context], context.Context]
"""Puts the run that surrounds a call into the call's context. Returns the context as it is outside of runs."""

enclosing: list[Enclose] = []
"""One for each framework that is in use."""

_enclosing = Guard("find the run around a call")
_ending = Guard("end the span of a run")


def enclosed(around: context.Context) -> context.Context:
    """Return the context of a call with the runs around it."""
    for enclose in enclosing:
        with _enclosing:
            around = enclose(around)
    return around


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributed:
    """What a framework's run says about whom and what its calls are for."""

    said: "Tags"
    """What the application said for this run. It overrides what holds outside."""
    derived: "Tags"
    """What follows from names that frameworks use. It holds only where nothing else was said."""


class Run:
    """One run of a framework, from its start to its end."""

    def __init__(
        self,
        tracer: trace.Tracer,
        run_id: str,
        name: str,
        outer: "Run | None",
        attributes: "Mapping[str, AttributeValue]",
        attributed: Callable[["Run"], Attributed],
    ) -> None:
        self.id = run_id
        self.name = name
        self.outer = outer
        self.started_ns = time_ns()
        self.around = context.get_current()
        """What held where the run began."""
        self._tracer = tracer
        self._attributes = attributes
        self._read_attributed = attributed
        self._span: trace.Span | None = None
        self._error: str | None = None
        self._ended_ns: int | None = None

    @property
    def outermost(self) -> "Run":
        """The run that all others began in."""
        return self if self.outer is None else self.outer.outermost

    def __del__(self) -> None:
        if self._span is not None and self._ended_ns is None:
            settle_safely(self.end)

    def enclose(self, around: context.Context) -> context.Context:
        """Put this run into the context of a call inside."""
        return self.above(place(around, self._tags(around)))

    def outside(self) -> context.Context:
        """Return the context that holds for the run itself, were it a call."""
        around = self.around if self.outer is None else self.outer.enclose(self.around)
        return place(around, self._tags(around))

    def end(self, error: BaseException | None = None) -> None:
        """End the span, if there is one; from the second time on, do nothing."""
        if self._ended_ns is None:
            self._ended_ns = time_ns()
            self._error = None if error is None else type(error).__qualname__
            if self._span is not None:
                with _ending:
                    self._finish(self._span)

    def _tags(self, around: context.Context) -> "Tags":
        attributed = self._attributed
        return {**attributed.derived, **tags_in(around), **attributed.said}

    @cached_property
    def _attributed(self) -> Attributed:
        return self._read_attributed(self)

    def above(self, around: context.Context) -> context.Context:
        """Make the span of this run the parent, unless the application began one of its own in between."""
        if trace.get_current_span(around) is not trace.get_current_span(self.around):
            return around
        if self._span is None:
            self._span = self._begin()
        return trace.set_span_in_context(self._span, around)

    def _begin(self) -> trace.Span:
        around = self.around if self.outer is None else self.outer.above(self.around)
        attributes = {**self._attributes, **self._tags(around)}
        span = self._tracer.start_span(self.name, around, attributes=attributes, start_time=self.started_ns)
        if self._ended_ns is not None:  # a call of a thread that outlives the run
            self._finish(span)
        return span

    def _finish(self, span: trace.Span) -> None:
        if self._error is not None:
            span.set_attribute(semconv.ERROR_TYPE, self._error)
            span.set_status(trace.StatusCode.ERROR)
        span.end(self._ended_ns)
