"""Every recording, through all stages up to the price, against what was really billed.

A new recording is tested by being listed in `fixtures/otlp/manifest.json`.
"""

from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import Any

import genai_prices
import pytest

from fixtures.recordings import RECORDINGS, Recording
from llmlab.money import usd
from llmlab.pricing.pricer import Pricer
from llmlab.usage import Usage
from llmlab_exporter.assess import Line
from llmlab_exporter.decode import PROTOBUF
from llmlab_exporter.inspection import inspect_request

PARTS = {
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_write",
    "cache_write_5m_tokens": "cache_write_5m",
    "cache_write_1h_tokens": "cache_write_1h",
    "reasoning_tokens": "reasoning",
    "input_audio_tokens": "audio_in",
    "output_audio_tokens": "audio_out",
}
LIFETIMES = {"cache_write_5m_tokens", "cache_write_1h_tokens"}

PRICE_LISTS = {"gcp.gemini": "google", "mistral_ai": "mistral"}
"""What genai-prices calls providers."""
SEEN_AS = {"azure.ai.openai": "openai"}
"""The recordings' Azure is at 127.0.0.1, and the instrumentations call all of its API `openai`."""


@pytest.fixture(scope="module")
def pricer() -> Pricer:
    return Pricer()


def billed(recording: Recording, pricer: Pricer) -> list[Line]:
    spans = inspect_request(recording.body, PROTOBUF, pricer).lines
    return [span for span in spans if span.call.reading.billable]


def seen_provider(call: dict[str, str]) -> str:
    return SEEN_AS.get(call["provider"], call["provider"])


def with_compaction(call: dict[str, Any]) -> tuple[int, int]:
    """What is billed on top of the totals belongs to them."""
    return (
        call["input_tokens_total"] + call.get("compaction_input_tokens", 0),
        call.get("output_tokens_total", 0) + call.get("compaction_output_tokens", 0),
    )


def known_parts(call: dict[str, Any], recording: Recording) -> dict[str, int]:
    """The parts of the usage that the instrumentation writes, by the names of the manifest."""
    if recording.recoverable != "all":
        return {}
    unsaid = LIFETIMES if "-nonative" in recording.path else set[str]()
    return {name: call[name] for name in PARTS if name in call and name not in unsaid}


def pair_up(recording: Recording, spans: list[Line]) -> list[tuple[dict[str, Any], Line]]:
    """Match calls and spans by response id; embeddings have none, and are alone in their recordings."""
    by_id = {span.call.reading.response_id: span for span in spans}
    return [(call, by_id[call.get("response_id", "")]) for call in recording.calls]


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_every_call_is_billed_once(recording: Recording, pricer: Pricer) -> None:
    spans = billed(recording, pricer)
    assert len(spans) == len(recording.calls)
    assert {span.call.reading.response_id for span in spans} == {
        call.get("response_id", "") for call in recording.calls
    }


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_provider_and_models_are_those_of_the_call(recording: Recording, pricer: Pricer) -> None:
    for call, span in pair_up(recording, billed(recording, pricer)):
        assert span.call.provider == seen_provider(call)
        assert span.call.model == call["response_model"]
        assert span.call.reading.request_model == call["request_model"]


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_the_usage_is_what_was_billed_as_far_as_the_library_tells(recording: Recording, pricer: Pricer) -> None:
    for call, span in pair_up(recording, billed(recording, pricer)):
        reading = span.call.reading
        if recording.recoverable == "call only":
            assert (reading.usage, reading.usage_source) == (Usage(), None)
            continue
        assert (reading.usage.input, reading.usage.output or 0) == with_compaction(call)
        said = {name: getattr(reading.usage, field) for name, field in PARTS.items()}
        assert {name: count for name, count in said.items() if count} == known_parts(call, recording)
        assert (reading.usage_source, reading.flaws) == ("reported", ())


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_the_cost_is_that_of_the_price_list(recording: Recording, pricer: Pricer) -> None:
    for call, span in pair_up(recording, billed(recording, pricer)):
        if recording.recoverable == "call only":
            assert (span.priced.cost_yocto, span.priced.source, span.priced.reason) == (None, "none", "no_usage")
            continue
        assert span.priced.cost_yocto is not None
        assert usd(span.priced.cost_yocto) == listed_price(call, recording, span.call.end_ns)


def listed_price(call: dict[str, Any], recording: Recording, end_ns: int) -> Decimal:
    """What genai-prices itself says, with digits to spare."""
    input_tokens, output_tokens = with_compaction(call)
    units = {name.replace("reasoning", "output_reasoning"): n for name, n in known_parts(call, recording).items()}
    usage = genai_prices.Usage(input_tokens=input_tokens, output_tokens=output_tokens, **units)
    provider = seen_provider(call)
    tier = call.get("service_tier")
    with localcontext(prec=60):
        return genai_prices.calc_price(
            usage,
            call["response_model"],
            provider_id=PRICE_LISTS.get(provider, provider),
            genai_request_timestamp=datetime.fromtimestamp(end_ns / 1e9, UTC),
            price_context={"service_tier": tier} if tier == "flex" else None,
        ).total_price


def test_the_recordings_are_all_there() -> None:
    assert len(RECORDINGS) >= 68
    assert {recording.recoverable for recording in RECORDINGS} == {"all", "input and output totals", "call only"}
    assert any(call.get("service_tier") == "flex" for recording in RECORDINGS for call in recording.calls)
