import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.reading.answers import read_answer
from llmlab_exporter.reading.blobs import MAX_JSON_CHARS, fields_of
from llmlab_exporter.reading.native import cost_in, read_native, seller_in
from llmlab_exporter.span import Value

ANTHROPIC: dict[str, Value] = {
    "input_tokens": 211,
    "cache_creation_input_tokens": 1500,
    "cache_read_input_tokens": 4096,
    "output_tokens": 389,
    "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 500},
    "output_tokens_details": {"thinking_tokens": 128},
}


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        (ANTHROPIC, Usage(5807, 389, 4096, 1500, 1000, 500, reasoning=128)),
        (
            {
                "prompt_tokens": 1873,
                "completion_tokens": 317,
                "prompt_tokens_details": {"cached_tokens": 1024},
                "completion_tokens_details": {"reasoning_tokens": 192},
            },
            Usage(1873, 317, 1024, reasoning=192),
        ),
        (
            {"input_tokens": 2741, "output_tokens": 523, "input_tokens_details": {"cached_tokens": 1536}},
            Usage(2741, 523, 1536),
        ),
        (
            {"input_tokens": 5807, "output_tokens": 9, "input_token_details": {"cache_read": 7, "cache_creation": 0}},
            Usage(5807, 9, 7, 0),
        ),
        (
            {"promptTokenCount": 1873, "candidatesTokenCount": 125, "thoughtsTokenCount": 192},
            Usage(1873, 317, reasoning=192),
        ),
        (
            {"prompt_token_count": 10, "tool_use_prompt_token_count": 5, "candidates_token_count": 1},
            Usage(15, 1),
        ),
        (
            {"inputTokens": 211, "outputTokens": 389, "cacheReadInputTokens": 4096, "cacheWriteInputTokens": 1500},
            Usage(5807, 389, 4096, 1500),
        ),
        ({"inputTokens": 5807, "outputTokens": 389, "cachedInputTokens": 4096}, Usage(5807, 389, 4096)),
        ({"total_tokens": 5}, NO_USAGE),
        ({}, NO_USAGE),
    ],
    ids=[
        "anthropic beside",
        "openai inside",
        "responses inside",
        "langchain inside",
        "gemini thoughts beside",
        "gemini tools beside",
        "bedrock beside",
        "vercel inside",
        "unknown",
        "empty",
    ],
)
def test_each_shape_is_read_by_its_own_convention(said: dict[str, Value], usage: Usage) -> None:
    assert read_native(said).usage == usage


def test_a_compaction_is_billed_on_top() -> None:
    passes: Value = (
        {"type": "compaction", "input_tokens": 7001, "output_tokens": 803},
        {"type": "message", "input_tokens": 211},
    )
    usage = read_native({**ANTHROPIC, "iterations": passes}).usage
    assert (usage.input, usage.output) == (12808, 1192)


@pytest.mark.parametrize(("total", "output"), [(1340, 240), (1300, 200), (None, 200)])
def test_reasoning_beside_the_output_is_added_only_if_the_total_proves_it(total: int | None, output: int) -> None:
    details: Value = {"reasoning_tokens": 40}
    said: dict[str, Value] = {
        "prompt_tokens": 1100,
        "completion_tokens": 200,
        "completion_tokens_details": details,
        "total_tokens": total,
    }
    assert read_native(said).usage.output == output


def test_lifetimes_alone_say_what_was_written() -> None:
    details: Value = {"cache_creation": 0, "ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 500}
    usage = read_native({"input_tokens": 5807, "output_tokens": 1, "input_token_details": details}).usage
    assert (usage.cache_write, usage.cache_write_5m, usage.cache_write_1h) == (1500, 1000, 500)


@pytest.mark.parametrize(
    ("said", "cost", "seller"),
    [
        ({"cost": 0.009132, "is_byok": False}, "0.009132", "openrouter"),
        ({"cost": 0.0001, "is_byok": True}, "None", "openrouter"),
        ({"cost": {"total_cost": 0.006}}, "0.006", ""),
        ({"cost": -1}, "None", ""),
        ({}, "None", ""),
    ],
)
def test_only_what_the_provider_itself_charged_is_its_cost(said: dict[str, Value], cost: str, seller: str) -> None:
    assert (str(cost_in(said)), seller_in(said)) == (cost, seller)


class TestBlobs:
    @pytest.mark.parametrize("blob", ['{"a": 1}', "{'a': 1}", "{'a': 1, 'b': None}", {"a": 1}])
    def test_an_object_may_be_json_python_or_a_map(self, blob: Value) -> None:
        assert fields_of(blob)["a"] == 1

    @pytest.mark.parametrize(
        "blob",
        [
            None,
            7,
            "",
            "[1]",
            "{",
            "{'a': open('x')}",
            "{" * 200_000,
            '{"a":' * 50_000,
            f'{{"a": "{"x" * MAX_JSON_CHARS}"}}',
        ],
    )
    def test_anything_else_is_nothing(self, blob: Value) -> None:
        assert fields_of(blob) == {}

    @given(st.text())
    def test_no_text_is_an_error(self, text: str) -> None:
        read_answer("{" + text)
        read_native(fields_of("{" + text))


class TestAnswers:
    def test_langchains_result_tells_the_providers_id_and_usage(self) -> None:
        usage = {"input_tokens": 1, "cache_read_input_tokens": 2}
        metadata = {"id": "msg_1", "model_name": "m", "usage": usage}
        message = {"kwargs": {"id": "lc_run--1", "response_metadata": metadata}}
        answer = read_answer(json.dumps({"generations": [[{"message": message}]], "llm_output": None}))
        assert (answer.id, answer.model, answer.counts.usage) == ("msg_1", "m", Usage(3, cache_read=2))

    @pytest.mark.parametrize("message_id", ["lc_run--1", "msg_1"])
    def test_an_id_that_langchain_made_up_is_none(self, message_id: str) -> None:
        answer = read_answer(f'{{"generations": [[{{"message": {{"kwargs": {{"id": "{message_id}"}}}}}}]]}}')
        assert answer.id == ("" if message_id.startswith("lc_run") else message_id)

    @pytest.mark.parametrize(
        "blob", ['{"generations": 7}', '{"generations": [7]}', '{"generations": [[]]}', '{"usage": []}']
    )
    def test_an_answer_of_another_form_tells_nothing(self, blob: str) -> None:
        assert read_answer(blob).counts.usage == NO_USAGE
