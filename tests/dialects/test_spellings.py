"""Attributes as libraries write them that are not recorded: each shape with the source that was read."""

import json
from typing import Any

import pytest

from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.reading.blobs import constructed
from llmlab_exporter.span import Event, Value
from normalise.spans import NOW_NS, call, span, take

Said = dict[str, Value]

ASKED: Said = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5-mini"}
TOTALS: Said = {"gen_ai.usage.input_tokens": 1873, "gen_ai.usage.output_tokens": 317}


class TestParts:
    @pytest.mark.parametrize(
        ("key", "field"),
        [
            # livekit/agents, livekit-agents/livekit/agents/telemetry/trace_types.py; langfuse.com/integrations
            ("gen_ai.usage.input_cached_tokens", "cache_read"),
            ("gen_ai.usage.input_audio_tokens", "audio_in"),
            ("gen_ai.usage.output_audio_tokens", "audio_out"),
            # openlit/openlit, sdk/typescript/src/semantic-convention.ts
            ("gen_ai.usage.prompt_tokens_details.cache_read", "cache_read"),
            ("gen_ai.usage.prompt_tokens_details.cache_write", "cache_write"),
            ("gen_ai.usage.completion_tokens_details.reasoning", "reasoning"),
            ("gen_ai.usage.completion_tokens_details.audio", "audio_out"),
            # hand-written ones that flatten OpenAI's object
            ("gen_ai.usage.prompt_tokens_details.cached_tokens", "cache_read"),
            ("gen_ai.usage.input_tokens_details.cached_tokens", "cache_read"),
            ("gen_ai.usage.completion_tokens_details.reasoning_tokens", "reasoning"),
            ("gen_ai.usage.output_tokens_details.reasoning_tokens", "reasoning"),
            ("gen_ai.usage.output_reasoning_tokens", "reasoning"),
            # getsentry/sentry-conventions, model/attributes/gen_ai
            ("gen_ai.usage.input_tokens.cached", "cache_read"),
            ("gen_ai.usage.output_tokens.reasoning", "reasoning"),
            # openllmetry of 2025, seen in 0.47.5
            ("llm.usage.cache_read_input_tokens", "cache_read"),
            ("llm.usage.reasoning_tokens", "reasoning"),
        ],
    )
    def test_are_read_under_every_name(self, key: str, field: str) -> None:
        assert getattr(call({**ASKED, **TOTALS, key: 7}).reading.usage, field) == 7

    def test_of_two_names_for_one_count_both_count_once(self) -> None:
        said: Said = {
            **ASKED,
            **TOTALS,
            "gen_ai.usage.cache_read.input_tokens": 1024,
            "gen_ai.usage.input_cached_tokens": 1024,
        }
        assert call(said).reading.usage == Usage(1873, 317, 1024)

    @pytest.mark.parametrize("key", ["gen_ai.usage", "llm.usage", "llm.token.counts"])
    @pytest.mark.parametrize("written", [json.dumps, dict], ids=["JSON", "map"])
    def test_a_usage_that_is_one_object_is_read_by_its_shape(self, key: str, written: Any) -> None:
        usage = {"prompt_tokens": 1873, "completion_tokens": 317, "prompt_tokens_details": {"cached_tokens": 1024}}
        assert call({**ASKED, key: written(usage)}).reading.usage == Usage(1873, 317, 1024)


