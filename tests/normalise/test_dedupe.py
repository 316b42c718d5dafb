from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.call import Call
from llmlab_exporter.dedupe import duplicates
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

    def call(self) -> Call:
        base = call()
        reading = base.reading._replace(response_id=self.response, billable=self.billable, usage=self.usage)
        return base._replace(
            trace_id=self.trace.to_bytes(16, "big"),
            span_id=self.span.to_bytes(8, "big"),
            parent_id=self.parent.to_bytes(8, "big") if self.parent else b"",
            project=self.project,
            scope=self.scope,
            reading=reading,
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
    assert found(Seen(1, "r"), Seen(2, parent=1), Seen(3, "r", parent=2), Seen(4, "r", parent=1)) == {0: 2, 3: 2}


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
        (Seen(1), Seen(2, parent=1)),
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


def test_a_duplicate_of_a_duplicate_points_to_what_is_billed() -> None:
    assert found(Seen(1, "r"), Seen(1, "r"), Seen(2, "r", parent=1)) == {1: 2, 0: 2}


def test_a_trace_that_runs_in_a_circle_ends() -> None:
    assert len(found(Seen(1, "r", parent=2), Seen(2, "r", parent=1), Seen(3, "r", parent=3))) == 2


def test_a_long_chain_takes_linear_time() -> None:
    chain = [Seen(number, "r", parent=number - 1) for number in range(1, 20_001)]
    assert set(found(*chain).values()) == {19_999}


spans = st.builds(
    Seen,
    span=st.integers(1, 6),
    response=st.sampled_from(["", "a", "b"]),
    parent=st.integers(0, 6),
    trace=st.integers(1, 2),
    billable=st.booleans(),
    usage=st.sampled_from([NO_USAGE, SOME]),
)


@given(st.lists(spans, max_size=12))
def test_each_response_is_billed_exactly_once(seen: list[Seen]) -> None:
    repeats = found(*seen)
    assert not repeats.keys() & set(repeats.values())
    left = [each for position, each in enumerate(seen) if position not in repeats]
    billed = [each.response for each in left if each.billable and each.response]
    assert len(billed) == len(set(billed))
    first = {(each.trace, each.span): each for each in reversed(seen)}
    assert set(billed) == {each.response for each in first.values() if each.billable and each.response}
