from decimal import Decimal

import pytest
from prometheus_client import CollectorRegistry

from calls import call
from llmlab.money import usd
from llmlab.pricing.pricer import Pricer
from llmlab_exporter.assess import assess
from llmlab_exporter.call import Call
from llmlab_exporter.telemetry import MAX_COMPARED_MODELS, Telemetry

PRICER = Pricer()
DIFFERENCE = "llmlab_exporter_provider_cost_difference_usd_total"
COMPARED = "llmlab_exporter_provider_cost_compared_usd_total"
MODEL = {"provider": "openai", "model": "gpt-5-mini"}


def counted(*calls: Call) -> CollectorRegistry:
    registry = CollectorRegistry()
    Telemetry(registry).count_comparisons(assess(calls, PRICER))
    return registry


def computed() -> Decimal:
    (line,) = assess([call()], PRICER)
    assert line.priced.cost_yocto is not None
    return usd(line.priced.cost_yocto)


def test_both_directions_are_counted_apart_so_that_they_never_cancel_out() -> None:
    registry = counted(call(1, provider_cost=computed() + 2), call(2, provider_cost=Decimal(0)))
    assert registry.get_sample_value(DIFFERENCE, MODEL | {"direction": "above"}) == pytest.approx(2)
    below = registry.get_sample_value(DIFFERENCE, MODEL | {"direction": "below"})
    assert below == pytest.approx(float(computed()))
    assert registry.get_sample_value(COMPARED, MODEL) == pytest.approx(2 * float(computed()))


def test_a_provider_that_agrees_differs_by_nothing_and_is_compared_all_the_same() -> None:
    registry = counted(call(1, provider_cost=computed()))
    assert registry.get_sample_value(DIFFERENCE, MODEL | {"direction": "above"}) == 0
    assert registry.get_sample_value(COMPARED, MODEL) == pytest.approx(float(computed()))


def test_calls_of_which_only_one_side_speaks_are_not_compared() -> None:
    unknown = call(2, request_model="mystery", response_model="mystery", provider_cost=Decimal(1))
    assert counted(call(1), unknown).get_sample_value(COMPARED, MODEL) is None


def test_a_flood_of_model_names_does_not_become_a_flood_of_series() -> None:
    made_up = [
        call(number, model=f"made-up-{number}", provider_cost=Decimal(1)) for number in range(MAX_COMPARED_MODELS + 9)
    ]
    registry = counted(*made_up)
    series = [sample for metric in registry.collect() for sample in metric.samples if sample.name == COMPARED]
    assert len(series) == MAX_COMPARED_MODELS + 1
    other = registry.get_sample_value(COMPARED, {"provider": "other", "model": "other"})
    assert other == pytest.approx(9 * float(computed()))
