from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.call import PROVIDER_ANSWERED, STREAM_BEGAN, STREAM_ENDED, Call
from llmlab_exporter.dedupe import duplicates, merged
from normalise.spans import call

SOME = Usage(10, 5)


@dataclass(frozen=True)
class Seen:
    """One span: only what the rules look at."""

    span: int
    response: str = ""
    parent: int = 0
    trace: int = 1
    billable: bool = True
    usage: Usage = SOME
    project: str = "default"
    scope: str = "llmlab"
    layer: str = ""
    start: int = 0
    end: int = 10
    model: str = "m"
    service: str = "s"

    def call(self) -> Call:
        base = call()
        reading = base.reading._replace(
            response_id=self.response,
            billable=self.billable,
            usage=self.usage,
            usage_source="reported" if self.usage.known else None,
            layer=self.layer,
            request_model=self.model,
            response_model="",
        )
        return base._replace(
            trace_id=self.trace.to_bytes(16, "big"),
            span_id=self.span.to_bytes(8, "big"),
            parent_id=self.parent.to_bytes(8, "big") if self.parent else b"",
            project=self.project,
            reading=reading,
            scope=self.scope,
            start_ns=base.start_ns + self.start,
            end_ns=base.start_ns + self.end,
            model=self.model,
            service=self.service,
        )


def found(*seen: Seen) -> dict[int, int]:
    return duplicates([each.call() for each in seen])


def test_a_span_delivered_again_is_a_duplicate_of_the_first() -> None:
    assert found(Seen(1), Seen(2), Seen(1), Seen(1)) == {2: 0, 3: 0}


def test_the_same_span_id_in_another_trace_or_project_is_another_span() -> None:
    assert found(Seen(1), Seen(1, trace=2), Seen(1, project="other")) == {}


@pytest.mark.parametrize("outer_first", [True, False])
def test_of_one_response_the_deepest_span_is_billed(outer_first: bool) -> None:
    outer, inner = Seen(1, "r"), Seen(2, "r", parent=1)
    assert found(outer, inner) == {0: 1}
    assert found(inner, outer) == {1: 0}


def test_depth_is_counted_through_every_layer() -> None:
    assert found(Seen(1, "r"), Seen(2, "q", parent=1), Seen(3, "r", parent=2), Seen(4, "r", parent=1)) == {0: 2, 3: 2}


def test_one_response_in_two_traces_is_one_call() -> None:
    assert found(Seen(1, "r"), Seen(2, "r", trace=2)) == {1: 0}


def test_a_layer_that_knows_the_usage_is_billed_before_a_deeper_one_that_does_not() -> None:
    assert found(Seen(1, "r"), Seen(2, "r", parent=1, usage=NO_USAGE)) == {1: 0}


def test_a_layer_that_knows_the_cached_part_is_billed_before_a_deeper_one_that_dropped_it() -> None:
    assert found(Seen(1, "r", usage=Usage(10, 5, cache_read=4)), Seen(2, "r", parent=1)) == {1: 0}


def test_a_span_inside_one_of_another_scope_with_the_same_usage_is_the_call() -> None:
    outer, inner = Seen(1, scope="genai"), Seen(2, parent=1)
    assert found(outer, inner) == {0: 1}
    assert found(inner, outer) == {1: 0}
    assert found(outer, Seen(2, "r", parent=1)) == {0: 1}


def test_three_layers_without_a_response_id_are_one_call() -> None:
    assert found(Seen(1, scope="a"), Seen(2, parent=1, scope="b"), Seen(3, parent=2)) == {0: 2, 1: 2}


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        (Seen(1, "r"), Seen(2, parent=1)),
        (Seen(1, scope="genai"), Seen(2, parent=1, usage=Usage(11, 5))),
        (Seen(1, "r", scope="genai"), Seen(2, "s", parent=1)),
        (Seen(1, scope="genai"), Seen(2, parent=1, project="other")),
    ],
    ids=["one scope", "other usage", "two responses", "two projects"],
)
def test_spans_inside_each_other_stay_two_calls_unless_all_speaks_for_one(outer: Seen, inner: Seen) -> None:
    assert found(outer, inner) == {}


