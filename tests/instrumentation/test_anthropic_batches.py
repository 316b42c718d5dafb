"""Each result of a batch of Anthropic's that succeeded is a call, when the application reads it."""

import asyncio
from typing import Any

import anthropic
import pytest

from fake_provider.testing import FakeProvider
from instrumentation.anthropic_ways import BATCH
from instrumentation.spans import Spans
from llmlab.instrumentor import LLMLabInstrumentor

pytestmark = pytest.mark.usefixtures("instrumentor")


class TestBatches:
    def bills(self, provider: FakeProvider) -> list[tuple[str, int]]:
        return [(bill["model"], bill["usage"]["output_tokens"]) for bill in provider.book.bills()]

    def counted(self, spans: Spans) -> list[tuple[Any, Any]]:
        attributes = [span.attributes or {} for span in spans.all()]
        return [(each["gen_ai.response.model"], each["gen_ai.usage.output_tokens"]) for each in attributes]

    @pytest.mark.parametrize(
        "beta",
        [
            pytest.param(False, marks=pytest.mark.cell("anthropic", "messages.batches.results", "sync")),
            pytest.param(True, marks=pytest.mark.cell("anthropic", "beta.messages.batches.results", "sync")),
        ],
    )
    def test_each_result_that_succeeded_is_a_call(
        self, beta: bool, claude: anthropic.Anthropic, provider: FakeProvider, spans: Spans
    ) -> None:
        batches: Any = (claude.beta if beta else claude).messages.batches
        batch = batches.create(requests=BATCH)
        assert not spans.all()
        results = batches.results(batch.id)
        assert not spans.all()
        assert [result.custom_id for result in results] == ["one", "two", "three", "four"]
        assert self.counted(spans) == self.bills(provider)
        assert len(spans.all()) == 2
        for span in spans.all():
            attributes = span.attributes or {}
            assert attributes["llmlab.batch"] is True
            assert attributes["llmlab.usage.source"] == "reported"
            assert attributes["gen_ai.operation.name"] == "chat"

    @pytest.mark.parametrize(
        "beta",
        [
            pytest.param(False, marks=pytest.mark.cell("anthropic", "messages.batches.results", "async")),
            pytest.param(True, marks=pytest.mark.cell("anthropic", "beta.messages.batches.results", "async")),
        ],
    )
    def test_the_asynchronous_client_records_them_too(self, beta: bool, provider: FakeProvider, spans: Spans) -> None:
        async def run() -> int:
            async with anthropic.AsyncAnthropic(base_url=provider.anthropic_url, api_key="fake") as client:
                batches: Any = (client.beta if beta else client).messages.batches
                batch = await batches.create(requests=BATCH)
                return len([result async for result in await batches.results(batch.id)])

        assert asyncio.run(run()) == 4
        assert self.counted(spans) == self.bills(provider)

    def test_results_that_are_fetched_again_have_the_same_ids(self, claude: anthropic.Anthropic, spans: Spans) -> None:
        batches: Any = claude.messages.batches
        batch = batches.create(requests=BATCH[:1])
        for _ in range(2):
            list(batches.results(batch.id))
        ids = [(span.attributes or {})["gen_ai.response.id"] for span in spans.all()]
        assert len(ids) == 2
        assert len(set(ids)) == 1

    def test_raw_results_are_recorded_when_they_are_parsed(
        self, claude: anthropic.Anthropic, provider: FakeProvider, spans: Spans
    ) -> None:
        batches: Any = claude.messages.batches
        batch = batches.create(requests=BATCH)
        if not hasattr(batches.with_raw_response, "results"):
            pytest.skip("this version has no raw results")
        response = batches.with_raw_response.results(batch.id)
        assert not spans.all()
        list(response.parse())
        assert self.counted(spans) == self.bills(provider)

    def test_the_caller_gets_the_sdks_own_object(
        self, claude: anthropic.Anthropic, instrumentor: LLMLabInstrumentor
    ) -> None:
        batches: Any = claude.messages.batches
        batch = batches.create(requests=BATCH)
        results = batches.results(batch.id)
        instrumentor.uninstrument()
        without_us = batches.results(batch.id)
        assert isinstance(results, type(without_us))
        assert list(results) == list(without_us)
