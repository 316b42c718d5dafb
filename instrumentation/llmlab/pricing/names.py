"""Names on their way from telemetry to a price list: providers and service tiers.

Provider names are those of OpenTelemetry's GenAI conventions (`gen_ai.provider.name`) and the ones that
instrumentations write instead. Checked against genai-prices 0.2.3 on 2026-11-20, which finds most of them itself:
`openai`, `anthropic`, `aws.bedrock`, `gcp.gemini`, `gcp.vertex_ai`, `mistral_ai`, `moonshot_ai`, `cohere`, `deepseek`,
`groq`, `perplexity` and `xai`. Below are those it does not find, or finds wrongly. `ibm.watsonx.ai` and the plain
`huggingface` are missing on purpose: the library has no price list of the former, and behind the latter stand a
dozen providers with different prices.
"""

PROVIDER_ALIASES = {
    # The library finds "openai" in "azure.ai.openai" and takes OpenAI's list. Its own provider `azure` looks into
    # Azure's list first and falls back to OpenAI's, so Azure's deviating prices (o1-mini, ada) are only found so.
    "azure.ai.openai": "azure",
    "az.ai.openai": "azure",
    "azure_openai": "azure",
    "azure.ai.inference": "azure",
    "az.ai.inference": "azure",
    "azure_ai": "azure",
    "azure_ai_inference": "azure",
    "gcp.gen_ai": "google",
    "x_ai": "x-ai",
    "fireworks_ai": "fireworks",
    "togetherai": "together",
    "together.ai": "together",
    "perplexity_ai": "perplexity",
    "novita_ai": "novita",
    "deep_seek": "deepseek",
    "z_ai": "zai",
    "z.ai": "zai",
    "zhipu_ai": "zhipuai",
    "meta_llama": "meta",
    "open_router": "openrouter",
}
"""Provider names with `_` for `-`, and what genai-prices calls them."""

STANDARD_TIERS = frozenset({"", "default", "standard", "standard_only", "auto", "on_demand"})
"""Tiers at the standard price: OpenAI `default`, Anthropic `standard`, Vertex AI and Groq `on_demand`. `auto` and
`standard_only` can only be asked for; when no served tier is known, they mean the standard price."""

_TIER_ALIASES = {
    # Vertex AI reports the tier as `usageMetadata.trafficType`
    "on_demand_priority": "priority",
    "on_demand_flex": "flex",
    "traffic_type_unspecified": "",
}

_RESERVED = (":provisioned-model/", ":custom-model/", ":custom-model-deployment/", ":imported-model/")
"""What stands in the ARNs of models that Bedrock bills by the hour of reserved capacity, or by a contract of their own
(aws.amazon.com/bedrock/pricing, "Provisioned Throughput" and "Custom Model Import")."""


def billed_by_time(model: str) -> bool:
    """Whether a model's name says that its tokens are not what is billed."""
    return any(kind in model for kind in _RESERVED)


def price_list(provider: str) -> str:
    """Return the name under which the catalogue may know a provider."""
    name = provider.strip().lower()
    return PROVIDER_ALIASES.get(name.replace("-", "_"), name)


def served(tier: str, *, batch: bool) -> tuple[str, bool]:
    """Return the tier as price lists spell it, and whether it was batch, which Anthropic calls a tier."""
    name = tier.strip().lower()
    name = _TIER_ALIASES.get(name, name)
    return ("", True) if name == "batch" else (name, batch)
