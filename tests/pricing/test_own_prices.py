"""The user's prices go before the catalogue's, and discounts come last."""

from datetime import UTC, datetime

import pytest

from llmlab.money import plain
from llmlab.pricing import Priced
from llmlab.pricing.book import PriceBook
from llmlab.pricing.catalogue import Catalogue
from llmlab.pricing.catalogue.user_file import read_user_file
from llmlab.pricing.pricer import Pricer
from llmlab.usage import NO_USAGE, Usage
from pricing.library import NOW, ns

CHAT = Usage(1000, 500)
NOW_NS = ns(NOW)


def priced(
    catalogue: Catalogue,
    text: str,
    provider: str,
    *models: str,
    usage: Usage = CHAT,
    tier: str = "",
    batch: bool = False,
    project: str = "",
) -> Priced:
    pricer = Pricer(catalogue, read_user_file(text, "prices.yaml"))
    return pricer.price(provider, models, usage, NOW_NS, tier=tier, batch=batch, project=project)


def dollars(price: Priced) -> str | None:
    return plain(price.cost_yocto)


EXACT_AND_GLOB = """
prices:
  "openai/*": {input_mtok: 100, output_mtok: 100}
  "*/gpt-4o*": {input_mtok: 50, output_mtok: 50}
  openai/gpt-4o: {input_mtok: 1, output_mtok: 1}
"""


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "gpt-4o", "0.0015"),
        ("openai", "GPT-4o", "0.0015"),
        ("openai", "gpt-4o-2024-11-20", "0.0015"),  # the catalogue's name of it is the one in the file
        ("openai", "gpt-4o-mini", "0.15"),  # the first pattern in the file
        ("openai", "anything/with/slashes", "0.15"),
        ("azure.ai.openai", "gpt-4o", "0.075"),
        ("anthropic", "claude-sonnet-4-5", "0.0105"),
        ("", "gpt-4o", "0.0015"),
    ],
)
def test_exact_goes_before_patterns_and_patterns_before_the_catalogue(
    catalogue: Catalogue, provider: str, model: str, expected: str
):
    assert dollars(priced(catalogue, EXACT_AND_GLOB, provider, model)) == expected


def test_the_served_model_decides_although_only_the_requested_one_is_in_the_file(catalogue: Catalogue):
    text = "prices: {openai/gpt-4o: {input_mtok: 1, output_mtok: 1}}"
    assert dollars(priced(catalogue, text, "openai", "gpt-4o-mini-2024-07-18", "gpt-4o")) == "0.00045"


def test_a_provider_may_be_named_as_telemetry_or_as_the_catalogue_does(catalogue: Catalogue):
    for name in ("aws.bedrock", "aws", "bedrock"):
        text = f"prices: {{{name}/my-model: {{input_mtok: 1, output_mtok: 1}}}}"
        assert dollars(priced(catalogue, text, "aws.bedrock", "my-model")) == "0.0015"


def test_an_own_price_says_where_it_stands(catalogue: Catalogue):
    text = "prices: {openai/gpt-4o: {from: 2026-10-01, input_mtok: 1, output_mtok: 1}}"
    price = priced(catalogue, text, "openai", "gpt-4o")
    assert price.catalogue.startswith("prices.yaml ")
    assert (price.price_provider, price.price_model, price.rate_start) == ("openai", "gpt-4o", "2026-10-01")


def test_before_its_first_date_the_catalogue_s_price_holds(catalogue: Catalogue):
    text = "prices: {openai/gpt-4o: [{from: 2026-10-01, input_mtok: 1, output_mtok: 1}]}"
    pricer = Pricer(catalogue, read_user_file(text, "prices.yaml"))
    start = ns(datetime(2026, 10, 1, tzinfo=UTC))
    before, since = (pricer.price("openai", ("gpt-4o",), CHAT, at) for at in (start - 1, start))
    assert (dollars(before), before.catalogue) == ("0.0075", catalogue.label)
    assert dollars(since) == "0.0015"


