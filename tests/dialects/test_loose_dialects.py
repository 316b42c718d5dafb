"""What the recordings do not show: other versions, and libraries that nobody recorded."""

import json

import pytest

from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.call import Call
from llmlab_exporter.span import Event, Value
from normalise.spans import NOW_NS, call, span, take

KNOWN = {"gen_ai.request.model": "m", "gen_ai.system": "anthropic"}


def counted(scope: str, **counts: Value) -> Call:
    said: dict[str, Value] = {f"gen_ai.usage.{key.replace('__', '.')}": value for key, value in counts.items()}
    return call({**KNOWN, **said}, scope=scope)


class TestStrangers:
    @pytest.mark.parametrize(
        ("key", "field"),
        [
            ("cache_read_input_tokens", "cache_read"),
            ("cache_creation_input_tokens", "cache_write"),
            ("input_tokens.cached", "cache_read"),
            ("output_tokens.reasoning", "reasoning"),
            ("reasoning_tokens", "reasoning"),
            ("details.cache_write_tokens", "cache_write"),
        ],
    )
    def test_parts_are_read_under_every_name(self, key: str, field: str) -> None:
        usage = call({**KNOWN, "gen_ai.usage.input_tokens": 9, f"gen_ai.usage.{key}": "4"}).reading.usage
        assert (usage.input, getattr(usage, field)) == (9, 4)

    def test_a_library_that_writes_all_as_text_is_read(self) -> None:
        reading = call(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.system": "openai",
                "gen_ai.request.model": "gpt-5-mini",
                "gen_ai.usage.input_tokens": "1873",
                "gen_ai.usage.output_tokens": "317",
                "gen_ai.usage.total_tokens": "2190",
                "gen_ai.response.finish_reasons": '["stop"]',
                "gen_ai.is_streaming": "True",
            }
        ).reading
        assert (reading.usage, reading.finish_reason, reading.stream) == (Usage(1873, 317), "stop", True)

    @pytest.mark.parametrize(
        ("attributes", "dialect"),
        [
            (
                {"openinference.span.kind": "LLM", "llm.token_count.prompt": 5, "gen_ai.operation.name": "chat"},
                "openinference",
            ),
            ({"langfuse.observation.type": "generation"}, "langfuse"),
            ({"ai.operationId": "ai.generateText.doGenerate", "gen_ai.system": "openai.chat"}, "vercel"),
            ({"litellm.call_id": "1", "gen_ai.request.model": "m"}, "litellm"),
            ({"gen_ai.request.model": "m", "gen_ai.usage.raw": "{}"}, "logfire"),
            ({"gen_ai.usage.prompt_tokens": 5}, "genai"),
        ],
    )
    def test_an_unknown_scope_is_told_by_its_attributes(self, attributes: dict[str, Value], dialect: str) -> None:
        assert call(attributes, scope="com.acme.tracing").dialect == dialect

    def test_a_first_chunk_in_whole_numbers_is_in_milliseconds(self) -> None:
        key = "gen_ai.server.time_to_first_token"
        assert call({**KNOWN, key: 250}).reading.first_chunk_s == 0.25
        assert call({**KNOWN, key: 0.25}).reading.first_chunk_s == 0.25


class TestWhatStandsBeside:
    @pytest.mark.parametrize(
        "scope", ["openlit.instrumentation.anthropic", "opentelemetry.instrumentation.botocore.bedrock-runtime"]
    )
    def test_libraries_known_for_it_are_converted_even_if_the_cache_is_small(self, scope: str) -> None:
        usage = counted(scope, input_tokens=211, output_tokens=3, cache_read__input_tokens=100).reading.usage
        assert usage == Usage(311, 3, 100)

    def test_a_stranger_with_a_small_cache_is_taken_at_its_word(self) -> None:
        usage = counted("acme", input_tokens=211, output_tokens=3, cache_read__input_tokens=100).reading.usage
        assert usage == Usage(211, 3, 100)

    def test_an_input_of_which_nobody_knows_what_was_cached_is_an_estimate(self) -> None:
        reading = counted("openlit.otel.tracing", input_tokens=211, output_tokens=3).reading
        assert (reading.usage_source, reading.usage_spoiled) == ("estimated", False)
        assert reading.flaws

    def test_words_that_a_library_counted_itself_are_not_priced(self) -> None:
        said: dict[str, Value] = {
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.system": "openai",
            "gen_ai.request.is_stream": True,
            "gen_ai.usage.input_tokens": 71,
        }
        assert call(said, scope="openlit.otel.tracing").reading.usage_spoiled


