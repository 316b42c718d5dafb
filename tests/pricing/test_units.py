from genai_prices.data_snapshot import get_snapshot
from genai_prices.data_units import unit_data
from genai_prices.types import ModelPrice, TieredPrices
from genai_prices.units import UnitRegistry

from llmlab.pricing.catalogue.units import ALL_FIELDS, FIELDS, OWN_UNITS, PER_FIELD_UNIT, PER_REQUEST, UNMAPPED
from llmlab.usage import EXTRAS, MEASURES, Usage
from pricing.library import price_sets

REGISTRY = UnitRegistry(unit_data)
PRICES = [prices for provider in get_snapshot().providers for model in provider.models for prices in price_sets(model)]


def test_every_unit_of_the_library_has_a_field_or_a_reason():
    assert FIELDS.keys() | UNMAPPED.keys() == REGISTRY.units.keys()
    assert not FIELDS.keys() & UNMAPPED.keys()
    assert all(UNMAPPED.values())


def test_every_field_stands_for_exactly_one_unit():
    assert sorted(ALL_FIELDS.values()) == sorted(Usage._fields)
    assert PER_FIELD_UNIT.keys() <= set(FIELDS.values())


def test_no_unit_without_a_field_has_a_price_of_its_own():
    """A price for such a unit would go unnoticed: whoever updates the catalogue learns of it here."""
    priced = {REGISTRY.unit_for_price_key(key).usage_key for prices in PRICES for key in _priced(prices)}
    assert priced & UNMAPPED.keys() == {PER_REQUEST, "input_audio_seconds"}


def test_audio_going_in_costs_what_any_audio_costs():
    for prices in PRICES:
        if "input_audio_hours" in _priced(prices):
            assert prices.input_audio_hours == prices.audio_hours


def test_measures_and_extras_are_the_fields_that_are_part_of_nothing():
    assert OWN_UNITS.keys() == ALL_FIELDS.keys() - FIELDS.keys()
    parts = {FIELDS[unit] for unit in FIELDS if REGISTRY.ancestor_usage_keys(unit) & FIELDS.keys()}
    assert {*MEASURES, *EXTRAS} == set(Usage._fields) - parts


def _priced(prices: ModelPrice) -> dict[str, object]:
    return {key: price for key, price in vars(prices).items() if price is not None}


def test_a_tier_depends_on_nothing_but_the_input():
    """The cards decide by `Usage.input`; a library that decides otherwise would change this attribute's meaning."""
    assert TieredPrices.__dataclass_fields__.keys() == {"base", "tiers"}
    assert Usage._fields[0] == "input"
