"""What holds for any usage and any price list."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from genai_prices.types import ModelPrice, Tier, TieredPrices
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llmlab.money import usd
from llmlab.pricing.card import Card
from llmlab.pricing.catalogue import Catalogue
from llmlab.pricing.catalogue.compiling import compile_card, prices_of
from llmlab.pricing.catalogue.lookup import Listing
from llmlab.pricing.rate import Discount, Discounted
from llmlab.usage import Usage, contradictions
from pricing.library import complete, plausible
from pricing.price_lists import counted_lists, one_price_for_all_tokens
from pricing.test_catalogue_equals_library import variants

usages = st.builds(complete, st.randoms(use_true_random=False), st.integers(0, 130))
reported = st.builds(plausible, st.randoms(use_true_random=False), st.integers(0, 130))
any_usage = st.builds(Usage, **{name: st.none() | st.integers(0, 40) for name in Usage._fields})

PARTS = {
    "input": ("cache_read", "cache_write", "audio_in", "image_in", "video_in"),
    "output": ("reasoning", "citation", "audio_out", "image_out", "video_out"),
    "cache_write": ("cache_write_5m", "cache_write_1h"),
    "cache_read": ("cache_read_audio", "cache_read_image"),
    "audio_in": ("cache_read_audio",),
    "image_in": ("cache_read_image",),
    "pages": ("annotated_pages",),
}
"""By total, its parts, as the docstrings of `Usage` say."""


def card(prices: ModelPrice) -> Card:
    compiled = compile_card(prices_of(prices))
    assert compiled is not None
    return compiled


def both(first: Usage, second: Usage) -> Usage:
    """What two calls consumed together."""
    return Usage(*((one or 0) + (other or 0) for one, other in zip(first, second, strict=True)))


def tier(prices: Card, usage: Usage) -> int:
    return sum((usage.input or 0) > each.start for each in prices.tiers[1:])


@given(any_usage | reported)
def test_no_part_of_a_usage_that_holds_together_exceeds_its_total(usage: Usage):
    assume(not contradictions(usage))
    for total, parts in PARTS.items():
        for part in parts:
            assert (getattr(usage, part) or 0) <= (getattr(usage, total) or 0), (part, total)


@given(usages, st.sampled_from(sorted(PARTS)), st.data())
def test_a_part_that_exceeds_its_total_is_a_contradiction(usage: Usage, total: str, data: st.DataObject):
    part = data.draw(st.sampled_from(PARTS[total]))
    assert not contradictions(usage)
    assert contradictions(usage._replace(**{part: getattr(usage, total) + 1}))


@given(usages, usages)
def test_two_usages_that_hold_together_do_so_together(first: Usage, second: Usage):
    assert not contradictions(both(first, second))


@settings(deadline=None)
@given(one_price_for_all_tokens(), usages)
def test_the_buckets_of_a_usage_are_disjoint_and_sum_to_its_totals(priced: tuple[ModelPrice, Decimal], usage: Usage):
    """Where every token costs the same, how they are told apart changes nothing."""
    prices, per_million = priced
    tokens = (usage.input or 0) + (usage.output or 0)
    assert usd(card(prices).cost(usage)) == per_million * tokens / 1_000_000


@settings(deadline=None)
@given(counted_lists(), usages)
def test_the_parts_of_a_cost_are_no_less_than_nothing_and_sum_to_the_cost(prices: ModelPrice, usage: Usage):
    parts = card(prices).parts(usage)
    assert all(cost >= 0 for _, cost in parts)
    assert sum(cost for _, cost in parts) == card(prices).cost(usage)


@settings(deadline=None)
@given(counted_lists(), usages, st.lists(st.decimals(Decimal("0.01"), 100, places=2), min_size=1, max_size=3))
def test_the_parts_of_a_discounted_cost_sum_to_what_is_left_of_it(
    prices: ModelPrice, usage: Usage, percents: list[Decimal]
):
    reduced = Discounted(card(prices), [Discount(percent, "all") for percent in percents])
    left = Fraction(card(prices).cost(usage))
    for percent in percents:
        left *= 1 - Fraction(percent) / 100
    assert sum(cost for _, cost in reduced.parts(usage)) == reduced.cost(usage) == round(left)


@settings(deadline=None)
@given(counted_lists(), usages, usages)
def test_within_a_tier_two_calls_cost_what_one_of_both_sizes_does_and_one_more_fee(
    prices: ModelPrice, first: Usage, second: Usage
):
    priced, whole = card(prices), both(first, second)
    assume(tier(priced, first) == tier(priced, second) == tier(priced, whole))
    fee = priced.tiers[tier(priced, whole)].per_request
    assert priced.cost(first) + priced.cost(second) == priced.cost(whole) + fee


@settings(deadline=None)
@given(counted_lists(rising=True), usages, usages)
def test_who_consumes_more_never_pays_less_where_no_tier_is_cheaper_than_the_one_below(
    prices: ModelPrice, usage: Usage, more: Usage
):
    assert card(prices).cost(both(usage, more)) >= card(prices).cost(usage)


FALLING: set[str] = set()
"""Models of the catalogue that charge less for a unit in a higher tier."""


def test_no_list_in_the_catalogue_has_a_tier_that_is_cheaper_than_the_one_below(catalogue: Catalogue):
    tiered: set[str] = set()
    falling: set[str] = set()
    for provider in catalogue.providers:
        for model in provider.models:
            for priced in cards(catalogue, Listing(provider, provider, model)):
                tiered |= {f"{provider.id}/{model.id}"} if len(priced.tiers) > 1 else set()
                falling |= {f"{provider.id}/{model.id}"} if falls(priced) else set()
    assert len(tiered) > 100
    assert falling == FALLING


def test_a_tier_that_is_cheaper_than_the_one_below_is_noticed():
    assert falls(card(ModelPrice(input_mtok=TieredPrices(base=Decimal(2), tiers=[Tier(start=10, price=Decimal(1))]))))


def cards(catalogue: Catalogue, listing: Listing) -> Iterator[Card]:
    """What a model charges at any time, in any tier and in a batch."""
    for tier, batch, _ in variants(listing.model):
        for row in catalogue.rates(listing, tier, batch=batch).values:
            yield from (rate.tariff for rate in row if isinstance(rate.tariff, Card))


def falls(priced: Card) -> bool:
    """Whether anything costs less in a tier than in the one below."""
    prices = [
        {"request": tier.per_request, **{charge.field: charge.per_unit for charge in tier.charges}}
        for tier in priced.tiers
    ]
    return any(above.get(unit, 0) < price for below, above in pairwise(prices) for unit, price in below.items())
