from math import inf, nan

import pytest

from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.reading.operations import UNBILLED
from llmlab_exporter.span import Value
from normalise.spans import CHAT, call, span, take

OFFICIAL = "opentelemetry.instrumentation.genai.openai"


def chat(**changes: Value) -> dict[str, Value]:
    """CHAT with attributes changed; `__` stands for the dot, None removes."""
    renamed = {key.replace("__", "."): value for key, value in changes.items()}
    return {key: value for key, value in {**CHAT, **renamed}.items() if value is not None}


def usage(**counts: Value) -> dict[str, Value]:
    base = {key: value for key, value in CHAT.items() if ".usage." not in key}
    return {**base, **{f"gen_ai.usage.{key.replace('__', '.')}": value for key, value in counts.items()}}


class TestUsage:
    def test_every_count_of_the_conventions_is_read(self) -> None:
        counts = {
            "input_tokens": 1000,
            "output_tokens": 500,
            "cache_read__input_tokens": 100,
            "cache_write__input_tokens": 200,
            "reasoning__output_tokens": 50,
            "audio__input_tokens": 60,
            "audio__output_tokens": 70,
            "audio__cache_read__input_tokens": 5,
            "image__input_tokens": 80,
            "image__output_tokens": 90,
            "image__cache_read__input_tokens": 6,
        }
        assert call(usage(**counts)).reading.usage == Usage(
            input=1000,
            output=500,
            cache_read=100,
            cache_write=200,
            reasoning=50,
            audio_in=60,
            audio_out=70,
            cache_read_audio=5,
            image_in=80,
            image_out=90,
            cache_read_image=6,
        )

    def test_old_names_are_read_too(self) -> None:
        old = usage(prompt_tokens=10, completion_tokens=5, cache_creation__input_tokens=3)
        assert call(old).reading.usage == Usage(10, 5, cache_write=3)

    def test_a_new_name_goes_before_an_old_one(self) -> None:
        assert call(usage(input_tokens=10, prompt_tokens=11, output_tokens=1)).reading.usage == Usage(10, 1)

    @pytest.mark.parametrize("value", [7, 7.0, "7", "7.0"])
    def test_a_count_may_be_an_integer_a_whole_double_or_digits(self, value: Value) -> None:
        assert call(usage(input_tokens=value)).reading.usage == Usage(7)

    @pytest.mark.parametrize(
        "value",
        [
            -1,
            10**12 + 1,
            2**63 - 1,
            nan,
            inf,
            -inf,
            0.5,
            True,
            "7.5",
            "7e3",
            " 7",
            "many",
            "-1",
            "\N{ARABIC-INDIC DIGIT SEVEN}",
            b"7",
            (7,),
            {},
        ],
    )
    def test_an_impossible_count_is_a_flaw_and_not_a_number(self, value: Value) -> None:
        reading = call(usage(input_tokens=10, output_tokens=value)).reading
        assert reading.usage == Usage(10)
        assert reading.usage_spoiled
        [flaw] = reading.flaws
        assert "gen_ai.usage.output_tokens is " in flaw
        assert repr(value)[:3] in flaw
        assert reading.billable

    @pytest.mark.parametrize("value", [0, 1, 10**12])
    def test_the_bounds_of_a_count(self, value: int) -> None:
        assert call(usage(input_tokens=value, output_tokens=1)).reading.usage == Usage(value, 1)

    def test_an_old_name_repairs_a_flaw_in_the_new_one(self) -> None:
        reading = call(usage(input_tokens=nan, prompt_tokens=10)).reading
        assert (reading.usage, reading.usage_spoiled) == (Usage(10), False)
        assert reading.flaws

    def test_an_empty_text_is_no_count_and_no_flaw(self) -> None:
        reading = call(usage(input_tokens=10, output_tokens="")).reading
        assert (reading.usage, reading.flaws) == (Usage(10), ())

    def test_counts_that_are_all_zero_say_nothing(self) -> None:
        reading = call(usage(input_tokens=0, output_tokens=0)).reading
        assert (reading.usage, reading.usage_source, reading.billable) == (NO_USAGE, None, True)

    def test_one_zero_is_a_count(self) -> None:
        assert call(usage(input_tokens=10, output_tokens=0)).reading.usage == Usage(10, 0)

    def test_a_strangers_cache_that_exceeds_the_input_stands_beside_it(self) -> None:
        exclusive = usage(input_tokens=211, cache_read__input_tokens=4096, cache_creation__input_tokens=1500)
        reading = call(exclusive).reading
        assert reading.usage == Usage(5807, cache_read=4096, cache_write=1500)
        assert reading.usage_source == "estimated"

    def test_a_cache_as_large_as_the_input_is_inside_it(self) -> None:
        reading = call(usage(input_tokens=4096, cache_read__input_tokens=4096)).reading
        assert (reading.usage.input, reading.usage_source) == (4096, "reported")

    def test_an_official_library_is_taken_at_its_word(self) -> None:
        contradiction = usage(input_tokens=211, cache_read__input_tokens=4096)
        reading = call(contradiction, scope=OFFICIAL).reading
        assert (reading.usage.input, reading.usage_source) == (211, "reported")


