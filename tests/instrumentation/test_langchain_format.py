"""What LangChain's results say, integration by integration."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, Generation

from llmlab.formats.langchain import read_generations, read_usage_metadata
from llmlab.usage import NO_USAGE, Usage, contradictions


def answered(**message: Any) -> list[ChatGeneration]:
    return [ChatGeneration(message=AIMessage(content="", **message))]


@pytest.mark.parametrize(
    ("given", "answered", "expected"),
    [
        ({}, {}, Usage(1873, 317)),
        ({"cache_read": 1024, "audio": 7}, {"reasoning": 192, "audio": 3}, None),
        ({"flex_cache_read": 1024, "flex": 849, "audio": 7}, {"flex_reasoning": 192, "flex": 125, "audio": 3}, None),
        (
            {"cache_creation": 0, "ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 12},
            {},
            Usage(1873, 317, cache_write=42, cache_write_5m=30, cache_write_1h=12),
        ),
        (
            {"cache_creation": 42, "ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 12},
            {},
            Usage(1873, 317, cache_write=42, cache_write_5m=30, cache_write_1h=12),
        ),
        ({"cache_creation": 42}, {}, Usage(1873, 317, cache_write=42)),
    ],
    ids=[
        "totals alone",
        "parts",
        "the tier before the parts",
        "lifetimes",
        "lifetimes beside the total",
        "no lifetimes",
    ],
)
def test_usage_metadata_becomes_totals_and_parts(
    given: dict[str, int], answered: dict[str, int], expected: Usage | None
) -> None:
    metadata = {"input_tokens": 1873, "output_tokens": 317, "total_tokens": 2190}
    usage = read_usage_metadata(metadata | {"input_token_details": given, "output_token_details": answered})
    assert usage == (expected or Usage(1873, 317, cache_read=1024, audio_in=7, reasoning=192, audio_out=3))
    assert not contradictions(usage)


def test_choices_share_one_usage() -> None:
    usage = {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11}
    reply = read_generations(answered(usage_metadata=usage) * 2, None)
    assert reply.usage == Usage(5, 6)


def test_an_older_model_says_its_usage_beside_the_text() -> None:
    output = {"token_usage": {"prompt_tokens": 5, "completion_tokens": 6}, "model_name": "m-1"}
    reply = read_generations([Generation(text="a")], output)
    assert (reply.model, reply.usage) == ("m-1", Usage(5, 6))


@pytest.mark.parametrize("output", [None, {}, {"token_usage": {}}, {"token_usage": "many"}])
def test_unknown_usage_stays_unknown(output: Any) -> None:
    assert read_generations(answered(), output).usage == NO_USAGE
    assert read_generations([], output).usage == NO_USAGE


def test_a_model_named_on_each_chunk_is_named_once() -> None:
    metadata = {"model_name": "gpt-4o" * 3, "finish_reason": "stop", "service_tier": "default"}
    reply = read_generations(answered(response_metadata=metadata), None)
    assert (reply.model, reply.finish_reasons, reply.tier) == ("gpt-4o", ("stop",), "default")


@pytest.mark.parametrize(("own", "id"), [("chatcmpl-1", "chatcmpl-1"), ("run--7", None), ("lc_run--7", None)])
def test_an_id_of_langchains_own_is_no_response_id(own: str, id: str | None) -> None:  # noqa: A002
    assert read_generations(answered(id=own), None).id == id
