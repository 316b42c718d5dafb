from decimal import Decimal
from typing import Any

import pytest

from llmlab.money import usd, yocto
from llmlab.pricing.catalogue.user_file import read_user_file
from llmlab.pricing.pricer import Pricer
from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.call import Call
from llmlab_exporter.pricing import price
from normalise.spans import call


@pytest.fixture(scope="module")
def pricer() -> Pricer:
    return Pricer()


def changed(provider: str = "openai", **reading: Any) -> Call:
    base = call()
    return base._replace(provider=provider, reading=base.reading._replace(**reading))


def test_a_call_is_priced_by_the_served_model_when_it_ended(pricer: Pricer) -> None:
    reading = changed(response_model="gpt-5-mini", request_model="gpt-5").reading
    found = call()._replace(reading=reading)
    assert price(found, pricer) == pricer.price("openai", ("gpt-5-mini", "gpt-5"), reading.usage, found.end_ns)
    assert price(found, pricer).source == "computed"


def test_what_the_provider_says_goes_before_our_computation(pricer: Pricer) -> None:
    priced = price(changed(provider_cost=Decimal("0.0123"), usage_spoiled=True), pricer)
    assert priced.cost_yocto is not None
    assert (usd(priced.cost_yocto), priced.source) == (Decimal("0.0123"), "provider")


def test_a_provider_may_say_that_it_was_free(pricer: Pricer) -> None:
    assert price(changed(provider_cost=Decimal(0)), pricer).cost_yocto == 0


def test_what_another_instrumentation_computed_does_not_count(pricer: Pricer) -> None:
    assert price(changed(claimed_cost=Decimal(0)), pricer) == price(changed(), pricer)
    silent = price(changed(claimed_cost=Decimal(1), usage=NO_USAGE, usage_source=None), pricer)
    assert (silent.cost_yocto, silent.reason) == (None, "no_usage")


@pytest.mark.parametrize("more", [{}, {"provider_cost": Decimal(1)}])
def test_what_is_not_billable_costs_nothing_rather_than_zero(pricer: Pricer, more: dict[str, Any]) -> None:
    priced = price(changed(billable=False, operation="invoke_agent", **more), pricer)
    assert (priced.cost_yocto, priced.source, priced.reason) == (None, "none", "not_billable")
    assert "invoke_agent" in priced.detail


def test_a_usage_of_which_a_count_was_refused_is_not_priced(pricer: Pricer) -> None:
    flaw = "gen_ai.usage.output_tokens is nan, which is no count"
    priced = price(changed(usage=Usage(10), usage_spoiled=True, flaws=(flaw,)), pricer)
    assert (priced.cost_yocto, priced.source, priced.reason, priced.detail) == (None, "none", "no_usage", flaw)


@pytest.mark.parametrize("source", ["estimated", "partial"])
def test_a_cost_is_no_better_than_its_usage(pricer: Pricer, source: str) -> None:
    priced = price(changed(usage_source=source), pricer)
    assert priced.cost_yocto == price(changed(), pricer).cost_yocto
    assert priced.source == "estimated"
    assert source in priced.detail


@pytest.mark.parametrize("provider", ["azure.ai.openai", "azure.ai.inference"])
def test_the_name_of_an_azure_deployment_prices_nothing(pricer: Pricer, provider: str) -> None:
    deployment = changed(provider, request_model="gpt-4o", response_model="")
    assert price(deployment, pricer).cost_yocto is None
    assert price(changed(provider, request_model="mine", response_model="gpt-4o"), pricer).cost_yocto is not None


DEPLOYMENTS = """
prices:
  azure.ai.openai/prod-chat: {input_mtok: 1, output_mtok: 1}
  azure.ai.openai/team-*: {input_mtok: 2, output_mtok: 2}
"""
A_MILLION = Usage(600_000, 400_000)


@pytest.mark.parametrize(
    ("deployment", "served", "dollars"),
    [
        ("prod-chat", "", 1),
        ("Prod-Chat", "", 1),
        ("team-blue", "", 2),
        ("prod-chat", "a-model-that-nobody-knows", 1),
        ("gpt-4o", "", None),
        ("other", "", None),
    ],
)
def test_only_the_users_own_entry_prices_an_azure_deployment(deployment: str, served: str, dollars: int | None) -> None:
    own = Pricer(own=read_user_file(DEPLOYMENTS, "prices.yaml"))
    azure = changed("azure.ai.openai", request_model=deployment, response_model=served, usage=A_MILLION)
    priced = price(azure, own)
    assert priced.cost_yocto == (None if dollars is None else yocto(Decimal(dollars)))
    assert priced.reason == ("" if dollars else "unknown_model")
    assert dollars or repr(deployment) in priced.detail


def test_the_entry_of_the_deployment_goes_before_the_served_model_in_the_catalogue(pricer: Pricer) -> None:
    own = Pricer(own=read_user_file(DEPLOYMENTS, "prices.yaml"))
    azure = changed("azure.ai.openai", request_model="prod-chat", response_model="gpt-4o", usage=A_MILLION)
    assert price(azure, own).cost_yocto == yocto(Decimal(1))
    assert price(azure, pricer).cost_yocto == yocto(Decimal("5.5"))


def test_elsewhere_the_requested_model_prices_what_was_served_without_a_name(pricer: Pricer) -> None:
    assert price(changed(request_model="gpt-4o", response_model=""), pricer).cost_yocto is not None


def test_an_unknown_model_is_never_free(pricer: Pricer) -> None:
    priced = price(changed(request_model="nope", response_model=""), pricer)
    assert (priced.cost_yocto, priced.reason) == (None, "unknown_model")


def test_tier_and_batch_are_part_of_the_price(pricer: Pricer) -> None:
    standard = price(changed(), pricer).cost_yocto
    assert standard is not None
    for cheaper in (price(changed(tier="flex"), pricer), price(changed(batch=True), pricer)):
        assert cheaper.cost_yocto == standard // 2
