"""Who bills a call: the conventions' name of the provider, from whatever a span says."""

import re
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
    "azureopenai": "azure.ai.openai",
    "azure.openai": "azure.ai.openai",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "amazon_bedrock": "aws.bedrock",
    "amazon-bedrock": "aws.bedrock",
    "amazonbedrock": "aws.bedrock",
    "aws-bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "azure_ai": "azure.ai.inference",
    "google": "gcp.gemini",
    "google_genai": "gcp.gemini",
    "google_genai_ai": "gcp.gemini",
    "google-genai": "gcp.gemini",
    "google_ai_studio": "gcp.gemini",
    "google.generative-ai": "gcp.gemini",
    "google-gla": "gcp.gemini",
    "google-ai": "gcp.gemini",
    "google_ai": "gcp.gemini",
    "googleai": "gcp.gemini",
    "gcp.gen_ai": "gcp.gemini",
    "vertexai": "gcp.vertex_ai",
    "vertex": "gcp.vertex_ai",
    "google.vertex": "gcp.vertex_ai",
    "vertex.anthropic": "gcp.vertex_ai",
    "google-vertex": "gcp.vertex_ai",
    "google_vertexai": "gcp.vertex_ai",
    "vertex-ai": "gcp.vertex_ai",
    "google_vertex_ai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "mistral-ai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "watsonx": "ibm.watsonx.ai",
    "x-ai": "x_ai",
    "togetherai": "together",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
}
"""By what spans say in lower case."""

NOBODY = frozenset(
    {
        "ag2",
        "agno",
        "autogen",
        "beeai",
        "dspy",
        "genkit",
        "google_adk",
        "langchain",
        "langchain4j",
        "langgraph",
        "mastra",
        "pydantic_ai",
        "semantic_kernel",
        "smolagents",
        "vercel",
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

_FLAVOURS = (
    ".chat",
    ".messages",
    ".responses",
    ".completion",
    ".embedding",
    ".image",
    ".speech",
    ".transcription",
    "_llm",
    "_responses",
)
"""What the Vercel AI SDK and LlamaIndex append to name the API."""

_BEDROCK_MODEL = re.compile(
    r"(arn:aws[a-z-]*:bedrock:|((us|us-gov|eu|apac|au|ca|jp|sa|global)\.)?"
    r"(ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshotai?|nvidia|openai|qwen|writer)\.[a-z])"
)
"""Model ids and inference profiles of Bedrock: docs.aws.amazon.com/bedrock, "Supported foundation models", 2026-11."""

_LINGUA_FRANCA = "openai"
"""The provider whose API the others speak too."""

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
    ("deepseek-chat", "deepseek"),
    ("deepseek-reasoner", "deepseek"),
    ("mistral-large-", "mistral_ai"),
    ("mistral-medium-", "mistral_ai"),
    ("mistral-small-", "mistral_ai"),
    ("grok-", "x_ai"),
)
"""Models that are sold under these plain names by one provider; elsewhere they bear another prefix."""


@lru_cache(maxsize=4096)
def provider_of(said: str, host: str, model: str) -> str:
    """Return who bills a call; "" when nobody knows.

    The host is believed first: a client of OpenAI's API may talk to a dozen providers and says `openai` of them all.
    The model is the last resort, and refutes an `openai` that cannot be.
    """
    found = provider_at(_bare(host)) if host else None
    if found:
        return found
    named = _named(said)
    if named == _LINGUA_FRANCA:
        return _sells(model) or named
    return named or _sells(model) or _sells_prefixed(model)


def _bare(host: str) -> str:
    """Return a host without what some write around it: the scheme, the port, the path."""
    return host.rpartition("://")[2].partition("/")[0].partition(":")[0]


def _named(said: str) -> str:
    name = said.strip().lower()
    for flavour in _FLAVOURS:
        name = name.removesuffix(flavour)
    return "" if name in NOBODY else ALIASES.get(name, name)


def _sells(model: str) -> str:
    if _BEDROCK_MODEL.match(model):
        return "aws.bedrock"
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
