"""What Anthropic bills beside the totals of a message: passes that compact, and what other models did."""

import json
from typing import Any

import anthropic
import pytest

from instrumentation.anthropic_ways import BATCH, COMPACTED, MESSAGE
from instrumentation.spans import Spans

pytestmark = pytest.mark.usefixtures("instrumentor")


@pytest.mark.parametrize("stream", [False, True])
def test_a_pass_that_compacts_is_billed_on_top(stream: bool, claude: anthropic.Anthropic, spans: Spans) -> None:
    headers = {"x-fake-usage": json.dumps(COMPACTED)}
    created = claude.beta.messages.create(**MESSAGE, stream=stream, extra_headers=headers)
    if stream:
        list(created)
    usage = spans.usage()
    assert usage["gen_ai.usage.input_tokens"] == (20 + 500) + (1000 + 300 + 40)
    assert usage["gen_ai.usage.output_tokens"] == 9 + 70
    assert usage["gen_ai.usage.cache_read.input_tokens"] == 500 + 300
    assert usage["gen_ai.usage.cache_write.input_tokens"] == 40
    assert usage["llmlab.usage.cache_write_5m.input_tokens"] == 40


def counted(**counts: Any) -> dict[str, Any]:
    return {"cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, **counts}


class TestFurtherModels:
    """What other models did within a call is left out of its totals, and billed by their own prices."""

    def spans_by_model(self, spans: Spans) -> dict[Any, tuple[Any, Any]]:
        attributes = [span.attributes or {} for span in spans.all()]
        return {
            each["gen_ai.response.model"]: (each["gen_ai.usage.input_tokens"], each["gen_ai.usage.output_tokens"])
            for each in attributes
        }

    @pytest.mark.parametrize("stream", [False, True])
    def test_advice_is_a_call_of_its_own(self, stream: bool, claude: anthropic.Anthropic, spans: Spans) -> None:
        own = counted(input_tokens=20, output_tokens=9)
        advice = counted(
            type="advisor_message",
            model="claude-opus-4-5",
            input_tokens=800,
            cache_read_input_tokens=23,
            output_tokens=40,
        )
        usage = {**own, "iterations": [{**own, "type": "message"}, advice]}
        headers = {"x-fake-usage": json.dumps(usage)}
        created = claude.beta.messages.create(**MESSAGE, stream=stream, extra_headers=headers)
        if stream:
            list(created)
        assert self.spans_by_model(spans) == {"claude-haiku-4-5-20251001": (20, 9), "claude-opus-4-5": (823, 40)}
        ids = [(span.attributes or {})["gen_ai.response.id"] for span in spans.all()]
        assert len(set(ids)) == 2

    def test_what_a_model_said_before_it_declined_is_billed(self, claude: anthropic.Anthropic, spans: Spans) -> None:
        iterations = [
            counted(type="message", model="claude-opus-4-8", input_tokens=30, output_tokens=0),
            counted(type="message", model="claude-opus-4-7", input_tokens=30, output_tokens=5),
            counted(type="message", model="claude-haiku-4-5-20251001", input_tokens=10, output_tokens=2),
            counted(type="fallback_message", model="claude-haiku-4-5-20251001", input_tokens=20, output_tokens=7),
        ]
        usage = counted(input_tokens=30, output_tokens=9, iterations=iterations)
        claude.beta.messages.create(**MESSAGE, extra_headers={"x-fake-usage": json.dumps(usage)})
        assert self.spans_by_model(spans) == {"claude-haiku-4-5-20251001": (30, 9), "claude-opus-4-7": (30, 5)}

    def test_in_a_batch_it_is_part_of_the_batch(self, claude: anthropic.Anthropic, spans: Spans) -> None:
        advice = counted(type="advisor_message", model="claude-opus-4-5", input_tokens=800, output_tokens=40)
        headers = {"x-fake-usage": json.dumps({"iterations": [advice]})}
        batches: Any = claude.beta.messages.batches
        batch = batches.create(requests=BATCH[:1], extra_headers=headers)
        list(batches.results(batch.id))
        assert [(span.attributes or {})["llmlab.batch"] for span in spans.all()] == [True, True]
        assert self.spans_by_model(spans)["claude-opus-4-5"] == (800, 40)
