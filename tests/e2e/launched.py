"""The application of these tests under the launcher, and what its calls cost by the provider's own book."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices

APP = Path(__file__).with_name("app.py")
UNKNOWN = "unknown-model-xyz"
"""The model of the application that no price list has."""


def run_app(provider_url: str, otlp_url: str, **variables: str) -> None:
    """Run the application to its end, with more variables if need be."""
    launcher = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    environment = os.environ | {
        "OPENAI_BASE_URL": provider_url,
        "OPENAI_API_KEY": "fake",
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_url,
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        **variables,
    }
    ended = subprocess.run(
        [launcher, sys.executable, str(APP)], env=environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""


def book_total(bills: list[dict[str, Any]]) -> Decimal:
    """Return what all calls with a known price cost, in USD."""
    return sum((list_price(bill) for bill in bills if bill["model"] != UNKNOWN), Decimal())


def list_price(bill: dict[str, Any]) -> Decimal:
    """Price a call from the provider's own book by the library alone."""
    usage = bill["usage"]
    details = usage.get("prompt_tokens_details") or {}
    counts = genai_prices.Usage(
        input_tokens=usage["prompt_tokens"],
        output_tokens=usage.get("completion_tokens"),
        cache_read_tokens=details.get("cached_tokens"),
    )
    return genai_prices.calc_price(
        counts,
        bill["model"],
        provider_id="openai",
        genai_request_timestamp=datetime.fromtimestamp(bill["at"], tz=UTC),
        price_context={"service_tier": bill["tier"]} if bill["tier"] else None,
    ).total_price
