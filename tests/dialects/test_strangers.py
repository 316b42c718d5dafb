"""Libraries that are not recorded, written as their sources and documentation say, and what no library may do to us."""

import pytest

from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.span import Value
from normalise.spans import call, span, take

Said = dict[str, Value]

GEMINI: Said = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gemini-2.5-flash"}
CLAUDE: Said = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-4-5"}


def counts(**said: Value) -> Said:
    return {f"gen_ai.usage.{name.replace('__', '.')}": value for name, value in said.items()}


class TestTotals:
    def test_thoughts_that_only_the_total_counts_belong_to_the_output(self) -> None:
        usage = call({**GEMINI, **counts(input_tokens=1873, output_tokens=125, total_tokens=2190)}).reading.usage
        assert usage == Usage(1873, 317, reasoning=192)

    def test_a_total_that_is_the_sum_changes_nothing(self) -> None:
        usage = call({**GEMINI, **counts(input_tokens=1873, output_tokens=317, total_tokens=2190)}).reading.usage
        assert usage == Usage(1873, 317)

    def test_a_total_is_not_believed_of_models_that_do_not_think_beside_the_answer(self) -> None:
        said: Said = {**CLAUDE, **counts(input_tokens=9, output_tokens=1, total_tokens=50, cache_read_tokens=2)}
        assert call(said).reading.usage == Usage(9, 1, 2)

    @pytest.mark.parametrize(("total", "whole"), [(1100, 1000), (1099, 600)])
    def test_a_total_proves_that_the_cache_stands_beside_the_input(self, total: int, whole: int) -> None:
        said: Said = {
            **CLAUDE,
            **counts(input_tokens=600, output_tokens=100, cache_read_tokens=400, total_tokens=total),
        }
        reading = call(said).reading
        assert (reading.usage, reading.usage_source) == (Usage(whole, 100, 400), "reported")


class TestUntoldCache:
    def test_a_stranger_that_says_nothing_of_the_cache_of_claude_is_doubted(self) -> None:
        reading = call({**CLAUDE, **counts(input_tokens=211, output_tokens=389)}).reading
        assert (reading.usage, reading.usage_source) == (Usage(211, 389), "estimated")
        assert reading.flaws

    @pytest.mark.parametrize(
        "said",
        [
            {**CLAUDE, **counts(input_tokens=211, cache_read__input_tokens=0)},
            {**CLAUDE, **counts(input_tokens=211), "gen_ai.provider.name": "openai"},
            {**CLAUDE, **counts(input_tokens=211), "gen_ai.request.model": "gpt-5-mini"},
        ],
    )
    def test_whoever_says_that_nothing_was_cached_or_counts_like_openai_is_believed(self, said: Said) -> None:
        assert (call(said).reading.usage_source, call(said).reading.flaws) == ("reported", ())

    def test_a_total_that_counts_the_cache_gives_the_whole_input(self) -> None:
        said: Said = {**CLAUDE, **counts(input_tokens=211, output_tokens=389, total_tokens=6196)}
        reading = call(said).reading
        assert (reading.usage.input, reading.usage_source) == (5807, "estimated")


class TestWhatIsNoCall:
    @pytest.mark.parametrize("operation", ["model_chunk", "model_generation", "acme.something"])
    def test_an_unknown_operation_of_no_model_is_none(self, operation: str) -> None:
        assert not call({"gen_ai.operation.name": operation, "gen_ai.system": "acme"}).reading.billable

    @pytest.mark.parametrize("operation", ["acompletion", "acme.something"])
    def test_an_unknown_operation_of_a_model_is_one(self, operation: str) -> None:
        assert call({"gen_ai.operation.name": operation, "gen_ai.request.model": "m"}).reading.billable

    @pytest.mark.parametrize("operation", ["framework", "chain", "tool", "orchestrate_tools", "workflow"])
    def test_what_frameworks_call_their_other_spans_is_none_even_with_usage(self, operation: str) -> None:
        said: Said = {"gen_ai.operation.name": operation, "gen_ai.request.model": "m", **counts(input_tokens=5)}
        assert not call(said).reading.billable

    def test_an_agents_span_that_only_its_name_tells_is_none(self) -> None:
        assert not call({"agent_name": "a", **counts(input_tokens=5)}, name="agent run").reading.billable

    def test_a_silent_stream_of_old_is_one(self) -> None:
        said: Said = {"gen_ai.system": "Anthropic", "llm.request.type": "completion", "gen_ai.request.model": "m"}
        reading = call(said, scope="opentelemetry.instrumentation.anthropic").reading
        assert (reading.billable, reading.usage) == (True, NO_USAGE)


class TestSpringAi:
    """https://docs.spring.io/spring-ai/reference/observability/: counts are written as text."""

    CLIENT: Said = {  # noqa: RUF012 - attributes of a span, which nobody changes
        "gen_ai.operation.name": "framework",
        "gen_ai.system": "spring_ai",
        "spring.ai.kind": "chat_client",
    }
    MODEL: Said = {  # noqa: RUF012
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "azure-openai",
        "gen_ai.request.model": "prod",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.finish_reasons": '["STOP"]',
        "gen_ai.response.id": "chatcmpl-1",
        **counts(input_tokens="1873", output_tokens="317", total_tokens="2190"),
    }

    def test_the_model_is_billed_and_not_the_client_around_it(self) -> None:
        outer = span(self.CLIENT, span_id=b"outside.", name="spring_ai chat_client")
        inner = span(self.MODEL, parent_id=b"outside.", name="chat prod")
        calls = take(outer, inner, scope="org.springframework.boot").calls
        [found] = [each for each in calls if each.reading.billable]
        assert (found.provider, found.model) == ("azure.ai.openai", "gpt-4o-mini-2024-07-18")
        assert (found.reading.usage, found.reading.finish_reason) == (Usage(1873, 317), "STOP")


