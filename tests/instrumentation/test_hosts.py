import pytest

from llmlab.hosts import Endpoint, port_of, provider_at


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("api.openai.com", "openai"),
        ("eu.api.openai.com", "openai"),
        ("my-resource.openai.azure.com", "azure.ai.openai"),
        ("MY-Resource.OpenAI.Azure.com", "azure.ai.openai"),
        ("api.groq.com", "groq"),
        ("api.x.ai", "x_ai"),
        ("us-east-1.api.x.ai", "x_ai"),
        ("openrouter.ai", "openrouter"),
        ("us-central1-aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("generativelanguage.googleapis.com", "gcp.gemini"),
        ("bedrock-runtime.us-west-2.amazonaws.com", "aws.bedrock"),
        ("api.together.xyz", "together"),
        ("notopenrouter.ai", None),
        ("api.openai.com.example.org", None),
        ("localhost", None),
        ("127.0.0.1", None),
        ("::1", None),
        ("", None),
    ],
)
def test_a_host_name_tells_the_provider(host: str, provider: str | None) -> None:
    assert provider_at(host) == provider


@pytest.mark.parametrize(
    ("scheme", "port", "expected"),
    [("https", None, 443), ("http", None, 80), ("http", 8080, 8080), ("unix", None, None)],
)
def test_a_url_without_a_port_has_that_of_its_scheme(scheme: str, port: int | None, expected: int | None) -> None:
    assert port_of(scheme, port) == expected


def test_an_endpoint_without_a_host_has_no_port_either() -> None:
    assert Endpoint("cohere", port=443).attributes == {"gen_ai.provider.name": "cohere"}
    assert Endpoint("cohere", "h", 443).attributes == {
        "gen_ai.provider.name": "cohere",
        "server.address": "h",
        "server.port": 443,
    }
