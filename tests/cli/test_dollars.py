from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.cli.dollars import dollars, percent, tokens


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0.00"),
        (Decimal("0.000"), "$0.00"),
        (1, "$1.00"),
        (Decimal("0.5"), "$0.50"),
        (Decimal("0.123456"), "$0.123"),
        (Decimal("0.000183"), "$0.000183"),
        (Decimal("0.00018349"), "$0.000183"),
        (Decimal("1E-15"), "$0.000000000000001"),
        (Decimal("0.9994"), "$0.999"),
        (Decimal("0.9996"), "$1.00"),
        (Decimal("12.344"), "$12.34"),
        (Decimal("12.346"), "$12.35"),
        (Decimal("1234567.891"), "$1,234,567.89"),
        (Decimal("123456789012345678901234567890.12"), "$123,456,789,012,345,678,901,234,567,890.12"),
        (Decimal("-0.25"), "-$0.25"),
        (None, "unpriced"),
    ],
)
def test_dollars_read_as_people_write_them(amount: Decimal | int | None, text: str) -> None:
    assert dollars(amount) == text


@given(st.decimals(min_value=Decimal("1e-24"), max_value=Decimal("1e12"), allow_nan=False))
def test_no_amount_but_zero_reads_as_zero(amount: Decimal) -> None:
    assert any(digit in "123456789" for digit in dollars(amount))


@given(st.decimals(min_value=Decimal("1e-24"), max_value=Decimal("1e9"), allow_nan=False))
def test_what_is_shown_is_within_one_percent_of_the_amount(amount: Decimal) -> None:
    shown = Decimal(dollars(amount).replace("$", "").replace(",", ""))
    assert abs(shown - amount) <= amount / 100 or abs(shown - amount) <= Decimal("0.005")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (99_999, "99,999"),
        (100_000, "100k"),
        (123_456, "123k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (1_234_567, "1.23M"),
        (45_600_000_000, "45.6B"),
        (2_000_000_000_000_000, "2000T"),
    ],
)
def test_tokens_stay_short(count: int, text: str) -> None:
    assert tokens(count) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(1, 3, "33%"), (3, 3, "100%"), (0, 3, "0%"), (Decimal("0.01"), 3, "<1%"), (None, 3, "-"), (0, 0, "-")],
)
def test_a_share_never_vanishes(part: Decimal | int | None, whole: int, text: str) -> None:
    assert percent(part, whole) == text
