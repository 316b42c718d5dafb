from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab_exporter.reading.sampling import ALL, adjusted, threshold_of
from normalise.spans import call


@pytest.mark.parametrize(
    ("trace_state", "one_in"),
    [
        ("ot=th:0", 1),
        ("ot=th:8", 2),
        ("ot=th:c", 4),
        ("ot=th:c0", 4),
        ("ot=th:c0000000000000", 4),
        ("vendor=x:1;th:8, ot=rv:0123456789abcd;th:c", 4),
        ("ot=p:3", 8),
        ("ot=p:3;r:5", 8),
        ("ot=p:0", 1),
        ("ot=p:56", ALL),
        ("ot=th:ffffffffffffff", ALL),
        ("ot=p:63", 1),
        ("ot=p:57", 1),
        ("ot=th:", 1),
        ("ot=th:C", 1),
        ("ot=th:c00000000000000", 1),
        ("ot=th:-1", 1),
        ("ot=th:0x8", 1),
        ("ot=th", 1),
        ("other=th:8", 1),
        ("ot", 1),
        ("", 1),
    ],
)
def test_a_call_stands_for_as_many_as_its_trace_state_says(trace_state: str, one_in: int) -> None:
    assert adjusted(threshold_of(trace_state)) == one_in


def test_one_in_ten_is_as_near_as_the_digits_allow() -> None:
    assert abs(adjusted(threshold_of("ot=th:e6666666666668")) - 10) < Fraction(1, 10**12)


@given(st.integers(0, ALL - 1), st.integers(1, 14))
def test_thresholds_are_read_as_they_are_written(threshold: int, digits: int) -> None:
    text = f"{threshold:014x}"[:digits]
    assert threshold_of(f"a=b,ot=th:{text}") == int(text.ljust(14, "0"), 16)


@given(st.text(max_size=40) | st.from_regex(r"ot=(th|p):[0-9a-f;:=,]*", fullmatch=True))
def test_whatever_is_written_a_call_stands_at_least_for_itself(trace_state: str) -> None:
    assert 1 <= adjusted(threshold_of(trace_state)) <= ALL


def test_a_call_keeps_its_threshold() -> None:
    assert call(trace_state="ot=th:8").sampling_threshold == ALL // 2
    assert call().sampling_threshold == 0