def test_langchain4j_in_quarkus_names_no_operation() -> None:
    said: Said = {
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        **counts(prompt_tokens=1873, completion_tokens=317),
    }
    found = call(said, scope="io.quarkus.opentelemetry", name="completion gpt-4o-mini")
    assert (found.provider, found.reading.billable, found.reading.usage) == ("openai", True, Usage(1873, 317))


def test_microsoft_extensions_ai_follows_the_conventions() -> None:
    said: Said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "azure.ai.inference",
        "gen_ai.request.model": "gpt-4o-mini",
        **counts(input_tokens=1873, output_tokens=317, cache_read__input_tokens=1024, reasoning__output_tokens=192),
    }
    found = call(said, scope="Experimental.Microsoft.Extensions.AI")
    assert (found.provider, found.reading.usage) == ("azure.ai.inference", Usage(1873, 317, 1024, reasoning=192))


@pytest.mark.parametrize("nobody", ["unknown", "UNKNOWN", "None", "n/a"])
def test_a_model_that_is_not_known_is_named_by_langchain(nobody: str) -> None:
    said: Said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": nobody,
        "gen_ai.response.model": nobody,
        "traceloop.association.properties.ls_model_name": "mistral-large-latest",
    }
    assert call(said, scope="opentelemetry.instrumentation.langchain").model == "mistral-large-latest"


class TestBedrock:
    @pytest.mark.parametrize(
        ("said", "model"),
        [
            ("llama3-70b-instruct-v1:0", "meta.llama3-70b-instruct-v1:0"),
            ("nova-lite-v1:0", "amazon.nova-lite-v1:0"),
            ("claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
            ("anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
            ("my-own-model-v1:0", "my-own-model-v1:0"),
            ("claude", "claude"),
        ],
    )
    def test_the_vendor_that_a_library_left_out_is_restored(self, said: str, model: str) -> None:
        scope = "opentelemetry.instrumentation.bedrock"
        asked: Said = {"gen_ai.operation.name": "chat", "gen_ai.system": "AWS", "gen_ai.request.model": said}
        assert call(asked, scope=scope).model == model

    def test_what_was_asked_for_is_billed_if_the_answer_has_only_the_vendors_name(self) -> None:
        said: Said = {
            "openinference.span.kind": "LLM",
            "llm.provider": "aws",
            "llm.model_name": "anthropic",
            "input.value": '{"modelId": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"}',
        }
        found = call(said, scope="@arizeai/openinference-instrumentation-bedrock")
        assert found.model == "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


class TestGenkit:
    OUTPUT = '{"usage": {"inputTokens": 1873, "outputTokens": 125, "thoughtsTokens": 192, "totalTokens": 2190}}'

    @pytest.mark.parametrize("scope", ["genkit-tracer", "github.com/firebase/genkit/go"])
    def test_thoughts_beside_the_answer_are_output_in_every_language(self, scope: str) -> None:
        said: Said = {
            "genkit:metadata:subtype": "model",
            "genkit:name": "googleai/gemini-2.5-flash",
            "genkit:output": self.OUTPUT,
        }
        found = call(said, scope=scope)
        assert (found.provider, found.model) == ("gcp.gemini", "gemini-2.5-flash")
        assert found.reading.usage == Usage(1873, 317, reasoning=192)

    @pytest.mark.parametrize("subtype", ["tool", "prompt", "flow", ""])
    def test_other_actions_are_no_calls(self, subtype: str) -> None:
        assert not take(span({"genkit:metadata:subtype": subtype, "genkit:output": self.OUTPUT})).calls


def test_langsmith_hands_on_the_parts_as_python_prints_them() -> None:
    said: Said = {
        "langsmith.span.kind": "llm",
        "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.usage.input_token_details": "{'audio': 0, 'cache_read': 1024}",
        "gen_ai.usage.output_token_details": "{'audio': 0, 'reasoning': 192}",
        **counts(input_tokens=1873, output_tokens=317),
    }
    usage = call(said, scope="langsmith").reading.usage
    assert (usage.input, usage.output, usage.cache_read, usage.reasoning) == (1873, 317, 1024, 192)


def test_ids_that_the_vercel_ai_sdk_makes_up_join_nothing() -> None:
    said: Said = {"ai.operationId": "ai.generateText.doGenerate", "ai.model.id": "m", "ai.response.id": "aitxt-1"}
    assert call(said, scope="ai").reading.response_id == ""


@pytest.mark.parametrize(("name", "billable"), [("OpenAI._prepare_chat_with_tools", False), ("OpenAI.chat", True)])
def test_a_private_method_of_llamaindex_is_inside_the_public_one(name: str, billable: bool) -> None:
    said: Said = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-5-mini"}
    found = call(said, scope="openinference.instrumentation.llama_index", name=name)
    assert found.reading.billable is billable
