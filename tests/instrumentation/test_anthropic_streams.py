"""A stream of Anthropic's that does not come to its end settles once, with what it had reported until then."""

import asyncio
import gc

import anthropic
import pytest
from opentelemetry.trace import StatusCode

from fake_provider.testing import FakeProvider
from instrumentation.anthropic_ways import MESSAGE, STREAM, of_model
from instrumentation.spans import Spans

pytestmark = pytest.mark.usefixtures("instrumentor")


def is_partial(spans: Spans) -> bool:
    """Say whether the one span is a partial one that knows the whole input."""
    return spans.source() == "partial" and spans.attributes()["gen_ai.usage.input_tokens"] == 11


class TestBrokenStreams:
    def test_a_closed_stream_knows_its_input(self, claude: anthropic.Anthropic, spans: Spans) -> None:
        stream = claude.messages.create(**of_model("slow", STREAM))
        next(iter(stream))
        assert not spans.all()
        stream.close()
        assert is_partial(spans)

    def test_a_stream_that_nobody_holds_any_more_is_settled(self, claude: anthropic.Anthropic, spans: Spans) -> None:
        stream = claude.messages.create(**of_model("slow", STREAM))
        next(iter(stream))
        del stream
        gc.collect()
        assert is_partial(spans)

    def test_leaving_the_helper_early_settles(self, claude: anthropic.Anthropic, spans: Spans) -> None:
        with claude.messages.stream(**of_model("slow", MESSAGE)) as stream:
            next(stream.text_stream)
            assert not spans.all()
        assert is_partial(spans)

    def test_leaving_the_asynchronous_helper_early_settles(self, provider: FakeProvider, spans: Spans) -> None:
        async def run() -> None:
            async with (
                anthropic.AsyncAnthropic(base_url=provider.anthropic_url, api_key="fake") as client,
                client.messages.stream(**of_model("slow", MESSAGE)) as stream,
            ):
                await anext(stream.text_stream)

        asyncio.run(run())
        assert is_partial(spans)

    def test_a_helper_that_is_never_entered_is_no_call(
        self, claude: anthropic.Anthropic, provider: FakeProvider, spans: Spans
    ) -> None:
        claude.messages.stream(**MESSAGE)
        assert not spans.all()
        assert not provider.requests

    @pytest.mark.parametrize("model", ["truncated", "error-in-stream"])
    def test_a_stream_that_fails_is_an_error_with_what_is_known(
        self, model: str, claude: anthropic.Anthropic, spans: Spans
    ) -> None:
        stream = claude.messages.create(**of_model(model, STREAM))
        with pytest.raises(Exception, match=r"Overloaded|peer closed"):
            list(stream)
        assert is_partial(spans)
        assert spans.one().status.status_code is StatusCode.ERROR

    def test_a_stream_that_just_ends_is_not_taken_for_complete(self, claude: anthropic.Anthropic, spans: Spans) -> None:
        list(claude.messages.create(**of_model("ends-early", STREAM)))
        assert is_partial(spans)
