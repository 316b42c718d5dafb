"""The real SDK against the fake provider; what is tracked ends up in memory."""

from collections.abc import Iterator

import openai
import pytest
from opentelemetry import context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fake_provider.testing import FakeProvider
from llmlab import sdk
from llmlab.capture import faults
from llmlab.tracking import block_calls, delivery, recent
from llmlab.tracking.deliveries import Nowhere, SpanDelivery
from sdk.scripted_exporter import ScriptedExporter


class Spans:
    """The finished spans of one test."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def calls(self) -> list[ReadableSpan]:
        """Return the spans that carry usage: what is billed."""
        return [
            span for span in self._exporter.get_finished_spans() if any(".usage." in name for name in attributes(span))
        ]

    def blocks(self) -> list[ReadableSpan]:
        """Return the spans of tracked blocks."""
        calls = self.calls()
        return [
            span
            for span in self._exporter.get_finished_spans()
            if span not in calls and span.instrumentation_scope is not None
            if span.instrumentation_scope.name == "llmlab.track"
        ]


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


@pytest.fixture(scope="session")
def running() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def provider(running: FakeProvider) -> FakeProvider:
    running.reset()
    return running


@pytest.fixture
def client(provider: FakeProvider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=provider.openai_url, api_key="fake", max_retries=0) as client:
        yield client


@pytest.fixture
def tracer_provider() -> TracerProvider:
    return TracerProvider(shutdown_on_exit=False)


@pytest.fixture
def spans(tracer_provider: TracerProvider, monkeypatch: pytest.MonkeyPatch) -> Spans:
    """Send what is tracked to memory, as if the application had set up OpenTelemetry so."""
    exporter = InMemorySpanExporter()
    tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(delivery, "_chosen", SpanDelivery(tracer_provider, is_ours=False))
    return Spans(exporter)


@pytest.fixture
def exporter() -> Iterator[ScriptedExporter]:
    with ScriptedExporter() as exporter:
        yield exporter


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every test begin as a process does, and leave the context as it was."""
    for name in ("LLMLAB_URL", "LLMLAB_API_KEY", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(delivery, "_chosen", None)
    monkeypatch.setattr(delivery, "_nowhere", Nowhere())
    monkeypatch.setattr(delivery, "_look_again_at_s", 0.0)
    monkeypatch.setattr(sdk, "_settings", delivery.Settings())
    monkeypatch.setattr(sdk, "_logged", set())
    monkeypatch.setattr(faults, "_logged", set())
    recent.RECENT.clear()
    before = context.get_current()
    yield
    block_calls.stop_recording()
    chosen = vars(delivery)["_chosen"]
    if chosen is not None:
        chosen.close()
    assert context.get_current() == before