class TestWhatElseIsSaid:
    @pytest.mark.parametrize(
        ("key", "value", "seconds"),
        [
            # microsoft/vscode-copilot-chat, docs/monitoring: milliseconds
            ("copilot_chat.time_to_first_token", 450, 0.45),
            # livekit/agents, telemetry/trace_types.py: seconds
            ("lk.response.ttft", 0.45, 0.45),
            # vllm-project/vllm, vllm/tracing.py: seconds
            ("gen_ai.latency.time_to_first_token", 0.45, 0.45),
            ("gen_ai.latency.time_to_first_token", "0.45", 0.45),
        ],
    )
    def test_the_first_chunk_under_other_names(self, key: str, value: Value, seconds: float) -> None:
        assert call({**ASKED, **TOTALS, key: value}).reading.first_chunk_s == seconds

    @pytest.mark.parametrize(
        ("key", "value", "reason"),
        [
            ("gen_ai.response.finish_reasons", ("stop", "length"), "stop,length"),
            ("gen_ai.response.finish_reasons", '["stop"]', "stop"),
            ("gen_ai.response.finish_reason", "FinishReason.STOP", "STOP"),
            ("gen_ai.completion.0.finish_reason", "end_turn", "end_turn"),
            ("anthropic.message.stop_reason", "end_turn", "end_turn"),
        ],
    )
    def test_why_the_model_stopped(self, key: str, value: Value, reason: str) -> None:
        assert call({**ASKED, **TOTALS, key: value}).reading.finish_reason == reason

    def test_an_event_may_say_why_the_model_stopped(self) -> None:
        choice = Event("gen_ai.choice", NOW_NS, {"finish_reason": "tool_use", "message": "[]"})
        assert call({**ASKED, **TOTALS}, events=[choice]).reading.finish_reason == "tool_use"

    def test_a_moment_in_words_is_counted_from_the_start(self) -> None:
        said: Said = {**ASKED, **TOTALS, "mastra.completion_start_time": "2026-11-18T15:06:38.250Z"}
        assert call(said, start_ns=1_795_014_398 * 10**9, end_ns=NOW_NS + 20_000 * 10**9).reading.first_chunk_s == 0.25

    @pytest.mark.parametrize("moment", ["2026-11-18T15:06:37Z", "soon", "", 7])
    def test_a_moment_before_the_start_or_none_is_unknown(self, moment: Value) -> None:
        said: Said = {**ASKED, **TOTALS, "mastra.completion_start_time": moment}
        assert call(said, start_ns=1_795_014_398 * 10**9).reading.first_chunk_s is None

    def test_the_oldest_names_of_openllmetry(self) -> None:
        """traceloop/openllmetry before 0.17, opentelemetry/semconv/ai/__init__.py."""
        said: Said = {
            "llm.vendor": "OpenAI",
            "llm.request.type": "chat",
            "llm.request.model": "gpt-4o-mini",
            "llm.response.model": "gpt-4o-mini-2024-07-18",
            "llm.usage.prompt_tokens": 1873,
            "llm.usage.completion_tokens": 317,
        }
        found = call(said)
        assert (found.provider, found.model, found.reading.usage) == (
            "openai",
            "gpt-4o-mini-2024-07-18",
            Usage(1873, 317),
        )
        silent = call({key: value for key, value in said.items() if "usage" not in key})
        assert (silent.reading.billable, silent.reading.usage) == (True, NO_USAGE)


class TestKinds:
    @pytest.mark.parametrize(
        ("key", "kind", "billable"),
        [
            # alibaba/loongsuite-python-agent, the conventions of ARMS
            ("gen_ai.span.kind", "LLM", True),
            ("gen_ai.span.kind", "EMBEDDING", True),
            ("gen_ai.span.kind", "CHAIN", False),
            ("gen_ai.span.kind", "AGENT", False),
            # AgentOps-AI/agentops, agentops/semconv/span_kinds.py
            ("agentops.span.kind", "llm", True),
            ("agentops.span.kind", "session", False),
            # lmnr-ai/lmnr-python
            ("lmnr.span.type", "LLM", True),
            ("lmnr.span.type", "TOOL", False),
            # Scale3-Labs/langtrace-python-sdk
            ("langtrace.service.type", "llm", True),
            ("langtrace.service.type", "framework", False),
        ],
    )
    def test_of_the_kinds_of_spans_only_inference_is_billed(self, key: str, kind: str, billable: bool) -> None:
        assert call({**TOTALS, "gen_ai.request.model": "m", key: kind}).reading.billable is billable

    @pytest.mark.parametrize(
        ("operation", "billable"),
        [
            # google-gemini/gemini-cli, docs/cli/telemetry.md
            ("llm_call", True),
            ("tool_call", False),
            ("agent_call", False),
            ("user_prompt", False),
            ("schedule_tool_calls", False),
            # mozilla-ai/any-agent, src/any_agent/tracing/span_attrs.py
            ("call_llm", True),
            ("execute_tool", False),
        ],
    )
    def test_operations_of_agents_that_are_no_inference(self, operation: str, billable: bool) -> None:
        said: Said = {**ASKED, **TOTALS, "gen_ai.operation.name": operation}
        assert call(said).reading.billable is billable


class TestLangfuseInOtherLanguages:
    """The gem ai-agents, lib/agents/instrumentation: Langfuse's type, and all else by the conventions."""

    SAID: Said = {  # noqa: RUF012 - attributes of a span, which nobody changes
        "langfuse.observation.type": "generation",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.id": "chatcmpl-1",
        "langfuse.session.id": "s",
        "langfuse.user.id": "u",
        **TOTALS,
    }

    def test_what_the_conventions_say_is_not_lost(self) -> None:
        found = call(self.SAID, scope="agents")
        reading = found.reading
        assert (found.dialect, found.provider, found.model) == ("langfuse", "openai", "gpt-4o-mini")
        assert (reading.usage, reading.usage_source) == (Usage(1873, 317), "reported")
        assert (reading.response_id, reading.user, reading.session) == ("chatcmpl-1", "u", "s")

    def test_langfuses_own_counts_go_before(self) -> None:
        details = json.dumps({"prompt_tokens": 5, "completion_tokens": 2})
        reading = call({**self.SAID, "langfuse.observation.usage_details": details}, scope="agents").reading
        assert reading.usage == Usage(5, 2)

    def test_other_observations_are_no_calls_even_with_usage(self) -> None:
        assert not take(span({**self.SAID, "langfuse.observation.type": "agent"}), scope="agents").calls

    def test_the_usage_of_claude_without_a_word_of_the_cache_is_doubted(self) -> None:
        said: Said = {**self.SAID, "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-sonnet-4-5"}
        assert call(said, scope="agents").reading.usage_source == "estimated"