def test_before_its_first_date_a_model_of_one_s_own_has_no_price(catalogue: Catalogue):
    price = priced(catalogue, "prices: {me/mine: {from: 2099-01-01, input_mtok: 1}}", "me", "mine")
    assert (price.cost_yocto, price.reason) == (None, "unknown_model")
    assert "later date" in price.detail


def test_a_self_hosted_model_is_free_because_the_file_says_so(catalogue: Catalogue):
    for usage in (CHAT, NO_USAGE):
        price = priced(catalogue, "prices: {my-vllm/*: free}", "my-vllm", "meta/llama", usage=usage)
        assert (price.cost_yocto, price.source) == (0, "computed")


BY_KIND = "{image: {standard 1024x1024: 0.04, hd 1024x1792: 0.12}}"


@pytest.mark.parametrize(
    ("prices", "tier", "expected"),
    [
        (BY_KIND, "standard 1024x1024", "0.08"),
        (BY_KIND, "hd 1024x1792", "0.24"),
        (BY_KIND, "1024X1792 HD", "0.24"),
        ("{image: {512x512: 0.018, 256x256: 0.016}}", "standard 512x512", "0.036"),  # no quality makes a difference
        ("{image: {high: 0.25, low: 0.01}}", "low 1536x864", "0.02"),
        ("{image: {high 1024x1024: 0.25}}", "", "0.5"),  # there is only this one
        ("{image: 0.04}", "", "0.08"),
        ("{image: 0.04}", "hd 1024x1792", "0.08"),
    ],
)
def test_images_cost_by_quality_and_size(catalogue: Catalogue, prices: str, tier: str, expected: str):
    price = priced(catalogue, f"prices: {{me/art: {prices}}}", "me", "art", usage=Usage(images=2), tier=tier)
    assert (dollars(price), price.source, price.reason) == (expected, "computed", "")


@pytest.mark.parametrize(
    ("tier", "detail"),
    [
        ("", "nobody said their quality and size"),
        ("auto", "nobody said their quality and size"),
        ("hd", "nobody said their size"),
        ("1024x1024", "nobody said their quality"),
        ("hd 1024x1024", "there is no price for 'hd 1024x1024'"),
        ("standard 512x512", "there is no price for 'standard 512x512'"),
        ("flex priority", "nobody said their size"),
    ],
)
def test_images_of_an_unlisted_or_unknown_kind_have_no_price(catalogue: Catalogue, tier: str, detail: str):
    price = priced(catalogue, f"prices: {{me/art: {BY_KIND}}}", "me", "art", usage=Usage(images=2), tier=tier)
    assert (price.cost_yocto, price.source, price.reason) == (None, "none", "unpriced_unit")
    listed = "there are prices for standard 1024x1024, hd 1024x1792"
    assert price.detail == f"images 2 at me/art: {detail}; {listed}"


def test_images_of_an_unknown_kind_have_no_price_beside_tokens_either(catalogue: Catalogue):
    prices = "prices: {me/art: {input_mtok: 1, image: {high: 0.25, low: 0.01}}}"
    assert priced(catalogue, prices, "me", "art", usage=Usage(1000, images=1)).cost_yocto is None
    assert dollars(priced(catalogue, prices, "me", "art", usage=Usage(1000, images=1), tier="low")) == "0.011"
    assert dollars(priced(catalogue, prices, "me", "art", usage=Usage(1000))) == "0.001"


def test_a_discount_leaves_an_unknown_kind_of_image_unpriced(catalogue: Catalogue):
    text = f"{{prices: {{me/art: {BY_KIND}}}, discounts: [{{provider: me, percent: 50}}]}}"
    assert priced(catalogue, text, "me", "art", usage=Usage(images=1), tier="hd").cost_yocto is None
    assert dollars(priced(catalogue, text, "me", "art", usage=Usage(images=1), tier="hd 1024x1792")) == "0.06"