def test_what_is_not_billed_anyway_is_no_duplicate() -> None:
    assert found(Seen(1, "r"), Seen(2, "r", billable=False)) == {}


def test_calls_alike_but_without_a_response_id_stay_apart() -> None:
    assert found(Seen(1), Seen(2), Seen(3, trace=2)) == {}


def test_the_same_response_in_two_projects_is_billed_to_both() -> None:
    assert found(Seen(1, "r"), Seen(2, "r", project="other")) == {}


def test_the_placeholder_of_the_openai_agents_sdk_joins_nothing() -> None:
    assert found(Seen(1, "__fake_id__"), Seen(2, "__fake_id__", trace=2)) == {}


def test_instrumentations_that_write_otherwise_are_told_apart_without_their_scope() -> None:
    outer, inner = Seen(1, scope="").call(), Seen(2, scope="", trace=2).call()
    assert duplicates([outer, inner]) == {}
    assert len(duplicates([outer._replace(dialect="openinference"), inner])) == 1


def test_a_duplicate_of_a_duplicate_points_to_what_is_billed() -> None:
    assert found(Seen(1, "r"), Seen(1, "r"), Seen(2, "r", parent=1)) == {1: 2, 0: 2}


def test_a_trace_that_runs_in_a_circle_ends() -> None:
    assert len(found(Seen(1, "r", parent=2), Seen(2, "r", parent=1), Seen(3, "r", parent=3))) == 2


def test_a_long_chain_takes_linear_time() -> None:
    chain = [Seen(number, "r", parent=number - 1) for number in range(1, 20_001)]
    assert set(found(*chain).values()) == {19_999}


MS = 10**6
DETAILED = Usage(10, 5, cache_read=3, reasoning=2)
OTHER = Usage(11, 5)


class TestOneAboveAnother:
    def test_two_instrumentations_of_one_call_are_one_call(self) -> None:
        assert found(Seen(1), Seen(2, parent=1, scope="b")) == {0: 1}

    def test_so_they_are_across_a_span_between_them(self) -> None:
        assert found(Seen(1), Seen(2, parent=1, billable=False), Seen(3, parent=2, scope="b")) == {0: 2}

    def test_the_one_that_says_more_is_billed_wherever_it_is(self) -> None:
        assert found(Seen(1, usage=DETAILED), Seen(2, parent=1, scope="b")) == {1: 0}

    def test_other_usage_is_another_call(self) -> None:
        assert found(Seen(1, "r"), Seen(2, parent=1, scope="b", usage=OTHER, start=20, end=30)) == {}

    def test_two_responses_are_two_calls(self) -> None:
        assert found(Seen(1, "r"), Seen(2, "q", parent=1, scope="b")) == {}

    def test_a_proxy_may_give_its_client_an_id_of_its_own(self) -> None:
        client, proxy = Seen(1, "r"), Seen(2, "q", parent=1, scope="b", service="proxy")
        assert found(client, proxy) == {0: 1}
        assert found(client, proxy, Seen(3, "p", parent=2, scope="c", service="proxy")).keys() == {0}

    def test_each_pair_is_one_call(self) -> None:
        outer = [Seen(1, parent=9), Seen(2, parent=9)]
        inner = [Seen(3, parent=1, scope="b"), Seen(4, parent=2, scope="b")]
        assert found(*outer, *inner) == {0: 2, 1: 3}

    def test_a_record_of_the_providers_answer_is_the_call_above_it(self) -> None:
        assert found(Seen(1), Seen(2, "r", parent=1, layer=PROVIDER_ANSWERED)) == {0: 1}


