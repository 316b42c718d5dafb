"""Every model of the catalogue, priced by us and by the library, to the last digit."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from random import Random

import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, Provider, StartDateConstraint, TimeOfDateConstraint

from llmlab.money import usd, yocto
from llmlab.pricing.card import Card, Contradiction
from llmlab.pricing.catalogue import Catalogue
from llmlab.pricing.catalogue.fallback import LibraryTariff
from llmlab.pricing.catalogue.lookup import Listing
from llmlab.pricing.rate import Rate
from llmlab.usage import Usage
from pricing.library import NOW, ns, plausible, tier_starts, total, wild

PROVIDERS = get_snapshot().providers
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.id)
def test_every_price_equals_the_library_s_to_the_last_digit(catalogue: Catalogue, provider: Provider):
    random = Random(provider.id)  # noqa: S311 - the same usages in every run
    for model in provider.models:
        listing = Listing(provider, provider, model)
        for tier, batch, variant in variants(model):
            rates = catalogue.rates(listing, tier, batch=batch)
            for moment, usage in cases(random, model):
                check(rates.at(ns(moment)), usage, listing, moment, variant)


def check(rate: Rate, usage: Usage, listing: Listing, moment: datetime, variant: dict[str, str]) -> None:
    expected = total(listing.model, listing.provider, usage, moment, variant)
    what = f"{listing.provider.id}/{listing.model.id} at {moment} {variant} {usage}"
    if expected is None:
        with pytest.raises(Contradiction):
            rate.tariff.cost(usage)
        assert rate.price(usage).cost_yocto is None, what
    elif isinstance(rate.tariff, Card):
        assert usd(rate.tariff.cost(usage)) == expected, what
    else:
        assert rate.tariff.cost(usage) == yocto(expected), what


def variants(model: ModelInfo) -> Iterator[tuple[str, bool, dict[str, str]]]:
    """The standard price, and each variant that can be asked for, as we and as the library ask for it."""
    yield "", False, {}
    for override in model.price_variants or ():
        match override.when:
            case {"processing": "batch"}:
                yield "default", True, {"processing": "batch"}
            case {"service_tier": tier}:
                yield tier, False, {"service_tier": tier}
            case {"speed": speed}:
                yield speed, False, {"speed": speed}
            case _:
                assert set(override.when) <= {"route", "search_type"}, "a variant nobody has thought of"


def moments(random: Random, model: ModelInfo) -> list[datetime]:
    """A random moment, and both sides of every boundary."""
    found = [NOW + timedelta(seconds=random.randint(-90_000_000, 0))]
    conditions = [] if isinstance(model.prices, ModelPrice) else [price.constraint for price in model.prices]
    for condition in (*conditions, *(variant.constraint for variant in model.price_variants or ())):
        if isinstance(condition, StartDateConstraint):
            start = datetime.combine(condition.start_date, time(0), UTC)
            found += [start - MICROSECOND, start]
        if isinstance(condition, TimeOfDateConstraint):
            for at in (condition.start_time, condition.end_time):
                boundary = datetime.combine(NOW - timedelta(days=random.randint(0, 2)), at)
                found += [boundary - MICROSECOND, boundary]
    return found


def cases(random: Random, model: ModelInfo) -> Iterator[tuple[datetime, Usage]]:
    """Plausible usages and some that may contradict themselves at every moment, and both sides of every tier."""
    for moment in moments(random, model):
        for usage in (plausible(random, 10**6), plausible(random, 300), wild(random), wild(random)):
            yield moment, usage
    for start in tier_starts(model):
        yield NOW, plausible(random, start)
        yield NOW, plausible(random, start + 1)


def test_nearly_every_model_is_compiled(catalogue: Catalogue):
    left_to_library = {
        f"{provider.id}/{model.id}"
        for provider in PROVIDERS
        for model in provider.models
        if isinstance(catalogue.rates(Listing(provider, provider, model)).at(ns(NOW)).tariff, LibraryTariff)
    }
    assert "groq/whisper-large-v3" in left_to_library
    assert len(left_to_library) < 30


@pytest.mark.parametrize("provider", ["", *(provider.id for provider in PROVIDERS)])
def test_a_name_leads_to_the_same_model_as_in_the_library(catalogue: Catalogue, provider: str):
    for name in sorted({model.id for owner in PROVIDERS for model in owner.models if provider in {"", owner.id}}):
        listing = catalogue.find(provider, (name,))
        assert (isinstance(listing, Listing) and (listing.provider.id, listing.model.id)) == found(provider, name)


def found(provider: str, name: str) -> tuple[str, str] | bool:
    try:
        serving, model = get_snapshot().find_provider_model(name, None, provider or None, None)
    except LookupError:
        return False
    return serving.id, model.id
