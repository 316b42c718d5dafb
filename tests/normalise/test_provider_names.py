import pytest
from genai_prices import data_snapshot

from llmlab.pricing.names import price_list
from llmlab_exporter.provider_names import ALIASES, plain_model, provider_of

HOSTS = [
    ("my-resource.openai.azure.com", "azure.ai.openai"),
    ("my-resource.services.ai.azure.com", "azure.ai.openai"),
    ("api.openai.com", "openai"),
    ("api.groq.com", "groq"),
    ("openrouter.ai", "openrouter"),
    ("api.deepseek.com", "deepseek"),
    ("api.mistral.ai", "mistral_ai"),
    ("api.x.ai", "x_ai"),
    ("api.anthropic.com", "anthropic"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
    ("europe-west4-aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("bedrock-runtime.us-east-1.amazonaws.com", "aws.bedrock"),
    ("api.together.xyz", "together"),
    ("api.fireworks.ai", "fireworks"),
    ("api.perplexity.ai", "perplexity"),
    ("api.cohere.com", "cohere"),
    ("API.GROQ.COM", "groq"),
    ("api.mistral.ai:443", "mistral_ai"),
    ("https://api.deepseek.com/v1", "deepseek"),
]


@pytest.mark.parametrize(("host", "provider"), HOSTS)
def test_the_host_is_believed_before_the_attribute(host: str, provider: str) -> None:
    assert provider_of("openai", host, "gpt-5") == provider


@pytest.mark.parametrize("host", ["", "127.0.0.1", "localhost", "proxy.example.com", "notopenrouter.ai", "com"])
def test_an_unknown_host_says_nothing(host: str) -> None:
    assert provider_of("cohere", host, "") == "cohere"


@pytest.mark.parametrize(
    ("said", "provider"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("az.ai.openai", "azure.ai.openai"),
        ("az.ai.inference", "azure.ai.inference"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("gemini", "gcp.gemini"),
        ("xai", "x_ai"),
        ("openai.chat", "openai"),
        ("openai.responses", "openai"),
        ("anthropic.messages", "anthropic"),
        ("google.generative-ai", "gcp.gemini"),
        ("google-gla", "gcp.gemini"),
        ("google-vertex", "gcp.vertex_ai"),
        ("AzureOpenAI", "azure.ai.openai"),
        ("amazon-bedrock", "aws.bedrock"),
        ("mistralai", "mistral_ai"),
        ("aws", "aws.bedrock"),
        ("azure", "azure.ai.openai"),
        ("some.new.provider", "some.new.provider"),
    ],
)
def test_names_become_those_of_the_conventions(said: str, provider: str) -> None:
    assert provider_of(said, "", "") == provider


@pytest.mark.parametrize("said", ["", "langchain", "LangGraph", "strands-agents", "microsoft.foundry"])
@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-5-mini", "openai"),
        ("text-embedding-3-small", "openai"),
        ("claude-sonnet-4-5", "anthropic"),
        ("gemini-2.5-flash", "gcp.gemini"),
        ("llama-3.3-70b", ""),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "aws.bedrock"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws.bedrock"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/x", "aws.bedrock"),
        ("meta.", ""),
        ("openai/gpt-5-mini", "openai"),
        ("meta-llama/llama-3.3-70b", ""),
        ("", ""),
    ],
)
def test_a_framework_bills_nothing_so_the_model_tells(said: str, model: str, provider: str) -> None:
    assert provider_of(said, "", model) == provider


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-5-mini", "openai"),
        ("deepseek-chat", "deepseek"),
        ("mistral-large-latest", "mistral_ai"),
        ("grok-4", "x_ai"),
        ("my-deployment", "openai"),
        ("anthropic/claude-sonnet-4.5", "openai"),
    ],
)
def test_a_model_that_openai_cannot_sell_refutes_that_it_is_openai(model: str, provider: str) -> None:
    assert provider_of("openai", "", model) == provider
    assert provider_of("openai", "api.groq.com", model) == "groq"


@pytest.mark.parametrize(
    ("model", "provider", "plain"),
    [
        ("openai/gpt-5-mini", "openai", "gpt-5-mini"),
        ("azure/gpt-5-mini", "azure.ai.openai", "gpt-5-mini"),
        ("anthropic/claude-sonnet-4.5", "openrouter", "anthropic/claude-sonnet-4.5"),
        ("openai/", "openai", "openai/"),
    ],
)
def test_a_model_loses_the_name_of_its_provider_and_of_nobody_else(model: str, provider: str, plain: str) -> None:
    assert plain_model(model, provider) == plain


def test_no_alias_needs_a_second_look() -> None:
    assert [name for name in ALIASES.values() if ALIASES.get(name, name) != name] == []


def test_the_pricer_finds_a_price_list_for_every_host() -> None:
    known = data_snapshot.get_snapshot()
    for host, provider in HOSTS:
        assert known.find_provider(None, price_list(provider), None), host
