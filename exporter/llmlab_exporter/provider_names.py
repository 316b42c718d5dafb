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
    "amazon-bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "azure_ai": "azure.ai.inference",
    "google": "gcp.gemini",
    "google_genai": "gcp.gemini",
    "google-genai": "gcp.gemini",
    "google_ai_studio": "gcp.gemini",
    "google.generative-ai": "gcp.gemini",
    "gcp.gen_ai": "gcp.gemini",
    "vertexai": "gcp.vertex_ai",
    "vertex": "gcp.vertex_ai",
    "google.vertex": "gcp.vertex_ai",
    "vertex.anthropic": "gcp.vertex_ai",
    "google-vertex": "gcp.vertex_ai",
    "google_vertexai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "watsonx": "ibm.watsonx.ai",
    "togetherai": "together",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
}
"""By what spans say in lower case."""

NOBODY = frozenset(
    {
        "langchain",
        "langgraph",
        "llamaindex",
        "llama_index",
        "haystack",
        "crewai",
        "strands-agents",
        "spring_ai",
        "litellm",
        "litellm_proxy",
        "openai-compatible",
        "gcp.vertex.agent",
        "microsoft.foundry",
        "microsoft.agent_framework",
        "unknown",
        "none",
        "_other",
    }
)
"""Frameworks and placeholders: they bill nothing."""

_PREFIXES = frozenset({"openai", "anthropic", "groq", "deepseek", "openrouter", "cohere", *ALIASES.values()})
"""What gateways put before a model's name to say where they send the request."""

_FLAVOURS = (".chat", ".messages", ".responses", ".completion", ".embedding", ".image", ".speech", ".transcription")
"""What the Vercel AI SDK appends to name the API."""

_MODEL_PREFIXES = (
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4-mini", "openai"),
    ("text-embedding-3-", "openai"),
    ("text-embedding-ada-", "openai"),
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
    return found or _named(said) or _sells(model) or _sells_prefixed(model)


def _named(said: str) -> str:
    name = said.strip().lower()
    for flavour in _FLAVOURS:
        name = name.removesuffix(flavour)
    return "" if name in NOBODY else ALIASES.get(name, name)


def _sells(model: str) -> str:
    return next((provider for prefix, provider in _MODEL_PREFIXES if model.startswith(prefix)), "")


def _sells_prefixed(model: str) -> str:
    """Return whose name stands before a model that nobody else is said to sell."""
    prefix, slash, _ = model.partition("/")
    found = _named(prefix) if slash else ""
    return found if found in _PREFIXES else ""


@lru_cache(maxsize=4096)
def plain_model(model: str, provider: str) -> str:
    """Return a model's name without the provider before it, which gateways put there: `openai/gpt-5-mini`.

    A name in which the first part is somebody else belongs to whoever sells it so: OpenRouter's `anthropic/claude-...`.
    """
    prefix, _, name = model.partition("/")
    return name if name and _named(prefix) == provider else model