class TestWhatIsBilled:
    @pytest.mark.parametrize("operation", [*sorted(UNBILLED), "count_tokens", "anthropic.messages.count_tokens"])
    def test_containers_and_free_operations_are_not(self, operation: str) -> None:
        assert not call(chat(gen_ai__operation__name=operation)).reading.billable

    @pytest.mark.parametrize("name", ["invoke_agent planner", "execute_tool", "anthropic.messages.count_tokens"])
    def test_a_span_without_an_operation_is_judged_by_its_name(self, name: str) -> None:
        assert not call(chat(gen_ai__operation__name=None), name=name).reading.billable

    @pytest.mark.parametrize("operation", ["chat", "embeddings", "text_completion", "acompletion", "responses", None])
    def test_other_operations_are_whatever_they_are_called(self, operation: str | None) -> None:
        assert call(chat(gen_ai__operation__name=operation)).reading.billable

    def test_a_call_without_usage_is_billed_by_an_amount_that_nobody_knows(self) -> None:
        reading = call(usage()).reading
        assert (reading.billable, reading.usage, reading.usage_source) == (True, NO_USAGE, None)

    @pytest.mark.parametrize(
        ("answer", "billable"),
        [
            ({}, False),
            ({"gen_ai.response.id": "r"}, True),
            ({"gen_ai.response.model": "m"}, True),
            ({"gen_ai.usage.input_tokens": 5}, True),
            ({"gen_ai.usage.input_tokens": -5}, True),
        ],
    )
    def test_a_failed_call_is_only_if_something_was_answered(self, answer: dict[str, Value], billable: bool) -> None:
        asked: dict[str, Value] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "m",
            "error.type": "Timeout",
        }
        found = call({**asked, **answer})
        assert (found.reading.billable, found.outcome) == (billable, "error")

    def test_a_failed_span_without_a_type_is_an_error(self) -> None:
        assert call(failed=True).reading.error == "_OTHER"
        assert call(chat(error__type="Timeout"), failed=True).reading.error == "Timeout"

    @pytest.mark.parametrize(
        "attributes",
        [{"gen_ai.conversation.id": "c"}, {"gen_ai.agent.name": "a"}, {"gen_ai.request.model": ""}, {"db.system": "x"}],
    )
    def test_a_span_that_says_nothing_of_inference_is_ignored(self, attributes: dict[str, Value]) -> None:
        intake = take(span(attributes), span(attributes, name="GET /"))
        assert (intake.calls, intake.ignored) == ([], 2)


class TestTags:
    def test_tier_is_the_served_one_if_that_is_known(self) -> None:
        served, asked = "openai.response.service_tier", "openai.request.service_tier"
        assert call({**CHAT, asked: "auto", served: "flex"}).reading.tier == "flex"
        assert call({**CHAT, asked: "priority"}).reading.tier == "priority"

    @pytest.mark.parametrize("side", ["request", "response"])
    def test_tier_by_its_old_names(self, side: str) -> None:
        assert call({**CHAT, f"gen_ai.openai.{side}.service_tier": "flex"}).reading.tier == "flex"

    def test_provider_by_its_old_name(self) -> None:
        assert call(chat(gen_ai__provider__name=None, gen_ai__system="cohere")).provider == "cohere"
        assert call(chat(gen_ai__provider__name="cohere", gen_ai__system="openai")).provider == "cohere"

    def test_what_another_instrumentation_computed_is_kept_as_its_claim(self) -> None:
        reading = call({**CHAT, "gen_ai.usage.cost": 0.0125}).reading
        assert (str(reading.claimed_cost), reading.provider_cost) == ("0.0125", None)

    @pytest.mark.parametrize("cost", [nan, inf, -0.1, True, "free", 10**7, "1e999999999", "9" * 1000])
    def test_an_impossible_claim_is_dropped(self, cost: Value) -> None:
        assert call({**CHAT, "gen_ai.usage.cost": cost}).reading.claimed_cost is None

    def test_the_rest_of_the_conventions(self) -> None:
        reading = call(
            {
                **CHAT,
                "server.address": "api.openai.com",
                "gen_ai.response.finish_reasons": ("stop", "length"),
                "gen_ai.request.stream": True,
                "gen_ai.response.time_to_first_chunk": 0.25,
                "gen_ai.conversation.id": "c1",
                "user.id": "u1",
            }
        ).reading
        assert (reading.host, reading.finish_reason, reading.stream, reading.first_chunk_s) == (
            "api.openai.com",
            "stop,length",
            True,
            0.25,
        )
        assert (reading.session, reading.user) == ("c1", "u1")

    @pytest.mark.parametrize("seconds", [nan, inf, -1.0, 10**400, "soon", True])
    def test_an_impossible_time_to_the_first_chunk_is_dropped(self, seconds: Value) -> None:
        assert call({**CHAT, "gen_ai.response.time_to_first_chunk": seconds}).reading.first_chunk_s is None
