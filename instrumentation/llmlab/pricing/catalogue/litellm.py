"""Price lists in the format of LiteLLM's `model_prices_and_context_window.json`: USD for one token, by model.

Read against LiteLLM's own schema of that file (model_prices_and_context_window.schema.json, 2026-11). Keys that have
no place in our units (prices for images by size, for code interpreter sessions, for storage) are named in
`Sheet.skipped`, never guessed.
"""

import re
from collections import Counter
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any, cast

from genai_prices.types import Tier, TieredPrices

from llmlab.pricing.catalogue.sheet import (
    Entry,
    PriceListError,
    Problem,
    Sheet,
    UnitPrices,
    amount,
    fault,
    is_json,
    load_json,
)

_MILLION = 1_000_000
_UNITS = {
    "input_cost_per_token": ("input_mtok", _MILLION),
    "output_cost_per_token": ("output_mtok", _MILLION),
    "cache_read_input_token_cost": ("cache_read_mtok", _MILLION),
    "cache_creation_input_token_cost": ("cache_write_mtok", _MILLION),
    "cache_creation_input_token_cost_above_1hr": ("cache_write_1h_mtok", _MILLION),
    "input_cost_per_audio_token": ("input_audio_mtok", _MILLION),
    "output_cost_per_audio_token": ("output_audio_mtok", _MILLION),
    "cache_read_input_audio_token_cost": ("cache_audio_read_mtok", _MILLION),
    "input_cost_per_image_token": ("input_image_mtok", _MILLION),
    "output_cost_per_image_token": ("output_image_mtok", _MILLION),
    "output_cost_per_reasoning_token": ("output_reasoning_mtok", _MILLION),
    "input_cost_per_character": ("input_mchars", _MILLION),
    "input_cost_per_second": ("audio_hours", 3600),
    "input_cost_per_query": ("rerank_searches_kcount", 1000),
    "input_cost_per_request": ("requests_kcount", 1000),
    "ocr_cost_per_page": ("input_document_kpages", 1000),
    "annotation_cost_per_page": ("input_annotated_document_kpages", 1000),
}
"""Their key, our price key, and how many of theirs make one of ours."""

_TIER = re.compile(r"_above_(\d+)k_tokens$")
_VARIANTS = {"_batches": "batch", "_priority": "priority", "_flex": "flex"}
_SPECIAL = {"sample_spec", "fallback_generalizations"}
"""Top-level keys that are no models."""

_PROVIDERS = {
    "bedrock_converse": "aws",
    "bedrock": "aws",
    "vertex_ai": "google",
    "gemini": "google",
    "azure_ai": "azure",
    "azure_text": "azure",
    "text-completion-openai": "openai",
    "cohere_chat": "cohere",
    "fireworks_ai-embedding-models": "fireworks",
}
_EXACT = Context(prec=100)


class LiteLLMFile:
    """The adapter for LiteLLM's format."""

    name = "LiteLLM"

    def recognises(self, text: str) -> bool:
        """Whether a text maps models to entries that name LiteLLM's provider, or prices for one token."""
        return is_json(text, lambda value: isinstance(value, dict) and any(map(_is_entry, value.values())))

    def read(self, text: str, name: str) -> Sheet:
        """Read the price list. Raises `PriceListError`."""
        models = load_json(text, name)
        if not isinstance(models, dict):
            raise PriceListError(name, [Problem(1, 0, "this is no mapping from models to prices", "see LiteLLM")])
        skipped: Counter[str] = Counter()
        entries: list[Entry] = []
        for key, value in cast("dict[str, Any]", models).items():
            if key not in _SPECIAL and isinstance(value, dict):
                entry = _entry(key, cast("dict[str, Any]", value), skipped)
                entries.extend([entry] if entry else [])
        return Sheet(label=name, entries=tuple(entries), skipped=tuple(f"{what}: {n}" for what, n in skipped.items()))


def _is_entry(value: object) -> bool:
    return isinstance(value, dict) and ("litellm_provider" in value or "input_cost_per_token" in value)


def _entry(key: str, value: Mapping[str, Any], skipped: Counter[str]) -> Entry | None:
    said = str(value.get("litellm_provider") or "")
    provider = "google" if said.startswith("vertex_ai") else _PROVIDERS.get(said, said)
    prefix, _, rest = key.partition("/")
    model = rest if rest and said.startswith(prefix) else key
    sections: dict[str, dict[str, Decimal]] = {}
    tiers: dict[str, list[Tier]] = {}
    for field, number in value.items():
        if "cost" not in field:
            continue
        if isinstance(number, dict | list | bool) or number is None or not _read(field, number, sections, tiers):
            skipped[f"{field} has no unit of ours"] += 1
    prices = _with_tiers(sections.pop("", {}), tiers)
    if wrong := fault(prices):
        skipped[wrong] += 1
        return None
    variants: dict[str, UnitPrices] = {name: dict(section) for name, section in sections.items()}
    return Entry(provider=provider, model=model, prices=prices, variants=variants) if prices else None


def _read(field: str, number: object, sections: dict[str, dict[str, Decimal]], tiers: dict[str, list[Tier]]) -> bool:
    price = amount(str(number))
    threshold = _TIER.search(field)
    name = _TIER.sub("", field)
    suffix = next((suffix for suffix in _VARIANTS if name.endswith(suffix)), "")
    unit = _UNITS.get(name.removesuffix(suffix))
    if price is None or unit is None or (threshold and suffix):
        return False
    exact = _EXACT.multiply(price, unit[1])
    if threshold:
        tiers.setdefault(unit[0], []).append(Tier(start=int(threshold[1]) * 1000, price=exact))
    else:
        sections.setdefault(_VARIANTS.get(suffix, ""), {})[unit[0]] = exact
    return True


def _with_tiers(prices: Mapping[str, Decimal], tiers: Mapping[str, list[Tier]]) -> UnitPrices:
    found: UnitPrices = {
        key: TieredPrices(base=price, tiers=sorted(tiers[key], key=lambda tier: tier.start)) if key in tiers else price
        for key, price in prices.items()
    }
    if "cache_write_1h_mtok" in found and "cache_write_mtok" in found:
        found["cache_write_5m_mtok"] = found["cache_write_mtok"]
    return found