def test_a_price_for_the_call_needs_no_usage(catalogue: Catalogue):
    price = priced(catalogue, "prices: {openai/my-art: {request: 0.04}}", "openai", "my-art", usage=NO_USAGE)
    assert (dollars(price), price.source) == ("0.04", "computed")


@pytest.mark.parametrize(
    ("prices", "usage", "expected"),
    [
        ("{audio_second: 0.0001}", Usage(audio_ms=1500), "0.00015"),
        ("{audio_minute: 0.006}", Usage(audio_ms=1), "0.0000001"),
        ("{rerank_search: 0.002}", Usage(rerank_searches=3), "0.006"),
        ("{character: 0.000015}", Usage(characters=1000), "0.015"),
        ("{page: 0.001}", Usage(pages=3), "0.003"),
        ("{image: 0.04}", Usage(images=2), "0.08"),
        ("{input_mtok: 1, web_search: 0.01}", Usage(1000, web_searches=2), "0.021"),
        ("{input_mtok: 1, file_search: 0.0025}", Usage(1000, file_searches=1), "0.0035"),
        ("{request: 0.005, input_mtok: 1}", Usage(1000), "0.006"),
    ],
)
def test_what_is_not_billed_by_tokens_has_a_unit_too(catalogue: Catalogue, prices: str, usage: Usage, expected: str):
    assert dollars(priced(catalogue, f"prices: {{me/mine: {prices}}}", "me", "mine", usage=usage)) == expected


@pytest.mark.parametrize(("tokens", "expected"), [(200_000, "0.2"), (200_001, "0.400002")])
def test_a_long_context_tier_begins_above_its_start(catalogue: Catalogue, tokens: int, expected: str):
    text = "prices: {me/mine: {input_mtok: {base: 1, tiers: [{start: 200000, price: 2}]}}}"
    assert dollars(priced(catalogue, text, "me", "mine", usage=Usage(tokens))) == expected


TIERS = """
prices:
  openai/gpt-4o:
    input_mtok: 2
    output_mtok: 2
    batch: {input_mtok: 1, output_mtok: 1}
    service_tiers: {priority: {input_mtok: 4, output_mtok: 4}}
"""


@pytest.mark.parametrize(
    ("tier", "batch", "expected", "reason"),
    [
        ("", False, "0.003", ""),
        ("", True, "0.0015", ""),
        ("priority", False, "0.006", ""),
        ("flex", False, "0.003", "unpriced_tier"),
    ],
)
def test_own_prices_have_tiers_and_say_when_one_is_missing(
    catalogue: Catalogue, tier: str, batch: bool, expected: str, reason: str
):
    price = priced(catalogue, TIERS, "openai", "gpt-4o", tier=tier, batch=batch)
    assert (dollars(price), price.reason) == (expected, reason)


DISCOUNTS = """
discounts:
  - {provider: openai, percent: 10}
  - {provider: openai, percent: 5, from: 2020-01-01, until: 2020-02-01}
  - {project: "research*", percent: 50}
"""


@pytest.mark.parametrize(
    ("provider", "model", "project", "expected", "words"),
    [
        ("openai", "gpt-4o", "", "0.00675", "10 % openai"),
        ("openai", "gpt-4o", "research-eu", "0.003375", "10 % openai and 50 % project research*"),
        ("anthropic", "claude-sonnet-4-5", "research", "0.00525", "50 % project research*"),
        ("anthropic", "claude-sonnet-4-5", "sales", "0.0105", ""),
        ("azure.ai.openai", "gpt-4o", "", "0.0075", ""),
    ],
)
def test_a_discount_is_deducted_and_stated(
    catalogue: Catalogue, provider: str, model: str, project: str, expected: str, words: str
):
    price = priced(catalogue, DISCOUNTS, provider, model, project=project)
    assert (dollars(price), price.discount) == (expected, words)


