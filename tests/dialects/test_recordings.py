"""Every recording, through all stages up to the price, against what was really billed.

A new recording is tested by being listed in `fixtures/otlp/manifest.json`.
"""

from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import Any

import genai_prices
import pytest

from fixtures.recordings import FOLDER, RECORDINGS, Recording
from llmlab.money import usd
from llmlab.pricing.pricer import Pricer
from llmlab.usage import Usage
from llmlab_exporter.assess import Line
from llmlab_exporter.decode import PROTOBUF
from llmlab_exporter.inspection import inspect_request

CACHE = {"cache_read_tokens": "cache_read", "cache_write_tokens": "cache_write"}
PARTS = {
    **CACHE,
    "cache_write_5m_tokens": "cache_write_5m",
    "cache_write_1h_tokens": "cache_write_1h",
    "reasoning_tokens": "reasoning",
    "input_audio_tokens": "audio_in",
    "output_audio_tokens": "audio_out",
    "web_searches": "web_searches",
}
WEB_SEARCH_USD = Decimal("0.01")
"""Anthropic's price: docs.claude.com, "Web search tool", 2026-11. genai-prices has none."""

PRICED_AS = {
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "reasoning": "output_reasoning_tokens",
    "audio_in": "input_audio_tokens",
    "audio_out": "output_audio_tokens",
}
"""What genai-prices calls the fields of `Usage`."""

PRICE_LISTS = {
    "gcp.gemini": "google",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
}
"""What genai-prices calls providers."""

CONVENTIONAL = {"mistral": "mistral_ai", "xai": "x_ai"}
"""What the conventions call the providers of the manifest."""

INVENTED_REQUEST = "openlit-1.45.0/openai_responses_background.pb"
"""The library fetches the response and says that `gpt-4o` was asked for."""

Call = dict[str, Any]


@pytest.fixture(scope="module")
def pricer() -> Pricer:
    return Pricer()


def billed(recording: Recording, pricer: Pricer) -> list[Line]:
    spans = inspect_request(recording.body, PROTOBUF, pricer).lines
    return [span for span in spans if span.call.reading.billable]


def totals(call: Call) -> tuple[int, int]:
    """What is billed on top of the totals belongs to them."""
    return (
        call.get("input_tokens_total", 0) + call.get("compaction_input_tokens", 0),
        call.get("output_tokens_total", 0) + call.get("compaction_output_tokens", 0),
    )


def told(span: Line) -> tuple[int, int]:
    usage = span.call.reading.usage
    return usage.input or 0, usage.output or 0


def pair_up(recording: Recording, spans: list[Line]) -> list[tuple[Call, Line]]:
    """Match calls and spans by response id where the library tells it, and else by their totals."""
    left = list(recording.calls)
    pairs: list[tuple[Call, Line]] = []
    for span in sorted(spans, key=lambda span: not span.call.reading.response_id):
        said = span.call.reading.response_id
        mine = [call for call in left if said and call.get("response_id") == said]
        alike = [call for call in left if not said and totals(call) == told(span)]
        call = (mine or alike or left)[0]
        left.remove(call)
        pairs.append((call, span))
    return pairs


each_recording = pytest.mark.parametrize("recording", RECORDINGS, ids=str)


@each_recording
def test_every_call_is_billed_once(recording: Recording, pricer: Pricer) -> None:
    spans = billed(recording, pricer)
    assert len(spans) == len(recording.calls)
    said = [span.call.reading.response_id for span in spans if span.call.reading.response_id]
    assert len(said) == len(set(said))
    assert set(said) <= {call.get("response_id") for call in recording.calls}


@each_recording
def test_provider_and_models_are_those_of_the_call(recording: Recording, pricer: Pricer) -> None:
    for call, span in pair_up(recording, billed(recording, pricer)):
        provider = CONVENTIONAL.get(call["provider"], call["provider"])
        # the recordings' Azure is at 127.0.0.1, and most libraries call all of its API `openai`
        assert span.call.provider in ({"openai", provider} if provider == "azure.ai.openai" else {provider})
        asked = call["request_model"]
        names = {call.get("response_model", asked), asked, without_region(asked)}
        assert span.call.model in names
        if recording.path != INVENTED_REQUEST:
            assert span.call.reading.request_model in {"", *names, span.call.model, f"{call['provider']}/{asked}"}


def without_region(model: str) -> str:
    """What is left of an inference profile of Bedrock when a library drops where it runs."""
    return model.removeprefix("us.")


@each_recording
def test_the_usage_is_what_was_billed_as_far_as_the_library_tells(recording: Recording, pricer: Pricer) -> None:
    for call, span in pair_up(recording, billed(recording, pricer)):
        reading = span.call.reading
        if recording.recoverable == "call only":
            assert (reading.usage, reading.usage_source) == (Usage(), None) or reading.flaws
            continue
        assert told(span) == totals(call)
        for name, field in PARTS.items():
            assert getattr(reading.usage, field) in {None, 0, call.get(name, 0)}
        if recording.recoverable == "all":
            for name, field in CACHE.items():
                assert (getattr(reading.usage, field) or 0) == call.get(name, 0)
        assert (reading.usage_source, reading.flaws) == ("reported", ())


@each_recording
def test_the_cost_is_that_of_the_price_list(recording: Recording, pricer: Pricer) -> None:
    for call, span in pair_up(recording, billed(recording, pricer)):
        priced = span.priced
        if recording.recoverable == "call only":
            assert priced.cost_yocto is None or span.call.reading.usage_source == "estimated"
            continue
        assert priced.cost_yocto is not None
        if priced.source == "provider":
            assert usd(priced.cost_yocto) == Decimal(str(call["cost_usd"]))
        else:
            assert usd(priced.cost_yocto) == listed_price(span)


def listed_price(span: Line) -> Decimal:
    """What genai-prices itself says of the usage that was read, with digits to spare."""
    call, usage = span.call, span.call.reading.usage
    units = {name: count for field, name in PRICED_AS.items() if (count := getattr(usage, field))}
    searches_usd = WEB_SEARCH_USD * (usage.web_searches or 0)
    with localcontext(prec=60):
        tokens = genai_prices.calc_price(
            genai_prices.Usage(input_tokens=usage.input, output_tokens=usage.output, **units),
            call.model,
            provider_id=PRICE_LISTS.get(call.provider, call.provider),
            genai_request_timestamp=datetime.fromtimestamp(call.end_ns / 1e9, UTC),
            price_context={"service_tier": "flex"} if call.reading.tier == "flex" else None,
        )
        return tokens.total_price + searches_usd


def test_the_recordings_are_all_there() -> None:
    assert len(RECORDINGS) >= 500
    assert {recording.recoverable for recording in RECORDINGS} == {"all", "input and output totals", "call only"}
    assert any(call.get("service_tier") == "flex" for recording in RECORDINGS for call in recording.calls)
    assert {file.name for file in FOLDER.rglob("*.pb")} == {recording.file.name for recording in RECORDINGS}