class TestSameTime:
    def test_one_that_lasts_while_the_other_does_is_the_same_in_another_trace(self) -> None:
        assert found(Seen(1, end=100), Seen(2, "r", trace=2, scope="b", start=10, end=90)) == {0: 1}

    @pytest.mark.parametrize(
        "other",
        [
            Seen(2, trace=2, start=10, end=90),
            Seen(2, trace=2, scope="b", start=30, end=131),
            Seen(2, trace=2, scope="b", start=-40, end=70),
            Seen(2, trace=2, scope="b", start=50, end=130),
            Seen(2, trace=2, scope="b", start=10, end=90, usage=OTHER),
            Seen(2, trace=2, scope="b", start=10, end=90, service="t"),
            Seen(2, trace=2, scope="b", start=10, end=90, project="other"),
        ],
        ids=[
            "same scope",
            "outlives it",
            "begins long before",
            "only meets it",
            "other usage",
            "other service",
            "other project",
        ],
    )
    def test_whatever_else_it_may_be_is_another_call(self, other: Seen) -> None:
        assert found(Seen(1, end=100), other) == {}

    @pytest.mark.parametrize(("start", "end"), [(10, 100), (10, 130), (-30, 90)])
    def test_records_whose_clocks_differ_by_a_little_are_one_call(self, start: int, end: int) -> None:
        assert len(found(Seen(1, end=100), Seen(2, trace=2, scope="b", start=start, end=end))) == 1

    @pytest.mark.parametrize(("late_ms", "one_call"), [(50, True), (51, False)])
    def test_a_long_call_has_no_more_slack_than_50_ms(self, late_ms: int, one_call: bool) -> None:
        other = Seen(2, trace=2, scope="b", start=late_ms * MS, end=(1_000 + late_ms) * MS)
        assert bool(found(Seen(1, end=1_000 * MS), other)) == one_call

    def test_a_record_around_another_goes_before_one_whose_clock_differs(self) -> None:
        siblings = [Seen(1, end=100), Seen(2, start=5, end=110)]
        inner = [Seen(3, scope="b", start=8, end=105), Seen(4, scope="b", start=10, end=90)]
        assert found(*siblings, *inner) == {2: 1, 3: 0}

    def test_alike_calls_at_once_are_paired_one_by_one(self) -> None:
        outer = [Seen(number, trace=number, end=100 + number) for number in (1, 2, 3)]
        inner = [Seen(number, f"r{number}", trace=number, scope="b", start=10, end=90) for number in (4, 5, 6)]
        repeats = found(*outer, *inner)
        assert len(repeats) == 3
        assert len(set(repeats.values())) == 3

    def test_one_that_knows_nothing_is_the_one_that_asked_for_the_same_model(self) -> None:
        silent = Seen(1, trace=2, scope="b", start=10, end=20, usage=NO_USAGE)
        assert found(silent, Seen(2, "r", end=100)) == {0: 1}
        assert found(silent, Seen(2, "r", end=100, model="n")) == {}

    def test_two_that_know_nothing_and_asked_for_the_same_model_are_one_call(self) -> None:
        framework = Seen(1, scope="langchain", usage=NO_USAGE, end=100)
        sdk = Seen(2, trace=2, usage=NO_USAGE, start=10, end=90)
        assert len(found(framework, sdk)) == 1
        assert found(framework, replace(sdk, model="n")) == {}
        assert found(framework, replace(sdk, service="t")) == {}
        assert found(framework, replace(sdk, end=150)) == {}

    def test_of_alike_calls_at_once_that_know_nothing_none_is_lost(self) -> None:
        silent = [Seen(number, trace=number, usage=NO_USAGE, start=number, end=100 - number) for number in range(1, 9)]
        assert found(*silent) == {}
        layers = [replace(each, span=each.span + 20, scope="b", start=each.start + 1) for each in silent]
        assert len(found(*silent, *layers)) <= len(silent)

    @pytest.mark.parametrize(
        ("alias", "snapshot"),
        [
            ("gpt-4o", "gpt-4o-2024-11-20"),
            ("gpt-5-mini", "openai/gpt-5-mini-2025-08-07"),
            ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
            ("claude-sonnet-4-5", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
            ("claude-opus-4-1-latest", "claude-opus-4-1@20250805"),
            ("mistral-large-latest", "mistral-large-2411"),
            ("gemini-2.0-flash", "gemini-2.0-flash-001"),
            ("command-r-plus", "command-r-plus-08-2024"),
        ],
    )
    def test_an_alias_and_its_snapshot_are_one_model(self, alias: str, snapshot: str) -> None:
        silent = Seen(1, trace=2, scope="b", start=10, end=20, usage=NO_USAGE, model=alias)
        assert found(silent, Seen(2, "r", end=100, model=snapshot)) == {0: 1}

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("gpt-4o", "gpt-4o-mini"),
            ("gpt-4o-2024-05-13", "gpt-4o-2024-11-20"),
            ("gpt-5", "gpt-5-mini-2025-08-07"),
            ("claude-sonnet-4", "claude-sonnet-4-5-20250929"),
            ("gemini-2.5-flash", "gemini-2.5-flash-lite"),
            ("llama3.1:8b", "llama3.1:70b"),
        ],
    )
    def test_other_models_are_other_calls(self, one: str, other: str) -> None:
        silent = Seen(1, trace=2, scope="b", start=10, end=20, usage=NO_USAGE, model=one)
        assert found(silent, Seen(2, "r", end=100, model=other)) == {}

    def test_forged_spans_do_not_take_quadratic_time(self) -> None:
        many = [Seen(number, trace=number, scope=f"{number % 2}", start=number) for number in range(1, 5_001)]
        assert len(found(*many)) < len(many)


