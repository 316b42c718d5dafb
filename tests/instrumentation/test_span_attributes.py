"""The short way to put attributes on a span does what the public interface does, wherever that can be seen."""

import logging
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)

from llmlab.capture.spans import Spans, put

NOWHERE = context.Context()
FIRST = {"gen_ai.operation.name": "chat", "gen_ai.request.max_tokens": 400}
SECOND = {"gen_ai.usage.input_tokens": 11, "gen_ai.response.finish_reasons": ("stop", "length")}


class Watching(SpanProcessor):
    """Notes what a span says at its start."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def on_start(self, span: Span, parent_context: context.Context | None = None) -> None:
        self.seen.append(dict(span.attributes or {}))


class Choosy(Sampler):
    """Samples by an attribute."""

    def should_sample(
        self,
        parent_context: context.Context | None,
        trace_id: int,
        name: str,
        kind: trace.SpanKind | None = None,
        attributes: Any = None,
        links: Sequence[trace.Link] | None = None,
        trace_state: trace.TraceState | None = None,
    ) -> SamplingResult:
        wanted = (attributes or {}).get("gen_ai.operation.name") == "chat"
        return SamplingResult(Decision.RECORD_AND_SAMPLE if wanted else Decision.DROP, attributes)

    def get_description(self) -> str:
        return "Choosy"


def recorded(**settings: Any) -> tuple[TracerProvider, InMemorySpanExporter]:
    provider, exporter = TracerProvider(**settings), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


def one_span(provider: TracerProvider, exporter: InMemorySpanExporter) -> ReadableSpan:
    span = Spans(provider.get_tracer("test")).start("chat", NOWHERE, dict(FIRST))
    put(span, dict(SECOND))
    span.end()
    [ended] = exporter.get_finished_spans()
    return ended


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ParentBased(ALWAYS_ON), Choosy(), ParentBased(Choosy())])
def test_all_attributes_arrive(sampler: Sampler) -> None:
    span = one_span(*recorded(sampler=sampler))
    assert span.attributes == FIRST | SECOND
    assert span.kind is trace.SpanKind.CLIENT


@pytest.mark.parametrize("sampler", [Choosy(), ParentBased(Choosy())])
def test_a_sampler_that_decides_by_attributes_sees_them(sampler: Sampler) -> None:
    provider, exporter = recorded(sampler=sampler)
    spans = Spans(provider.get_tracer("test"))
    assert not spans.start("embed", NOWHERE, {"gen_ai.operation.name": "embeddings"}).is_recording()
    assert spans.start("chat", NOWHERE, dict(FIRST)).is_recording()
    assert not exporter.get_finished_spans()


def test_a_processor_that_looks_at_the_start_sees_them_there() -> None:
    provider, exporter = recorded()
    watching = Watching()
    provider.add_span_processor(watching)
    one_span(provider, exporter)
    assert watching.seen == [FIRST]


def test_a_processor_that_comes_later_sees_them_too() -> None:
    provider, exporter = recorded()
    spans = Spans(provider.get_tracer("test"))
    spans.start("chat", NOWHERE, dict(FIRST)).end()
    watching = Watching()
    provider.add_span_processor(watching)
    spans.start("chat", NOWHERE, dict(FIRST)).end()
    assert watching.seen == [FIRST]
    assert [span.attributes for span in exporter.get_finished_spans()] == [FIRST, FIRST]


def test_a_limit_of_their_number_holds(caplog: pytest.LogCaptureFixture) -> None:
    span = one_span(*recorded(span_limits=SpanLimits(max_span_attributes=3)))
    assert (len(span.attributes or {}), span.dropped_attributes) == (3, 1)


def test_a_limit_of_their_length_holds(caplog: pytest.LogCaptureFixture) -> None:
    span = one_span(*recorded(span_limits=SpanLimits(max_span_attribute_length=2)))
    assert (span.attributes or {})["gen_ai.operation.name"] == "ch"


def test_a_span_that_has_ended_keeps_what_it_says(caplog: pytest.LogCaptureFixture) -> None:
    provider, exporter = recorded()
    span = Spans(provider.get_tracer("test")).start("chat", NOWHERE, dict(FIRST))
    span.end()
    with caplog.at_level(logging.WARNING):
        put(span, dict(SECOND))
    assert "ended span" in caplog.text
    assert exporter.get_finished_spans()[0].attributes == FIRST


@pytest.mark.parametrize("sampler", [ALWAYS_OFF])
def test_a_span_that_is_not_sampled_takes_them_and_forgets(sampler: Sampler) -> None:
    provider, exporter = recorded(sampler=sampler)
    span = Spans(provider.get_tracer("test")).start("chat", NOWHERE, dict(FIRST))
    put(span, dict(SECOND))
    span.end()
    assert not exporter.get_finished_spans()


def test_without_the_sdk_nothing_happens() -> None:
    span = Spans(trace.NoOpTracer()).start("chat", NOWHERE, dict(FIRST))
    put(span, dict(SECOND))
    assert not span.is_recording()


def test_a_tracer_around_the_sdks_is_not_passed_by() -> None:
    provider, exporter = recorded()

    class Renaming(trace.Tracer):
        """Does something of its own to each span, as wrappers around tracers do."""

        _tracer = provider.get_tracer("test")

        def start_span(self, name: str, *args: Any, **keywords: Any) -> trace.Span:
            return self._tracer.start_span(f"ours: {name}", *args, **keywords)

        def start_as_current_span(self, *args: Any, **keywords: Any) -> Any:
            return self._tracer.start_as_current_span(*args, **keywords)

    Spans(Renaming()).start("chat", NOWHERE, dict(FIRST)).end()
    [span] = exporter.get_finished_spans()
    assert (span.name, span.attributes) == ("ours: chat", FIRST)


def test_the_parent_is_taken_from_the_context() -> None:
    provider, _ = recorded()
    parent = provider.get_tracer("test").start_span("parent")
    span = Spans(provider.get_tracer("test")).start("chat", trace.set_span_in_context(parent), dict(FIRST))
    assert span.get_span_context().trace_id == parent.get_span_context().trace_id


def test_a_parent_decides_even_after_spans_without_one() -> None:
    """The decision for those without a parent is remembered; it is nobody else's."""
    provider, exporter = recorded()
    spans = Spans(provider.get_tracer("test"))
    spans.start("chat", NOWHERE, dict(FIRST)).end()
    said = trace.TraceState([("vendor", "value")])
    for flags in (trace.TraceFlags.DEFAULT, trace.TraceFlags.SAMPLED):
        outside = trace.SpanContext(7, 8, is_remote=True, trace_flags=trace.TraceFlags(flags), trace_state=said)
        inside = trace.set_span_in_context(trace.NonRecordingSpan(outside), NOWHERE)
        spans.start("chat", inside, dict(FIRST)).end()
    spans.start("chat", NOWHERE, dict(FIRST)).end()
    ended = exporter.get_finished_spans()
    first, sampled, last = (span.get_span_context() or trace.INVALID_SPAN_CONTEXT for span in ended)
    assert (sampled.trace_id, sampled.trace_state) == (7, said)
    assert ended[0].parent is ended[2].parent is None
    assert len({first.trace_id, last.trace_id, 7}) == 3
    assert not first.trace_state


def test_a_share_of_the_calls_is_still_a_share() -> None:
    provider, exporter = recorded(sampler=ParentBased(TraceIdRatioBased(0.5)))
    spans = Spans(provider.get_tracer("test"))
    for _ in range(200):
        spans.start("chat", NOWHERE, dict(FIRST)).end()
    assert 40 < len(exporter.get_finished_spans()) < 160
