"""The arithmetic, for any valid price list that the library's units allow."""

from decimal import Decimal

import pytest
from genai_prices.data_units import unit_data
from genai_prices.types import ClauseEquals as Equals
from genai_prices.types import ModelInfo, ModelPrice, Provider, Tier, TieredPrices
from genai_prices.units import UnitRegistry
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmlab.money import usd
from llmlab.pricing import card as cards
from llmlab.pricing.card import Card, Contradiction, Term, Total
from llmlab.pricing.catalogue.compiling import compile_card, prices_of
from llmlab.usage import Usage, contradictions
from pricing.library import plausible, total
from pricing.price_lists import price_lists

REGISTRY = UnitRegistry(unit_data)
usages = st.builds(Usage, **{name: st.none() | st.integers(0, 40) for name in Usage._fields})
plausible_usages = st.builds(plausible, st.randoms(use_true_random=False), st.integers(0, 130))

CHAT = Card(
    tiers=(
        cards.Tier(0, 0, (Term(0, 3), Term(1, 15), Term(2, -2))),
        cards.Tier(100, 0, (Term(0, 6), Term(1, 20), Term(2, -4))),
    ),
    rests=((Term(0, 1), Term(2, -1)),),
    totals=(Total(0, (2,)),),
)


@settings(deadline=None)
@given(price_lists(), usages | plausible_usages)
@example(ModelPrice(output_mtok=TieredPrices(Decimal(1), [Tier(9, Decimal(2))])), Usage(output=5, cache_read=10))
def test_a_compiled_card_equals_the_library_for_any_price_list(prices: ModelPrice, usage: Usage):
    card = compile_card(prices_of(prices))
    assert card is not None
    expected = total(ModelInfo(id="m", match=Equals("m"), prices=prices), Provider("p", "P", "p"), usage)
    if expected is None:
        with pytest.raises(Contradiction):
            card.cost(usage)
    else:
        assert usd(card.cost(usage)) == expected


@settings(deadline=None, max_examples=60)
@given(usages)
def test_contradictions_are_what_the_library_rejects_when_everything_has_a_price(usage: Usage):
    usage = _without_overlaps(usage)
    every_price = ModelPrice(**{unit.price_key: Decimal(1) for unit in REGISTRY.units.values()})
    model = ModelInfo(id="m", match=Equals("m"), prices=every_price)
    assert bool(contradictions(usage)) == (total(model, Provider("p", "P", "p"), usage) is None)


@settings(deadline=None, max_examples=60)
@given(usages)
def test_what_contradicts_itself_is_rejected_by_the_library_too(usage: Usage):
    every_price = ModelPrice(**{unit.price_key: Decimal(1) for unit in REGISTRY.units.values()})
    if contradictions(usage):
        assert total(ModelInfo(id="m", match=Equals("m"), prices=every_price), Provider("p", "P", "p"), usage) is None


def _without_overlaps(usage: Usage) -> Usage:
    """Drop what may share tokens with something else, so that the parts add up."""
    usage = usage._replace(cache_read_audio=None, cache_read_image=None)
    if usage.cache_read or usage.cache_write or usage.cache_write_5m or usage.cache_write_1h:
        usage = usage._replace(audio_in=None, image_in=None, video_in=None)
    if usage.reasoning or usage.citation:
        usage = usage._replace(audio_out=None, image_out=None, video_out=None)
    return usage


@given(st.integers(0, 50), st.integers(0, 99), st.integers(0, 50), st.integers(0, 99), st.integers(0, 50))
def test_within_a_tier_two_calls_cost_what_one_of_both_sizes_costs(
    read: int, out: int, more: int, out2: int, rest: int
):
    first, second = Usage(read + rest, out, cache_read=read), Usage(more, out2, cache_read=more // 2)
    both = Usage(read + rest + more, out + out2, cache_read=read + more // 2)
    if (both.input or 0) <= 100:
        assert CHAT.cost(both) == CHAT.cost(first) + CHAT.cost(second)


@given(st.integers(0, 200), st.integers(0, 200), st.data())
def test_more_tokens_never_cost_less(tokens: int, out: int, data: st.DataObject):
    read = data.draw(st.integers(0, tokens))
    cost = CHAT.cost(Usage(tokens, out, cache_read=read))
    assert CHAT.cost(Usage(tokens + 1, out, cache_read=read)) > cost
    assert CHAT.cost(Usage(tokens, out + 1, cache_read=read)) > cost


@given(st.integers(0, 200), st.data())
def test_what_is_cached_never_costs_more(tokens: int, data: st.DataObject):
    read = data.draw(st.integers(0, tokens))
    assert CHAT.cost(Usage(tokens, cache_read=read)) <= CHAT.cost(Usage(tokens))


@pytest.mark.parametrize(("tokens", "cost"), [(99, 297), (100, 300), (101, 606), (102, 612)])
def test_one_token_above_its_start_a_tier_holds_for_the_whole_call(tokens: int, cost: int):
    assert CHAT.cost(Usage(tokens)) == cost


@pytest.mark.parametrize(
    ("usage", "numbers"),
    [
        (Usage(50, cache_read=60), "cache_read 60 in input 50"),
        (Usage(None, 5, cache_read=60), "cache_read 60 in input unknown"),
        (Usage(-4, 5), "input -4 is negative"),
        (Usage(4, 5, cache_read=-1), "cache_read -1 is negative"),
    ],
)
def test_a_usage_that_cannot_be_is_refused_with_its_numbers(usage: Usage, numbers: str):
    with pytest.raises(Contradiction, match=numbers):
        CHAT.cost(usage)


def test_a_price_finer_than_a_yocto_dollar_is_not_compiled():
    exact = prices_of(ModelPrice(input_mtok=Decimal("1e-18")))
    too_fine = prices_of(ModelPrice(input_mtok=Decimal("1e-19")))
    charge = cards.Charge(0, 1, (Term(0, 1),))
    assert compile_card(exact) == Card((cards.Tier(0, 0, (Term(0, 1),), (charge,)),), totals=(INPUT_TOTAL,))
    assert compile_card(too_fine) is None


INPUT_TOTAL = Total(
    0,
    tuple(
        sorted(
            Usage._fields.index(part)
            for part in (
                "cache_read",
                "cache_write",
                "cache_write_5m",
                "cache_write_1h",
                "audio_in",
                "image_in",
                "video_in",
                "cache_read_audio",
                "cache_read_image",
            )
        )
    ),
)
