"""Reading what Bedrock reports, by API and by the family of the model."""

import json
from typing import Any

import pytest

from llmlab.formats.bedrock import ConverseEvents, InvokedBody, InvokedChunks, read_body, read_converse
from llmlab.usage import NO_USAGE, Usage, contradictions


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, NO_USAGE),
        ({}, NO_USAGE),
        ({"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}, Usage(input=10, output=5)),
        (
            {"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokens": 0, "cacheWriteInputTokens": 0},
            Usage(input=10, output=5, cache_read=0, cache_write=0),
        ),
        (
            {"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokens": 100},
            Usage(input=110, output=5, cache_read=100),
        ),
        (
            {
                "inputTokens": 10,
                "outputTokens": 5,
                "cacheWriteInputTokens": 60,
                "cacheDetails": [{"ttl": "1h", "inputTokens": 40}, {"ttl": "1h", "inputTokens": 20}],
            },
            Usage(input=70, output=5, cache_write=60, cache_write_1h=60),
        ),
        ({"inputTokens": "10", "outputTokens": -5}, NO_USAGE),
    ],
)
def test_the_cache_is_part_of_the_input(usage: Any, expected: Usage) -> None:
    read = read_converse({"usage": usage}).usage
    assert read == expected
    assert not contradictions(read)


def test_a_prompt_router_says_which_model_served() -> None:
    served = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"
    assert read_converse({"trace": {"promptRouter": {"invokedModelId": served}}}).model == served


NOVA = {"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokenCount": 100, "cacheWriteInputTokenCount": 7}


@pytest.mark.parametrize(
    ("body", "usage", "endings"),
    [
        ({"stopReason": "end_turn", "usage": NOVA}, Usage(117, 5, cache_read=100, cache_write=7), ("end_turn",)),
        (
            {"inputTextTokenCount": 10, "results": [{"tokenCount": 3, "completionReason": "FINISH"}] * 2},
            Usage(10, 6),
            ("FINISH", "FINISH"),
        ),
        ({"prompt_token_count": 10, "generation_token_count": 5, "stop_reason": "stop"}, Usage(10, 5), ("stop",)),
        ({"generations": [{"text": "x", "finish_reason": "COMPLETE"}]}, NO_USAGE, ("COMPLETE",)),
        ({"outputs": [{"text": "x", "stop_reason": "length"}]}, NO_USAGE, ("length",)),
        ({"images": ["aGVsbG8="]}, NO_USAGE, ()),
        ({"usage": {"prompt_tokens": 10, "completion_tokens": 5}, "choices": []}, Usage(10, 5), ()),
        (
            {"usage": {"input_tokens": 1, "output_tokens": 5, "cache_read_input_tokens": 9}, "stop_reason": "end_turn"},
            Usage(10, 5, cache_read=9),
            ("end_turn",),
        ),
    ],
)
def test_each_family_has_words_of_its_own(body: dict[str, Any], usage: Usage, endings: tuple[str, ...]) -> None:
    reply = read_body(body)
    assert (reply.usage, reply.finish_reasons) == (usage, endings)


HEADERS = {"x-amzn-bedrock-input-token-count": "10", "x-amzn-bedrock-output-token-count": "5"}


def body_of(headers: dict[str, str], raw: bytes) -> Usage:
    body = InvokedBody(headers)
    body.read(raw)
    return body.reply().usage


def test_the_body_knows_more_than_the_headers() -> None:
    raw = json.dumps({"usage": {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 90}}).encode()
    assert body_of(HEADERS, raw) == Usage(100, 5, cache_read=90)


@pytest.mark.parametrize("raw", [b"", b"\x89PNG", b"[]", b'{"text": "hi"}', b'{"usage": {"input_tokens'])
def test_where_the_body_says_nothing_the_headers_do(raw: bytes) -> None:
    assert body_of(HEADERS, raw) == Usage(10, 5)
    assert body_of({}, raw) == NO_USAGE


def test_a_long_body_is_not_parsed_unless_it_must() -> None:
    raw = json.dumps({"inputTextTokenCount": 77, "embedding": [0.5] * 100_000}).encode()
    embedded = {"x-amzn-bedrock-input-token-count": "10"}
    assert body_of(embedded, raw) == Usage(10)
    assert body_of({}, raw) == Usage(77)


def chunk(**fields: Any) -> dict[str, Any]:
    return {"chunk": {"bytes": json.dumps(fields).encode()}}


def test_bedrocks_own_count_holds_where_the_family_reports_none() -> None:
    chunks = InvokedChunks()
    chunks.read(chunk(text="a", is_finished=False))
    metrics = {"inputTokenCount": 10, "outputTokenCount": 5, "cacheReadInputTokenCount": 90}
    chunks.read({**chunk(is_finished=True, finish_reason="COMPLETE", **{"amazon-bedrock-invocationMetrics": metrics})})
    assert chunks.reply().usage == Usage(100, 5, cache_read=90)
    assert chunks.reply().finish_reasons == ("COMPLETE",)


def test_running_counts_are_kept_from_chunk_to_chunk() -> None:
    chunks = InvokedChunks()
    chunks.read(chunk(generation="a", prompt_token_count=10, generation_token_count=1))
    chunks.read(chunk(generation="b", prompt_token_count=None, generation_token_count=2))
    assert chunks.reply().usage == Usage(10, 2)


def test_a_text_that_talks_of_events_is_no_event() -> None:
    chunks = InvokedChunks()
    chunks.read(chunk(generation='say "content_block_delta"', prompt_token_count=10, generation_token_count=1))
    assert chunks.reply().usage == Usage(10, 1)


def test_a_conversation_has_ended_with_its_last_event() -> None:
    events = ConverseEvents()
    events.read({"messageStop": {"stopReason": "end_turn"}})
    assert events.reply().ended is False
    events.read({"metadata": {"usage": {"inputTokens": 10, "outputTokens": 5}}})
    assert events.reply().ended
    assert events.reply().usage == Usage(10, 5)
