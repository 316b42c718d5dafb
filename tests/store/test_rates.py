from decimal import Decimal
from typing import Any

import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from llmlab.pricing import Priced
from llmlab.pricing.pricer import Pricer
from llmlab.pricing.rate import Discount, Rate
from llmlab.usage import Usage
from llmlab_exporter.rates import Part, parts, rate_text

AT_NS = 1_795_000_000 * 10**9
PRICER = Pricer()
MODELS = [(provider.id, model.id) for provider in get_snapshot().providers for model in provider.models]

counts = st.integers(0, 3_000_000)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Make usages that hold together."""
    read, write_5m, write_1h, audio, rest = (draw(counts) for _ in range(5))
    reasoning, output = draw(counts), draw(counts)
    return Usage(
        read + write_5m + write_1h + audio + rest,
        reasoning + output,
        cache_read=read,
        cache_write=write_5m + write_1h,
        cache_write_5m=write_5m,
        cache_write_1h=write_1h,
        audio_in=draw(st.sampled_from([None, audio])),
        reasoning=reasoning,
        web_searches=draw(st.sampled_from([None, 0, 3])),
    )


def taken_apart(priced: Priced, usage: Usage) -> list[Part]:
    return parts(rate_text(priced, usage), usage)


@given(st.sampled_from(MODELS), usages())
def test_the_parts_of_a_cost_add_up_to_it_and_agree_with_the_pricer(model: tuple[str, str], usage: Usage) -> None:
    priced = PRICER.price(model[0], (model[1],), usage, AT_NS)
    found = taken_apart(priced, usage)
    assert sum(part.cost_yocto for part in found) == (priced.cost_yocto or 0)
    assert [(part.name, part.cost_yocto) for part in found] == [part for part in priced.parts(usage) if part[1]]


@pytest.mark.parametrize("percents", [["10"], ["12.5"], ["33.333", "7"], ["100"]])
@pytest.mark.parametrize("reason", ["openai", "project tea and cake"])
@given(usage=usages())
def test_discounted_parts_add_up_too(percents: list[str], reason: str, usage: Usage) -> None:
    listed = PRICER.price("anthropic", ("claude-sonnet-4-5",), usage, AT_NS)
    if not isinstance(listed.rate, Rate):
        return
    discounts = [Discount(Decimal(percent), reason) for percent in percents]
    priced = listed.rate.reduced(discounts).price(usage)
    found = taken_apart(priced, usage)
    assert sum(part.cost_yocto for part in found) == priced.cost_yocto
    assert {part.name: part.cost_yocto for part in found if part.cost_yocto} == {
        name: cost for name, cost in priced.parts(usage) if cost
    }


def test_a_rate_is_the_same_text_for_all_calls_of_a_tier() -> None:
    texts = {
        rate_text(PRICER.price("openai", ("gpt-5-mini",), usage, AT_NS), usage)
        for usage in (Usage(1, 2), Usage(100_000, 5, cache_read=7, reasoning=3))
    }
    (text,) = texts
    assert "input-cache_read:0.00000025" in text.split()


@pytest.mark.parametrize(("tokens", "price"), [(200_000, "0.000003"), (200_001, "0.000006")])
def test_the_rate_is_that_of_the_long_context_tier(tokens: int, price: str) -> None:
    usage = Usage(tokens, 1)
    priced = PRICER.price("anthropic", ("claude-sonnet-4-5",), usage, AT_NS)
    (part, _) = taken_apart(priced, usage)
    assert part.unit_yocto == int(Decimal(price).scaleb(24))


def test_an_hourly_price_is_kept_as_its_amount() -> None:
    usage = Usage(audio_ms=61_000)
    priced = PRICER.price("groq", ("whisper-large-v3",), usage, AT_NS)
    assert priced.cost_yocto
    assert taken_apart(priced, usage) == [Part("audio_ms", None, None, priced.cost_yocto)]


@pytest.mark.parametrize("unpriced", [Priced(None, "none", "unknown_model"), Priced(5, "provider")])
def test_without_a_rate_there_are_no_parts(unpriced: Priced) -> None:
    assert rate_text(unpriced, Usage(1, 1)) == ""
    assert parts("", Usage(1, 1)) == []


def test_a_text_that_is_no_rate_is_refused() -> None:
    broken: Any = "input:much"
    with pytest.raises(ArithmeticError):
        parts(broken, Usage(1, 1))