def test_the_parts_of_a_discounted_cost_add_up_to_it(catalogue: Catalogue):
    text = "discounts: [{provider: '*', percent: 33.333333333333333}]"
    usage = Usage(1001, 503, cache_read=7, cache_write=11, cache_write_5m=11, reasoning=3)
    price = priced(catalogue, text, "anthropic", "claude-sonnet-4-5", usage=usage)
    assert [name for name, _ in price.parts(usage)] == ["input", "output", "cache_read", "cache_write"]
    assert sum(cost for _, cost in price.parts(usage)) == price.cost_yocto


def test_another_book_applies_to_the_next_call(catalogue: Catalogue):
    pricer = Pricer(catalogue)
    before = pricer.price("openai", ("gpt-4o",), CHAT, NOW_NS)
    own = read_user_file("prices: {openai/gpt-4o: {input_mtok: 1, output_mtok: 1}}", "prices.yaml")
    pricer.use(PriceBook(catalogue, own))
    assert (dollars(before), dollars(pricer.price("openai", ("gpt-4o",), CHAT, NOW_NS))) == ("0.0075", "0.0015")


def test_made_up_projects_do_not_crowd_out_what_is_remembered(catalogue: Catalogue):
    pricer = Pricer(catalogue, read_user_file(DISCOUNTS, "prices.yaml"))
    for number in range(50):
        pricer.price("openai", ("gpt-4o",), CHAT, NOW_NS, project=f"project-{number}")
    assert len(pricer._memory.known) == 1  # pyright: ignore[reportPrivateUsage]


DEPLOYMENTS = """
prices:
  azure.ai.openai/prod-chat: {input_mtok: 1, output_mtok: 1}
  azure.ai.openai/gpt-4o: {input_mtok: 5, output_mtok: 5}
  "azure.ai.openai/team-*": {input_mtok: 10, output_mtok: 10}
"""


@pytest.mark.parametrize(
    ("served", "deployment", "expected"),
    [
        ("gpt-4o-mini-2024-07-18", "prod-chat", "0.0015"),  # what is said of the deployment goes before the catalogue
        ("gpt-4o-2024-11-20", "prod-chat", "0.0015"),  # and before what is said of the model
        ("gpt-4o-2024-11-20", "team-a", "0.0075"),  # unless the former is a pattern
        ("gpt-4o-mini-2024-07-18", "team-a", "0.015"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o", "0.00045"),  # the name of a model means the model, not the deployment
        ("gpt-4o-2024-11-20", "other", "0.0075"),
        ("", "prod-chat", "0.0015"),
        ("", "gpt-4o", "0.0075"),
        ("secret-preview", "team-b", "0.015"),
    ],
)
def test_own_prices_of_an_azure_deployment_go_before_the_catalogue(
    catalogue: Catalogue, served: str, deployment: str, expected: str
):
    pricer = Pricer(catalogue, read_user_file(DEPLOYMENTS, "prices.yaml"))
    assert dollars(pricer.price("azure.ai.openai", (served,), CHAT, NOW_NS, deployment=deployment)) == expected


def test_before_its_first_date_a_deployment_costs_what_the_served_model_does(catalogue: Catalogue):
    text = "prices: {azure.ai.openai/prod-chat: {from: 2099-01-01, input_mtok: 1}}"
    pricer = Pricer(catalogue, read_user_file(text, "prices.yaml"))
    price = pricer.price("azure.ai.openai", ("gpt-4o-2024-11-20",), CHAT, NOW_NS, deployment="prod-chat")
    assert (dollars(price), price.catalogue) == ("0.0075", catalogue.label)


def test_without_own_prices_a_deployment_changes_nothing(catalogue: Catalogue):
    price = Pricer(catalogue).price("azure.ai.openai", ("gpt-4o-2024-11-20",), CHAT, NOW_NS, deployment="gpt-4")
    assert dollars(price) == "0.0075"