class TestStreams:
    def test_the_record_of_its_end_is_the_stream_that_began(self) -> None:
        began = Seen(1, layer=STREAM_BEGAN, usage=NO_USAGE, end=2)
        assert found(began, Seen(2, trace=2, layer=STREAM_ENDED, start=3, end=50)) == {0: 1}

    def test_each_end_has_its_own_beginning(self) -> None:
        began = [Seen(number, layer=STREAM_BEGAN, usage=NO_USAGE, end=2) for number in (1, 2)]
        ended = [Seen(number, trace=2, layer=STREAM_ENDED, start=3, end=50) for number in (3, 4)]
        assert set(found(*began, *ended)) == {0, 1}
        assert len(set(found(*began, *ended).values())) == 2

    def test_an_end_without_a_beginning_is_a_call(self) -> None:
        assert found(Seen(2, layer=STREAM_ENDED)) == {}

    def test_a_record_made_seconds_later_is_the_call_of_another_instrumentation(self) -> None:
        ended = Seen(1, trace=2, layer=STREAM_ENDED, start=10**9, end=2 * 10**9)
        assert found(Seen(2, "r", scope="b"), ended) == {1: 0}
        late = Seen(1, trace=2, layer=STREAM_ENDED, start=10**9, end=11 * 10**9)
        assert found(Seen(2, "r", scope="b"), late) == {}


