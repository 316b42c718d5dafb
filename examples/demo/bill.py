"""What the calls ought to cost: the provider's own book, priced by the price catalogue alone, without LLMLab."""

import json
import urllib.request
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import genai_prices


class Bill(NamedTuple):
    """What the provider billed."""

    calls: int
    unpriced_calls: int
    """Calls of models that the catalogue does not know."""
    total_usd: Decimal
    """The sum over all other calls."""


def fetch_bill(provider_url: str) -> Bill:
    """Add up the provider's book."""
    calls = read_json(f"{provider_url}/_book")["calls"]
    prices = [_price(call) for call in calls]
    known = [price for price in prices if price is not None]
    return Bill(len(calls), len(prices) - len(known), sum(known, Decimal(0)))


def read_json(url: str) -> dict[str, Any]:
    """Fetch JSON, numbers exactly as they are written."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer, parse_float=Decimal)


def _price(call: dict[str, Any]) -> Decimal | None:
    """Price one call in USD; None when the catalogue does not know its model."""
    usage = call["usage"]
    details = usage.get("prompt_tokens_details") or {}
    counts = genai_prices.Usage(
        input_tokens=usage["prompt_tokens"],
        output_tokens=usage.get("completion_tokens"),
        cache_read_tokens=details.get("cached_tokens"),
    )
    try:
        price = genai_prices.calc_price(
            counts,
            call["model"],
            provider_id="openai",
            genai_request_timestamp=datetime.fromtimestamp(float(call["at"]), tz=UTC),
            price_context={"service_tier": call["tier"]} if call["tier"] else None,
        )
    except LookupError:
        return None
    return price.total_price
