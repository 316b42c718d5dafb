"""Spans of OpenTelemetry's SDK, with their attributes put on at once.

The SDK looks at each value of each attribute to see whether it may stand on a span. Ours are counts, names and tuples
of names, so there is nothing to find, and looking takes longer than everything else that we do around a call. Where a
span is not the SDK's, limits apply to its attributes, or somebody wants to see them at its start, the public interface
does the work.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.context import Context

from llmlab.capture.current import SPAN

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

_SDK = "opentelemetry.sdk.trace"
_SAMPLERS = f"{_SDK}.sampling"
_ANY_TRACE_ID = 1


@dataclass(slots=True)
class _Looked:
    """Who sees the attributes of a starting span, when we looked last. It may change until the first call."""

    tracer: Any
    sampler: Any
    processors: Any
    nobody: bool
    """Whether the attributes may come after the start: neither sampler nor processors look at them there."""


class Spans:
    """Starts the spans of one tracer."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer
        self._looked = _Looked(None, None, None, nobody=False)

    def start(
        self,
        name: str,
        around: Context,
        attributes: "dict[str, AttributeValue]",
        started_ns: int | None = None,
        kind: trace.SpanKind = trace.SpanKind.CLIENT,
    ) -> trace.Span:
        """Start a span inside a context, by default now. Values are numbers, strings, or tuples of them."""
        tracer: Any = self._tracer
        if type(tracer) is trace.ProxyTracer:
            tracer = _behind(tracer)
        looked = self._looked
        if tracer is not looked.tracer or (
            looked.nobody
            and (
                tracer.sampler is not looked.sampler or tracer.span_processor._span_processors is not looked.processors  # noqa: SLF001
            )
        ):
            looked = self._looked = _look(tracer)
        if not looked.nobody:
            return tracer.start_span(name, around, kind, attributes, start_time=started_ns)
        span = tracer.start_span(name, around, kind, start_time=started_ns)
        put(span, attributes)
        return span

    def are_shared_with(self, tracer: trace.Tracer) -> bool:
        """Say whether spans of another tracer go where these go. The application may have given an SDK a place of its
        own, where nobody would see ours."""
        return _destination(_behind(tracer)) is _destination(_behind(self._tracer))


def put(span: trace.Span, attributes: "dict[str, AttributeValue]") -> None:
    """Set attributes whose values are numbers, strings, or tuples of them."""
    ours: Any = span
    try:  # the SDK has no public way past its own look at the values
        kept = ours._attributes  # noqa: SLF001
        if kept.max_value_len is None and ours._end_time is None:  # noqa: SLF001
            values = kept._dict  # noqa: SLF001
            with kept._lock:  # noqa: SLF001
                if type(values) is dict and (kept.maxlen is None or len(values) + len(attributes) <= kept.maxlen):
                    values.update(attributes)
                    return
    except AttributeError:  # another implementation of spans, or another version of the SDK
        pass
    span.set_attributes(attributes)


class _KnownAtTheRoot:
    """Decides what the sampler behind decides, which is always the same for a span without a parent.

    So it is with the SDK's default. To have that said anew for each span takes a dozen functions.
    """

    def __init__(self, sampler: Any) -> None:
        self._sampler = sampler
        self._at_the_root = sampler.should_sample(Context(), _ANY_TRACE_ID, "")
        self.get_description = sampler.get_description

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: trace.SpanKind | None = None,
        attributes: Any = None,
        *others: Any,
        **named: Any,
    ) -> Any:
        """Return the decision for one span, with those attributes of it that are given here."""
        if parent_context is None or SPAN in parent_context or attributes:
            return self._sampler.should_sample(parent_context, trace_id, name, kind, attributes, *others, **named)
        return self._at_the_root


def _look(tracer: Any) -> _Looked:
    """Look who sees the attributes of the spans that a tracer starts."""
    sampler = getattr(tracer, "sampler", None)
    processors = getattr(_destination(tracer), "_span_processors", None)
    nobody = isinstance(processors, tuple) and _is_indifferent(sampler) and all(map(_starts_nothing, processors))
    if nobody and _is_constant(getattr(sampler, "_root", sampler)):
        sampler = tracer.sampler = _KnownAtTheRoot(sampler)  # the tracer is ours alone
    return _Looked(tracer, sampler, processors, nobody)


def _behind(tracer: trace.Tracer) -> Any:
    """Return the tracer behind the API's proxy, which stands for one that was made before its provider."""
    if type(tracer) is not trace.ProxyTracer:  # any other proxy does something of its own
        return tracer
    return tracer._tracer  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def _destination(tracer: Any) -> Any:
    """Return the span processor of OpenTelemetry's SDK, None without the SDK."""
    return getattr(tracer, "span_processor", None)


def _is_indifferent(sampler: Any) -> bool:
    """Say whether a sampler, and those it asks, are the SDK's own: none of them decides by attributes."""
    if type(sampler) is _KnownAtTheRoot:
        return True
    if type(sampler).__module__ != _SAMPLERS:
        return False
    asked = [other for other in vars(sampler).values() if hasattr(other, "should_sample")]
    return all(map(_is_indifferent, asked))


def _is_constant(sampler: Any) -> bool:
    """Say whether a sampler of the SDK decides the same for every span."""
    return type(sampler).__module__ == _SAMPLERS and type(sampler).__name__ == "StaticSampler"


def _starts_nothing(processor: Any) -> bool:
    """Say whether a processor is one of those of the SDK that do nothing when a span starts."""
    return type(processor).on_start.__module__.startswith(_SDK) and not hasattr(processor, "_span_processors")
