"""Who answers at an address: many providers speak OpenAI's API, and only the host name tells them apart."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from opentelemetry.util.types import AttributeValue

from llmlab import semconv

PROVIDERS_BY_HOST = {
    # Names that the conventions list under `gen_ai.provider.name`.
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.openai",
    "api.anthropic.com": "anthropic",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
    "api.deepseek.com": "deepseek",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.moonshot.ai": "moonshot_ai",
    "api.moonshot.cn": "moonshot_ai",
    "api.perplexity.ai": "perplexity",
    "api.x.ai": "x_ai",
    # Names of our own, the ones that price catalogues use.
    "api.cerebras.ai": "cerebras",
    "api.fireworks.ai": "fireworks",
    "api.novita.ai": "novita",
    "api.sambanova.ai": "sambanova",
    "api.together.ai": "together",
    "api.together.xyz": "together",
    "api.z.ai": "zai",
    "openrouter.ai": "openrouter",
    "router.huggingface.co": "huggingface",
}
"""Host names, and the provider that answers there and on every subdomain."""

_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the calls of a client go. Keep it: it is the same for all of them."""

    provider: str
    """By the conventions' names."""
    host: str = ""
    """Empty when the client does not say."""
    port: int | None = None
    attributes: Mapping[str, AttributeValue] = field(init=False)
    """The same as span attributes."""

    def __post_init__(self) -> None:
        attributes: dict[str, AttributeValue] = {semconv.PROVIDER: self.provider}
        if self.host:
            attributes[semconv.SERVER_ADDRESS] = self.host
            if self.port is not None:
                attributes[semconv.SERVER_PORT] = self.port
        object.__setattr__(self, "attributes", attributes)


def provider_at(host: str) -> str | None:
    """Return the provider that answers at a host name, None when it is unknown."""
    host = host.lower()
    # Vertex AI puts the region before its name with a hyphen: us-central1-aiplatform.googleapis.com.
    if host.endswith("-aiplatform.googleapis.com"):
        return "gcp.vertex_ai"
    if host.startswith(("bedrock-runtime.", "bedrock-runtime-fips.", "bedrock-mantle.")):
        return "aws.bedrock"
    labels = host.split(".")
    suffixes = (".".join(labels[start:]) for start in range(len(labels) - 1))
    return next((PROVIDERS_BY_HOST[suffix] for suffix in suffixes if suffix in PROVIDERS_BY_HOST), None)


def port_of(scheme: str, port: int | None) -> int | None:
    """Return the port of a URL, None when neither the URL nor its scheme names one."""
    return port if port is not None else _DEFAULT_PORTS.get(scheme)
