"""The real SDK, instrumented, against the fake provider over HTTP; its spans end up in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fake_provider.testing import FakeProvider
from instrumentation.cell_recorder import pytest_configure
from instrumentation.spans import Spans
from llmlab.capture import faults
from llmlab.capture.switches import CONTENT
from llmlab.instrumentor import LLMLabInstrumentor

if TYPE_CHECKING:
    from collections.abc import Iterator

    import anthropic
    import openai
    from opentelemetry._logs import LoggerProvider

__all__ = ["pytest_configure"]


class Capturing(Protocol):
    """Switches the instrumentation on."""

    def __call__(self, mode: str = ..., logger_provider: LoggerProvider | None = ...) -> None: ...


@pytest.fixture(scope="session")
def running() -> Iterator[FakeProvider]:
    with FakeProvider(pause_s=0.05) as provider:
        yield provider


@pytest.fixture
def provider(running: FakeProvider) -> FakeProvider:
    running.reset()
    return running


@pytest.fixture
def tracer_provider() -> TracerProvider:
    return TracerProvider()


@pytest.fixture
def spans(tracer_provider: TracerProvider) -> Spans:
    exporter = InMemorySpanExporter()
    tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Spans(exporter)


@pytest.fixture
def instrumentor(tracer_provider: TracerProvider) -> Iterator[LLMLabInstrumentor]:
    instrumentor = LLMLabInstrumentor()
    instrumentor.instrument(tracer_provider=tracer_provider)
    yield instrumentor
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()


@pytest.fixture
def capturing(monkeypatch: pytest.MonkeyPatch, tracer_provider: TracerProvider) -> Iterator[Capturing]:
    """Switch the instrumentation on with a value of the variable that asks for prompts and answers."""
    instrumentor = LLMLabInstrumentor()

    def start(mode: str = "SPAN_ONLY", logger_provider: LoggerProvider | None = None) -> None:
        monkeypatch.setenv(CONTENT, mode)
        instrumentor.instrument(tracer_provider=tracer_provider, logger_provider=logger_provider)

    yield start
    instrumentor.uninstrument()


@pytest.fixture
def client(provider: FakeProvider) -> Iterator[openai.OpenAI]:
    openai = pytest.importorskip("openai", reason="another SDK is under test")
    with openai.OpenAI(base_url=provider.openai_url, api_key="fake", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(provider: FakeProvider) -> Iterator[anthropic.Anthropic]:
    anthropic = pytest.importorskip("anthropic", reason="another SDK is under test")
    with anthropic.Anthropic(base_url=provider.anthropic_url, api_key="fake", max_retries=0) as client:
        yield client


@pytest.fixture(autouse=True)
def fresh_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test see the first fault of a kind."""
    monkeypatch.setattr(faults, "_logged", set())
