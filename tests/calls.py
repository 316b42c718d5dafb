"""Calls for tests."""

from decimal import Decimal

from llmlab.pricing import Priced
from llmlab.usage import Usage
from llmlab_exporter.assess import Line
from llmlab_exporter.call import Call, Reading

START_NS = 1_790_000_000_123_456_789
"""2026-09-21 14:13:20.123456789 UTC."""


def call(number: int = 1, *, start_ns: int = START_NS, model: str = "gpt-5-mini", **reading: object) -> Call:
    """Make the n-th call; keyword arguments replace fields of its reading."""
    base = Reading(
        operation="chat",
        provider="openai",
        request_model="gpt-5-mini",
        response_model="gpt-5-mini-2025-08-07",
        response_id=f"chatcmpl-{number:029}",
        tier="default",
        usage=Usage(1873, 317, cache_read=1024, reasoning=192),
        usage_source="reported",
        finish_reason="stop",
    )
    return Call(
        trace_id=number.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_id=b"",
        start_ns=start_ns,
        end_ns=start_ns + 2_500_000_001,
        dialect="genai",
        org="default",
        project="default",
        service="app",
        environment="test",
        provider="openai",
        model=model,
        reading=base._replace(**reading),  # pyright: ignore[reportArgumentType]
    )


def priced(cost_yocto: int | None = 123_456_789_000_000_000_000) -> Priced:
    """Make a price; None for a call whose cost is unknown."""
    if cost_yocto is None:
        return Priced(None, "none", "unknown_model", "no such model", "genai-prices 0.2.3")
    return Priced(cost_yocto, "computed", "", "", "genai-prices 0.2.3", "openai", "gpt-5-mini", "2025-08-07")


def line(number: int = 1, cost_yocto: int | None = 123_456_789_000_000_000_000, **changes: object) -> Line:
    """Make the n-th priced call."""
    price = priced(cost_yocto)
    return Line(call(number, **changes), price, b"", price)  # pyright: ignore[reportArgumentType]


EVERYTHING = {
    "stream": True,
    "batch": True,
    "first_chunk_s": 0.25,
    "provider_cost": Decimal("0.000000000000000000000001"),
    "claimed_cost": Decimal("0.5"),
    "feature": "search",
    "user": "u1",
    "session": "s1",
    "run": "r1",
    "flaws": ("one", "two"),
    "usage": Usage(*range(1, len(Usage._fields) + 1)),
}
"""A reading with every field filled."""