class TestBraintrust:
    """braintrustdata/braintrust-sdk-ruby, lib/braintrust/contrib/support/{openai,anthropic}.rb, and -sdk-dotnet."""

    METRICS = json.dumps(
        {
            "prompt_tokens": 5807,
            "completion_tokens": 389,
            "prompt_cached_tokens": 4096,
            "prompt_cache_creation_tokens": 1500,
            "tokens": 6196,
            "time_to_first_token": 0.25,
        }
    )
    METADATA = json.dumps(
        {"provider": "anthropic", "model": "claude-sonnet-4-5-20250929", "id": "msg_1", "stream": True}
    )

    def test_ruby_and_go_write_json(self) -> None:
        said: Said = {
            "braintrust.span_attributes": '{"type":"llm"}',
            "braintrust.metrics": self.METRICS,
            "braintrust.metadata": self.METADATA,
        }
        found = call(said, scope="braintrust")
        reading = found.reading
        assert (found.provider, found.model, reading.response_id) == (
            "anthropic",
            "claude-sonnet-4-5-20250929",
            "msg_1",
        )
        assert (reading.usage, reading.usage_source) == (Usage(5807, 389, 4096, 1500), "reported")
        assert (reading.stream, reading.first_chunk_s) == (True, 0.25)

    def test_dotnet_writes_an_attribute_for_each_number(self) -> None:
        said: Said = {
            "braintrust.metrics.prompt_tokens": 1873,
            "braintrust.metrics.completion_tokens": 317,
            "braintrust.metadata.model": "gpt-5-mini",
        }
        found = call(said, scope="Braintrust.Sdk")
        assert (found.dialect, found.provider, found.reading.usage) == ("braintrust", "openai", Usage(1873, 317))

    @pytest.mark.parametrize("kind", ["score", "eval", "task", "tool", "function"])
    def test_other_spans_are_no_calls(self, kind: str) -> None:
        said: Said = {"braintrust.span_attributes": json.dumps({"type": kind}), "braintrust.metrics": self.METRICS}
        assert not take(span(said), scope="braintrust").calls

    def test_what_failed_without_an_answer_is_not_billed(self) -> None:
        said: Said = {"braintrust.span_attributes": '{"type":"llm"}', "braintrust.metadata": '{"model": "gpt-5-mini"}'}
        assert not call(said, scope="braintrust", failed=True).reading.billable
        assert call(said, scope="braintrust").reading.billable


class TestStrands:
    """strands-agents/sdk-python 1.10, src/strands/models/anthropic.py: no cached tokens, and zeros for them."""

    FLAT: Said = {  # noqa: RUF012
        "gen_ai.system": "strands-agents",
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 211,
        "gen_ai.usage.output_tokens": 389,
        "gen_ai.usage.cache_read_input_tokens": 0,
        "gen_ai.usage.cache_write_input_tokens": 0,
    }

    @pytest.mark.parametrize(
        ("model", "source"),
        [
            ("claude-sonnet-4-5", "estimated"),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "reported"),
            ("gpt-5-mini", "reported"),
        ],
    )
    def test_zeros_are_believed_but_of_anthropics_own_api(self, model: str, source: str) -> None:
        said: Said = {**self.FLAT, "gen_ai.request.model": model}
        assert call(said, scope="strands.telemetry.tracer").reading.usage_source == source

    def test_versions_that_follow_the_conventions_are_believed(self) -> None:
        said: Said = {
            **self.FLAT,
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.usage.cache_read.input_tokens": 0,
        }
        assert call(said, scope="strands.telemetry.tracer").reading.usage_source == "reported"


class TestPrintedObjects:
    def test_an_object_is_read_as_python_prints_it(self) -> None:
        printed = "Completion(id='c-1', choices=[Choice(index=0, text=None)], usage=Usage(total=7, parts=Parts(a=1)))"
        assert constructed(printed) == {
            "id": "c-1",
            "choices": ({"index": 0, "text": None},),
            "usage": {"total": 7, "parts": {"a": 1}},
        }

    @pytest.mark.parametrize("text", ["", "plain words", "f(", "(1, 2)", "[f(a=1)]", "x" * 20_000 + "(a=1)"])
    def test_other_texts_are_none(self, text: str) -> None:
        assert constructed(text) == {}

    def test_nothing_is_ever_run(self) -> None:
        assert constructed("f(a=__import__('os').getcwd(), b=1)") == {"a": {}, "b": 1}
