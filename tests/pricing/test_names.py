import pytest
from genai_prices.data_snapshot import find_provider_by_id, get_snapshot

from llmlab.pricing.catalogue import Catalogue, Unknown
from llmlab.pricing.names import PROVIDER_ALIASES, price_list, served

PROVIDERS = get_snapshot().providers

CONVENTIONS = {
    # `gen_ai.provider.name` in the semantic conventions, and whose price list holds
    "anthropic": "anthropic",
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "groq": "groq",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "openai": "openai",
    "perplexity": "perplexity",
    "x_ai": "x-ai",
}


@pytest.mark.parametrize(("name", "expected"), CONVENTIONS.items())
def test_every_provider_of_the_conventions_finds_its_price_list(name: str, expected: str):
    provider = find_provider_by_id(PROVIDERS, price_list(name))
    assert provider is not None
    assert provider.id == expected


@pytest.mark.parametrize(("alias", "expected"), PROVIDER_ALIASES.items())
def test_every_alias_finds_a_provider_that_the_library_does_not_find_itself(alias: str, expected: str):
    assert expected in {provider.id for provider in PROVIDERS}
    alone = find_provider_by_id(PROVIDERS, alias)
    assert alone is None or alone.id != expected


@pytest.mark.parametrize("name", ["azure.ai.openai", " Azure.AI.OpenAI ", "azure-openai", "AZURE_OPENAI"])
def test_case_blanks_and_hyphens_make_no_difference(name: str):
    assert price_list(name) == "azure"


def test_watsonx_has_no_price_list_and_says_so(catalogue: Catalogue):
    found = catalogue.find("ibm.watsonx.ai", ("granite-4-h-small",))
    assert isinstance(found, Unknown)
    assert found.reason == "unknown_provider"
    assert "ibm.watsonx.ai" in found.detail


@pytest.mark.parametrize(
    ("model", "owner"), [("o1-mini", "azure"), ("gpt-4o", "openai"), ("claude-sonnet-4-5", "anthropic")]
)
def test_azure_s_own_price_goes_before_the_maker_s(catalogue: Catalogue, model: str, owner: str):
    found = catalogue.find("azure.ai.openai", (model,))
    assert not isinstance(found, Unknown)
    assert (found.provider.id, found.owner.id) == ("azure", owner)


@pytest.mark.parametrize(
    ("said", "tier"),
    [
        ("default", "default"),
        ("Priority", "priority"),
        ("ON_DEMAND", "on_demand"),
        ("ON_DEMAND_PRIORITY", "priority"),
        ("ON_DEMAND_FLEX", "flex"),
        ("TRAFFIC_TYPE_UNSPECIFIED", ""),
    ],
)
def test_tiers_are_understood_as_providers_say_them(said: str, tier: str):
    assert served(said, batch=False) == (tier, False)
    assert served(said, batch=True) == (tier, True)


def test_the_tier_that_anthropic_calls_batch_is_batch():
    assert served("batch", batch=False) == ("", True)