class TestEvents:
    def test_usage_on_an_event_is_that_of_the_span(self) -> None:
        early = Event("e", NOW_NS, {"gen_ai.usage.input_tokens": 1})
        late = Event("e", NOW_NS, {"gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 2})
        assert call(KNOWN, events=[early, late]).reading.usage == Usage(7, 2)
        own = {**KNOWN, "gen_ai.usage.input_tokens": 9}
        assert call(own, events=[late]).reading.usage == Usage(9, 2)

    @pytest.mark.parametrize(("failed", "error"), [(True, "TimeoutError"), (False, "")])
    def test_an_exception_names_the_error_of_a_span_that_failed(self, failed: bool, error: str) -> None:
        event = Event("exception", NOW_NS, {"exception.type": "TimeoutError"})
        assert call(KNOWN, events=[event], failed=failed).reading.error == error


class TestVercel:
    def test_version_5_hands_on_what_anthropic_counts_beside(self) -> None:
        native = {"anthropic": {"usage": {"input_tokens": 211, "cache_read_input_tokens": 4096, "output_tokens": 9}}}
        reading = self.read(inputTokens=211, outputTokens=9, cachedInputTokens=4096, metadata=json.dumps(native))
        assert reading == Usage(4307, 9, 4096)

    def test_so_it_does_without_the_providers_object(self) -> None:
        assert self.read(inputTokens=211, outputTokens=9, cachedInputTokens=100) == Usage(311, 9, 100)

    def test_version_6_counts_them_inside(self) -> None:
        usage = self.read(inputTokens=4307, outputTokens=9, inputTokenDetails__cacheReadTokens=4096)
        assert usage == Usage(4307, 9, 4096)

    def read(self, metadata: str = "", **counts: Value) -> Usage:
        said: dict[str, Value] = {f"ai.usage.{key.replace('__', '.')}": value for key, value in counts.items()}
        base: dict[str, Value] = {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.provider": "anthropic.messages",
            "ai.response.id": "msg_1",
            "ai.response.providerMetadata": metadata,
        }
        return call({**base, **said}, scope="ai").reading.usage

    @pytest.mark.parametrize(("operation", "billable"), [("ai.streamText.doStream", True), ("ai.streamText", False)])
    def test_only_the_request_to_the_model_is_billed(self, operation: str, billable: bool) -> None:
        assert call({"ai.operationId": operation, "ai.usage.inputTokens": 5}).reading.billable is billable

    def test_a_tool_is_no_call(self) -> None:
        assert take(span({"ai.operationId": "ai.toolCall"}), scope="ai").calls == []


class TestLangfuse:
    @pytest.mark.parametrize(
        ("details", "usage", "source"),
        [
            ({"input": 93}, Usage(93), "reported"),
            ({"input": 849, "input_cached_tokens": 1024, "output": 125, "output_reasoning_tokens": 192, "total": 2190},
             Usage(1873, 317, 1024, reasoning=192), "reported"),
            ({"input": 1873, "input_cached_tokens": 1024, "output": 317, "total": 2190},
             Usage(1873, 317, 1024), "reported"),
            ({"input": 849, "input_cached_tokens": 1024, "output": 317}, Usage(1873, 317, 1024), "estimated"),
            ({}, NO_USAGE, None),
        ],
        ids=["plain", "disjoint", "inside", "unproven", "none"],
    )  # fmt: skip
    def test_the_total_tells_whether_flat_counts_are_disjoint(
        self, details: dict[str, int], usage: Usage, source: str | None
    ) -> None:
        said: dict[str, Value] = {
            "langfuse.observation.type": "generation",
            "langfuse.observation.usage_details": json.dumps(details),
        }
        reading = call(said, scope="langfuse-sdk").reading
        assert (reading.usage, reading.usage_source) == (usage, source)

    @pytest.mark.parametrize("kind", ["span", "agent", "tool", "chain", ""])
    def test_other_observations_are_no_calls(self, kind: str) -> None:
        assert take(span({"langfuse.observation.type": kind}), scope="langfuse-sdk").calls == []


class TestLiteLLM:
    @pytest.mark.parametrize(
        ("said", "read"),
        [
            ("chatcmpl-925e883e-6256-44c6-9e53-4387a805b52f", ""),
            ("chatcmpl-925e883e625644c69e53", "chatcmpl-925e883e625644c69e53"),
            ("the-call", ""),
            ("resp_bGl0ZWxsbTpyZXNwb25zZV9pZDpyZXNwXzE=", "resp_1"),
            ("resp_9a233a8186a5484abc26fd20c2066225", "resp_9a233a8186a5484abc26fd20c2066225"),
        ],
    )
    def test_only_the_providers_id_is_the_id_of_the_response(self, said: str, read: str) -> None:
        reading = call({**KNOWN, "litellm.call_id": "the-call", "gen_ai.response.id": said}, scope="litellm").reading
        assert reading.response_id == read


class TestClaudeCode:
    def test_its_requests_are_read(self) -> None:
        said: dict[str, Value] = {
            "model": "claude-sonnet-4-5",
            "input_tokens": 211,
            "output_tokens": 389,
            "cache_read_tokens": 4096,
            "cache_creation_tokens": 1500,
            "request_id": "req_011CcuGBf1",
            "stop_reason": "end_turn",
            "ttft_ms": 812,
        }
        found = call(said, name="claude_code.llm_request", scope="com.anthropic.claude_code")
        assert (found.provider, found.reading.usage) == ("anthropic", Usage(5807, 389, 4096, 1500))
        assert (found.reading.finish_reason, found.reading.first_chunk_s) == ("end_turn", 0.812)
        assert take(span(said, name="claude_code.tool"), scope="com.anthropic.claude_code").calls == []


class TestPydanticAi:
    def test_version_1_tells_anthropics_own_counts_only(self) -> None:
        said = {"details__input_tokens": 211, "details__output_tokens": 9, "details__cache_read_input_tokens": 4096}
        assert counted("pydantic-ai", **said).reading.usage == Usage(4307, 9, 4096)

    def test_the_sum_of_its_agent_is_no_call(self) -> None:
        said: dict[str, Value] = {**KNOWN, "gen_ai.usage.input_tokens": 5}
        assert not call(said, name="agent run", scope="pydantic-ai").reading.billable

    def test_what_does_not_live_an_hour_lives_five_minutes(self) -> None:
        said = {"input_tokens": 5807, "cache_creation__input_tokens": 1500, "details__ephemeral_1h_input_tokens": 500}
        usage = counted("pydantic-ai", **said).reading.usage
        assert (usage.cache_write_5m, usage.cache_write_1h) == (1000, 500)
