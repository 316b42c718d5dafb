"""OpenTelemetry's GenAI client metrics, as an SDK's reader collects them."""

import asyncio
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from opentelemetry import metrics
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from fake_provider.testing import FakeProvider
from instrumentation.reading import of_model
from instrumentation.spans import Spans
from instrumentation.ways import CHAT, EMBED, STREAM
from llmlab.capture import client_metrics
from llmlab.capture.client_metrics import ClientMetrics
from llmlab.instrumentor import LLMLabInstrumentor

DURATION = "gen_ai.client.operation.duration"
FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
TOKENS = "gen_ai.client.token.usage"


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def meter_provider(reader: InMemoryMetricReader) -> MeterProvider:
    return MeterProvider(metric_readers=[reader], shutdown_on_exit=False)


@pytest.fixture
def measured(meter_provider: MeterProvider, tracer_provider: TracerProvider) -> Iterator[None]:
    LLMLabInstrumentor().instrument(tracer_provider=tracer_provider, meter_provider=meter_provider)
    yield
    LLMLabInstrumentor().uninstrument()


def points(reader: InMemoryMetricReader, name: str) -> list[HistogramDataPoint]:
    data: Any = reader.get_metrics_data()
    return [
        point
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
    ]


@pytest.mark.usefixtures("measured")
class TestRecorded:
    def test_a_call_has_a_duration_and_both_counts(
        self, client: openai.OpenAI, provider: FakeProvider, reader: InMemoryMetricReader
    ) -> None:
        client.chat.completions.create(**CHAT)
        url = client.base_url
        known = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "server.address": url.host,
            "server.port": url.port,
        }
        (duration,) = points(reader, DURATION)
        assert (duration.count, dict(duration.attributes or {})) == (1, known)
        assert 0 < duration.sum < 10
        usage = provider.requests[0].usage
        assert usage is not None
        tokens = {dict(point.attributes or {})["gen_ai.token.type"]: point for point in points(reader, TOKENS)}
        assert {kind: point.sum for kind, point in tokens.items()} == {
            "input": usage["prompt_tokens"],
            "output": usage["completion_tokens"],
        }
        for kind, point in tokens.items():
            assert dict(point.attributes or {}) == known | {"gen_ai.token.type": kind}

    def test_the_bounds_are_those_of_the_conventions(self, client: openai.OpenAI, reader: InMemoryMetricReader) -> None:
        client.chat.completions.create(**CHAT)
        bounds = {name: tuple(points(reader, name)[0].explicit_bounds) for name in (DURATION, TOKENS)}
        assert bounds[DURATION][:2] == (0.01, 0.02)
        assert bounds[DURATION][-1] == 81.92
        assert bounds[TOKENS] == (
            *(1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304),
            *(16777216, 67108864),
        )

    def test_a_stream_lasts_until_its_end(self, client: openai.OpenAI, reader: InMemoryMetricReader) -> None:
        stream = client.chat.completions.create(**of_model("slow", STREAM))
        next(stream)
        assert not points(reader, DURATION)
        list(stream)
        (duration,) = points(reader, DURATION)
        assert duration.sum > 0.05
        assert len(points(reader, TOKENS)) == 2

    def test_a_stream_has_a_time_to_its_first_chunk(
        self, client: openai.OpenAI, spans: Spans, reader: InMemoryMetricReader
    ) -> None:
        list(client.chat.completions.create(**of_model("slow", STREAM)))
        (first,), (duration,) = points(reader, FIRST_CHUNK), points(reader, DURATION)
        assert (first.count, first.sum) == (1, spans.attributes()["gen_ai.response.time_to_first_chunk"])
        assert 0 < first.sum < duration.sum
        assert first.attributes == duration.attributes
        assert first.explicit_bounds == duration.explicit_bounds

    def test_nothing_else_has_one(self, client: openai.OpenAI, reader: InMemoryMetricReader) -> None:
        client.chat.completions.create(**CHAT)
        client.chat.completions.create(**STREAM).close()  # nobody has read it
        assert len(points(reader, DURATION)) == 2
        assert not points(reader, FIRST_CHUNK)

    def test_a_failed_call_says_how_it_failed(self, client: openai.OpenAI, reader: InMemoryMetricReader) -> None:
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(**of_model("error-429", CHAT))
        (duration,) = points(reader, DURATION)
        assert (duration.attributes or {})["error.type"] == "RateLimitError"
        assert not points(reader, TOKENS)

    def test_embeddings_have_no_output(self, client: openai.OpenAI, reader: InMemoryMetricReader) -> None:
        client.embeddings.create(**EMBED)
        (tokens,) = points(reader, TOKENS)
        assert (tokens.attributes or {})["gen_ai.token.type"] == "input"

    def test_asynchronous_calls_count_too(self, provider: FakeProvider, reader: InMemoryMetricReader) -> None:
        async def call() -> None:
            async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="fake") as client:
                await client.chat.completions.create(**CHAT)

        asyncio.run(call())
        assert points(reader, DURATION)[0].count == 1

    def test_nobody_is_told_users_or_features(self, client: openai.OpenAI, reader: InMemoryMetricReader) -> None:
        client.chat.completions.create(**CHAT)
        names = {
            name for metric in (DURATION, TOKENS) for point in points(reader, metric) for name in point.attributes or {}
        }
        assert not [name for name in names if name.startswith("llmlab.")]


def test_a_call_that_was_sampled_out_is_measured_all_the_same(
    client: openai.OpenAI, meter_provider: MeterProvider, reader: InMemoryMetricReader
) -> None:
    sampled_out = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    LLMLabInstrumentor().instrument(tracer_provider=sampled_out, meter_provider=meter_provider)
    client.chat.completions.create(**CHAT)
    LLMLabInstrumentor().uninstrument()
    assert points(reader, DURATION)[0].count == 1


@pytest.mark.usefixtures("instrumentor")
def test_without_a_meter_provider_only_spans_are_made(client: openai.OpenAI, spans: Spans) -> None:
    client.chat.completions.create(**CHAT)
    assert spans.one().name == "chat gpt-4o"


class TestWhetherSomebodyCollects:
    @pytest.fixture
    def present(self, monkeypatch: pytest.MonkeyPatch) -> list[metrics.MeterProvider]:
        """Stand in for the global provider, which can be set only once in a process."""
        providers: list[metrics.MeterProvider] = [metrics.get_meter_provider()]
        monkeypatch.setattr(metrics, "get_meter_provider", lambda: providers[-1])
        monkeypatch.setattr(client_metrics, "ASK_EVERY_S", 0.0)
        monkeypatch.delenv("OTEL_METRICS_EXPORTER", raising=False)
        return providers

    def test_nobody_does_before_a_provider_is_set(self, present: list[metrics.MeterProvider]) -> None:
        found = ClientMetrics("scope")
        assert not found.are_on(0.0)
        present.append(NoOpMeterProvider())
        assert not found.are_on(0.0)

    def test_a_provider_that_is_set_later_counts(
        self, present: list[metrics.MeterProvider], meter_provider: MeterProvider
    ) -> None:
        found = ClientMetrics("scope")
        assert not found.are_on(0.0)
        present.append(meter_provider)
        assert found.are_on(0.0)

    def test_nobody_does_where_metrics_are_switched_off(
        self,
        present: list[metrics.MeterProvider],
        meter_provider: MeterProvider,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        present.append(meter_provider)
        monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
        assert not ClientMetrics("scope").are_on(0.0)
