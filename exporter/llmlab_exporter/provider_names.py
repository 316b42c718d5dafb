"""Who bills a call: the conventions' name of the provider, from whatever a span says."""

from functools import lru_cache

from llmlab.hosts import provider_at

ALIASES = {
    # old names, from the conventions' migration guide
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "vertex_ai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "xai": "x_ai",
    # what instrumentations write
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azure-openai": "azure.ai.openai",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "amazon_bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "google_genai": "gcp.gemini",
    "google-genai": "gcp.gemini",
    "google_ai_studio": "gcp.gemini",
    "vertexai": "gcp.vertex_ai",
    "google_vertexai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "watsonx": "ibm.watsonx.ai",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
}
"""By what spans say in lower case."""

NOBODY = frozenset({"langchain", "langgraph", "strands-agents", "microsoft.foundry", "unknown", "none", "_other"})
"""Frameworks and placeholders: they bill nothing."""

_FLAVOURS = (".chat", ".messages", ".responses", ".completion", ".embedding", ".generative-ai")
"""What the Vercel AI SDK appends to name the API."""

_MODEL_PREFIXES = (
    ("gpt-", "openai"),
    ("text-embedding-3-", "openai"),
    ("claude-", "anthropic"),
    ("gemini-", "gcp.gemini"),
)
"""Models that are sold under these plain names by one provider; elsewhere they bear another prefix."""


@lru_cache(maxsize=4096)
def provider_of(said: str, host: str, model: str) -> str:
    """Return who bills a call; "" when nobody knows.

    The host is believed first: a client of OpenAI's API may talk to a dozen providers and says `openai` of them all.
    The model is the last resort.
    """
    found = provider_at(host) if host else None
    return found or _named(said) or _sells(model)


def _named(said: str) -> str:
    name = said.strip().lower()
    for flavour in _FLAVOURS:
        name = name.removesuffix(flavour)
    return "" if name in NOBODY else ALIASES.get(name, name)


def _sells(model: str) -> str:
    return next((provider for prefix, provider in _MODEL_PREFIXES if model.startswith(prefix)), "")
