"""What a price is worth: what it leaves out is said."""

import pytest

from llmlab.money import MAX_YOCTO
from llmlab.pricing import Priced
from llmlab.pricing.card import Card, Term, Tier
from llmlab.pricing.rate import Coverage, Origin, Rate
from llmlab.usage import Usage

ORIGIN = Origin("a catalogue 1.0", "maker", "model", "2026-01-01")
POSITION = {name: position for position, name in enumerate(Usage._fields)}


def rate(per_request: int = 0, *, free: bool = False, tier_doubt: str = "", **prices: int) -> Rate:
    """A rate with a price for each of these fields, all of them totals."""
    weights = tuple(Term(POSITION[field], price) for field, price in prices.items())
    coverage = Coverage(frozenset(prices), per_request=bool(per_request), free=free)
    return Rate(Card((Tier(0, per_request, weights),)), coverage, ORIGIN, tier_doubt)


def test_a_price_says_where_it_stands():
    card = rate(input=3, output=15)
    assert card.price(Usage(10, 2)) == Priced(60, "computed", "", "", *ORIGIN, rate=card)


def test_an_honest_zero_costs_nothing():
    assert rate(input=3, output=15).price(Usage(0, 0))[:8] == (0, "computed", "", "", *ORIGIN)


def test_a_call_may_have_a_price_of_its_own():
    assert rate(5, input=3, output=15).price(Usage(0, 0)).cost_yocto == 5


def test_a_free_model_costs_nothing_whatever_it_did():
    assert rate(free=True).price(Usage(10, 2, web_searches=3))[:8] == (0, "computed", "", "", *ORIGIN)


@pytest.mark.parametrize("usage", [Usage(10, 2), Usage(audio_ms=900), Usage(0, 0)])
def test_a_model_without_any_price_is_not_free(usage: Usage):
    priced = rate().price(usage)
    assert (priced.cost_yocto, priced.source, priced.reason) == (None, "none", "unpriced_unit")


def test_tokens_at_a_model_that_is_billed_by_the_second_have_no_price():
    priced = rate(audio_ms=7).price(Usage(10, 2))
    assert (priced.cost_yocto, priced.reason) == (None, "unpriced_unit")
    assert priced.detail == "input 10, output 2 at maker/model, which has a price for audio_ms"


def test_seconds_at_a_model_that_is_billed_by_tokens_have_no_price():
    assert rate(input=3, output=15).price(Usage(audio_ms=900)).reason == "unpriced_unit"


@pytest.mark.parametrize("extra", ["web_searches", "file_searches"])
def test_a_search_without_a_price_makes_the_cost_an_estimate(extra: str):
    priced = rate(input=3, output=15).price(Usage(10, 2, **{extra: 4}))
    assert (priced.cost_yocto, priced.source, priced.reason) == (60, "estimated", "unpriced_part")
    assert priced.detail == f"{extra} 4 has no price at maker/model and is left out"


@pytest.mark.parametrize("count", [None, 0])
def test_no_search_leaves_nothing_out(count: int | None):
    assert rate(input=3, output=15).price(Usage(10, 2, web_searches=count)).source == "computed"


def test_the_price_of_a_call_covers_its_searches():
    assert rate(5, input=3, output=15).price(Usage(10, 2, web_searches=1)).source == "computed"


def test_output_without_a_price_makes_the_cost_an_estimate():
    priced = rate(input=3).price(Usage(10, 2))
    assert (priced.cost_yocto, priced.source, priced.reason) == (30, "estimated", "unpriced_part")


@pytest.mark.parametrize(
    ("usage", "source"),
    [
        (Usage(10, 2, cache_write=4), "estimated"),
        (Usage(10, 2, cache_write=4, cache_write_5m=3), "estimated"),
        (Usage(10, 2, cache_write=4, cache_write_5m=4), "computed"),
        (Usage(10, 2, cache_write=4, cache_write_1h=0), "computed"),
        (Usage(10, 2, cache_write=0), "computed"),
        (Usage(10, 2), "computed"),
    ],
)
def test_a_cache_write_of_unknown_lifetime_is_an_estimate(usage: Usage, source: str):
    by_lifetime = rate(input=3, output=15, cache_write=4, cache_write_1h=6)
    priced = by_lifetime.price(usage)
    assert (priced.source, priced.reason) == (source, "cache_lifetime" if source == "estimated" else "")
    assert rate(input=3, output=15, cache_write=4).price(usage).source == "computed"


def test_every_doubt_is_told_and_the_first_one_is_the_reason():
    priced = rate(input=3, output=15, tier_doubt="no price for batch").price(Usage(10, 2, web_searches=1))
    assert (priced.cost_yocto, priced.source, priced.reason) == (60, "estimated", "unpriced_tier")
    assert priced.detail == "no price for batch; web_searches 1 has no price at maker/model and is left out"


def test_a_contradiction_has_no_cost_and_names_its_numbers():
    priced = rate(input=3, output=15).price(Usage(-10, 2))
    assert priced == Priced(None, "none", "contradiction", "input -10 is negative", *ORIGIN)


def test_more_money_than_can_be_stored_is_no_cost():
    assert rate(input=1, output=15).price(Usage(MAX_YOCTO)).cost_yocto == MAX_YOCTO
    beyond = rate(input=1, output=15).price(Usage(MAX_YOCTO + 1))
    assert (beyond.cost_yocto, beyond.reason) == (None, "contradiction")
