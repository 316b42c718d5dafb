"""The real SDK, instrumented, against the fake provider; its spans end up in memory."""

from collections.abc import Callable, Iterator

import openai
import pytest
from opentelemetry import context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fake_provider.testing import FakeProvider
from llmlab import attribution, tags
from llmlab.instrumentor import LLMLabInstrumentor

ATTRIBUTED = "llmlab."
NOT_TAGS = ("llmlab.usage.",)

Ask = Callable[[], None]


@pytest.fixture(scope="session")
def running() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def client(running: FakeProvider, spans: InMemorySpanExporter) -> Iterator[openai.OpenAI]:
    tracer_provider = TracerProvider(shutdown_on_exit=False)
    tracer_provider.add_span_processor(SimpleSpanProcessor(spans))
    LLMLabInstrumentor().instrument(tracer_provider=tracer_provider)
    with openai.OpenAI(base_url=running.openai_url, api_key="fake", max_retries=0) as client:
        yield client
    LLMLabInstrumentor().uninstrument()


@pytest.fixture
def ask(client: openai.OpenAI) -> Ask:
    """Return a function that makes one call."""

    def call() -> None:
        client.embeddings.create(model="text-embedding-3-small", input="one")

    return call


@pytest.fixture
def attributed(spans: InMemorySpanExporter) -> Callable[[], list[dict[str, object]]]:
    """Return a function that returns the tags of every recorded call, in the order in which the calls ended."""

    def read() -> list[dict[str, object]]:
        return [
            {
                name.removeprefix(ATTRIBUTED): value
                for name, value in (span.attributes or {}).items()
                if name.startswith(ATTRIBUTED) and not name.startswith(NOT_TAGS)
            }
            for span in spans.get_finished_spans()
        ]

    return read


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every test see the first log line of a kind, its own environment, and leave the context as it was."""
    monkeypatch.setattr(tags, "_logged", set())
    attribution.tags_of_environment.cache_clear()
    before = context.get_current()
    yield
    attribution.tags_of_environment.cache_clear()
    assert context.get_current() == before