class TestContainers:
    def test_the_sum_of_what_is_below_is_no_call(self) -> None:
        agent = Seen(1, usage=Usage(21, 10))
        assert found(agent, Seen(2, "r", parent=1), Seen(3, "q", parent=1, usage=OTHER)) == {0: 1}

    def test_nor_is_the_sum_of_sums(self) -> None:
        below = [Seen(3, "r", parent=2), Seen(4, "q", parent=2, usage=OTHER)]
        agents = [Seen(1, usage=Usage(21, 10)), Seen(2, parent=1, usage=Usage(21, 10))]
        assert found(*agents, *below) == {0: 2, 1: 2}

    def test_one_that_knows_nothing_above_the_same_model_is_no_call(self) -> None:
        assert found(Seen(1, usage=NO_USAGE), Seen(2, parent=1)) == {0: 1}
        assert found(Seen(1, usage=NO_USAGE, model="n"), Seen(2, parent=1)) == {}

    def test_one_that_repeats_a_single_response_below_is_no_call(self) -> None:
        assert found(Seen(1), Seen(2, "r", parent=1)) == {0: 1}

    def test_nor_is_one_that_repeats_a_single_call_below_of_the_same_instrumentation(self) -> None:
        assert found(Seen(1), Seen(2, parent=1)) == {0: 1}
        assert found(Seen(1), Seen(2, parent=1), Seen(3, parent=1)) == {}

    def test_a_public_and_a_private_method_that_know_nothing_are_one_call(self) -> None:
        assert found(Seen(1, usage=NO_USAGE), Seen(2, parent=1, usage=NO_USAGE)) == {0: 1}
        assert found(Seen(1, usage=NO_USAGE), Seen(2, parent=1, usage=NO_USAGE, model="n")) == {}

    def test_a_single_call_below_that_knows_less_is_the_one_above(self) -> None:
        silent = Seen(2, parent=1, usage=NO_USAGE)
        assert found(Seen(1), silent) == {1: 0}
        assert found(Seen(1), silent, Seen(3, parent=1, usage=NO_USAGE)) == {}

    def test_one_with_a_response_of_its_own_is(self) -> None:
        assert found(Seen(1, "r"), Seen(2, "q", parent=1)) == {}


class TestMerging:
    def test_what_only_the_repetition_knows_is_kept(self) -> None:
        outer = Seen(1, "r").call()
        outer = outer._replace(reading=outer.reading._replace(user="u", feature="f", session="s", usage=DETAILED))
        inner = Seen(2, "r", parent=1, scope="b", usage=Usage(10, 5, cache_write=4, audio_in=1, image_in=1)).call()
        calls = [outer, inner]
        repeats = duplicates(calls)
        assert repeats == {0: 1}
        reading = merged(calls, repeats)[1].reading
        assert (reading.user, reading.feature, reading.session) == ("u", "f", "s")
        assert (reading.usage.cache_read, reading.usage.cache_write, reading.usage.reasoning) == (3, 4, 2)

    def test_what_is_known_is_not_replaced(self) -> None:
        calls = [Seen(1, "r").call(), Seen(1, "r").call()]
        calls = [
            call._replace(reading=call.reading._replace(user=user)) for call, user in zip(calls, "ab", strict=True)
        ]
        assert merged(calls, {1: 0})[0].reading.user == "a"

    def test_the_parts_of_other_totals_are_not_taken(self) -> None:
        calls = [Seen(1, "r", usage=OTHER).call(), Seen(2, "r", usage=DETAILED).call()]
        assert merged(calls, {1: 0})[0].reading.usage == OTHER

    def test_the_served_model_is_told_by_who_knows_it(self) -> None:
        alias, knowing = Seen(1, "r").call(), Seen(2, "r").call()
        knowing = knowing._replace(model="m-2026", reading=knowing.reading._replace(response_model="m-2026"))
        [billed, _] = merged([alias, knowing], {1: 0})
        assert (billed.model, billed.reading.response_model) == ("m-2026", "m-2026")


spans = st.builds(
    Seen,
    span=st.integers(1, 6),
    response=st.sampled_from(["", "a", "b"]),
    parent=st.integers(0, 6),
    trace=st.integers(1, 2),
    billable=st.booleans(),
    usage=st.sampled_from([NO_USAGE, SOME]),
)


@given(st.lists(spans, max_size=12, unique_by=lambda each: (each.trace, each.span)))
def test_each_response_is_billed_exactly_once(seen: list[Seen]) -> None:
    calls = [each.call() for each in seen]
    repeats = duplicates(calls)
    assert not repeats.keys() & set(repeats.values())
    left = [call.reading for position, call in enumerate(merged(calls, repeats)) if position not in repeats]
    billed = [reading.response_id for reading in left if reading.billable and reading.response_id]
    assert len(billed) == len(set(billed))
    assert set(billed) == {each.response for each in seen if each.billable and each.response}
