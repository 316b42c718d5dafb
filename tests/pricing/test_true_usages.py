"""What 344 billed calls truly consumed, as the providers' fakes counted it, priced by us and by genai-prices.

The usages are those behind the recordings of 50 instrumentations; equal ones are written once, with their number.
The library is asked directly, by its own name for the provider and by the served model.
"""

import json
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import genai_prices
import pytest

from llmlab.money import usd
from llmlab.pricing.catalogue.units import FIELDS
from llmlab.pricing.pricer import Pricer
from llmlab.usage import Usage
from pricing.library import NOW, ns

CALLS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "true_usages.json").read_text(encoding="utf-8")
)

LIBRARY_NAMES = {
    "anthropic": "anthropic",
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "deepseek": "deepseek",
    "gcp.gemini": "google",
    "groq": "groq",
    "mistral": "mistral",
    "openai": "openai",
    "openrouter": "openrouter",
    "xai": "x-ai",
}


def usage_of(call: dict[str, Any]) -> Usage:
    """The usage in our words. Anthropic bills compaction in addition, at the same prices."""
    counts = {field: call[field] for field in FIELDS.values() if field in call}
    counts["input"] += call.get("compaction_input", 0)
    counts["output"] += call.get("compaction_output", 0)
    return Usage(**counts)


def library_price(call: dict[str, Any], usage: Usage) -> Decimal:
    tier = call.get("tier", "")
    context = {"service_tier": tier} if tier and call["provider"] == "openai" else None
    counts = {unit: count for unit, field in FIELDS.items() if (count := getattr(usage, field)) is not None}
    with localcontext(prec=60):
        return genai_prices.calc_price(
            genai_prices.Usage(**counts),
            call.get("response_model") or call["request_model"],
            provider_id=LIBRARY_NAMES[call["provider"]],
            genai_request_timestamp=NOW,
            price_context=context,
        ).total_price


def test_all_344_calls_are_here():
    assert sum(call["calls"] for call in CALLS) == 344


@pytest.mark.parametrize(
    "call", CALLS, ids=lambda call: f"{call['provider']}-{call['request_model']}-{call['operation']}"
)
def test_a_true_usage_costs_what_the_library_says(pricer: Pricer, call: dict[str, Any]):
    usage = usage_of(call)
    models = (call.get("response_model", ""), call["request_model"])
    priced = pricer.price(call["provider"], models, usage, ns(NOW), tier=call.get("tier", ""))
    assert priced.cost_yocto is not None, priced
    assert usd(priced.cost_yocto) == library_price(call, usage)
    assert priced.source == "computed"
    assert sum(cost for _, cost in priced.parts(usage)) == priced.cost_yocto


DEVIATIONS = [
    # what the library cannot be asked, or does not say, and what we do
    ("anthropic", "compaction", "billed beside the totals of the message: both are added up before they are priced"),
    ("anthropic", "lifetime", "a cache write without its time to live is priced as five minutes, and marked"),
    ("openrouter", "reported", "what OpenRouter says in its response is the cost; the list price is kept beside it"),
]
"""By provider: where the library's answer to the same question is not the whole story. docs/pricing.md lists them."""


def call_with(provider: str, field: str) -> dict[str, Any]:
    return next(call for call in CALLS if call["provider"] == provider and field in call)


def test_compaction_costs_what_two_calls_would(pricer: Pricer):
    call = call_with("anthropic", "compaction_input")
    apart = {**call, "compaction_input": 0, "compaction_output": 0}
    compaction = Usage(call["compaction_input"], call["compaction_output"])
    priced = pricer.price("anthropic", (call["response_model"],), usage_of(call), ns(NOW))
    assert priced.cost_yocto is not None
    assert usd(priced.cost_yocto) == library_price(apart, usage_of(apart)) + library_price(call, compaction)


def test_a_cache_write_without_its_lifetime_is_a_lower_bound_and_says_so(pricer: Pricer):
    call = call_with("anthropic", "cache_write_1h")
    told = usage_of(call)
    untold = told._replace(cache_write_5m=None, cache_write_1h=None)
    exact, bound = (pricer.price("anthropic", (call["response_model"],), usage, ns(NOW)) for usage in (told, untold))
    assert exact.cost_yocto is not None
    assert bound.cost_yocto is not None
    assert bound.cost_yocto < exact.cost_yocto
    assert (bound.source, bound.reason) == ("estimated", "cache_lifetime")
    assert usd(bound.cost_yocto) == library_price(call, untold)


def test_the_documentation_lists_every_deviation():
    page = (Path(__file__).parents[2] / "docs" / "pricing.md").read_text(encoding="utf-8")
    assert [words for _, _, words in DEVIATIONS if words not in page] == []
