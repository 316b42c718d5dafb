from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.money import MAX_YOCTO, YOCTO_PER_USD, plain, usd, yocto

amounts = st.integers(-(10**60), 10**60)


@given(amounts)
def test_dollars_and_back_is_the_same_amount(amount: int):
    assert yocto(usd(amount)) == amount


@given(amounts)
def test_text_and_back_is_the_same_amount(amount: int):
    text = plain(amount)
    assert text is not None
    assert yocto(Decimal(text)) == amount
    assert "E" not in text


@given(amounts, amounts)
def test_dollars_add_up_like_yocto_dollars(first: int, second: int):
    assert yocto(usd(first)) + yocto(usd(second)) == first + second


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0"),
        (1, "0.000000000000000000000001"),
        (183 * 10**18, "0.000183"),
        (YOCTO_PER_USD, "1"),
        (-1250 * YOCTO_PER_USD, "-1250"),
        (None, None),
    ],
)
def test_amounts_are_written_plainly_and_unknown_is_not_zero(amount: int | None, text: str | None):
    assert plain(amount) == text


@pytest.mark.parametrize(
    ("dollars", "amount"),
    [("0.5e-24", 0), ("1.5e-24", 2), ("2.5e-24", 2), ("2.5000001e-24", 3), ("-1.5e-24", -2), ("1e-999999", 0)],
)
def test_beyond_the_24th_decimal_half_goes_to_even(dollars: str, amount: int):
    assert yocto(Decimal(dollars)) == amount


@pytest.mark.parametrize("dollars", ["NaN", "sNaN", "Infinity", "-Infinity", "1e51", "1e999999"])
def test_what_is_no_amount_is_refused(dollars: str):
    with pytest.raises(ValueError, match="is no amount of USD"):
        yocto(Decimal(dollars))


def test_the_largest_amount_is_what_38_digits_hold():
    assert len(str(MAX_YOCTO)) == 38
    assert usd(MAX_YOCTO + 1) == Decimal("1e14")
