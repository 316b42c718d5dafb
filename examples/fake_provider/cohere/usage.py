"""Token counts: derived from the request, always the same for the same request, or dictated by a header.

Cohere reports twice: the tokens it processed, which include a template around the messages, and the units it bills.
"""

import json
from typing import Any

BYTES_PER_TOKEN = 4
TEMPLATE_TOKENS = 496


def count_text(text: str) -> int:
    """Count the tokens of a text."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def chat_usage(prompt: int, answer: int) -> dict[str, Any]:
    """Write the usage of a chat."""
    return {
        "billed_units": {"input_tokens": prompt, "output_tokens": answer},
        "tokens": {"input_tokens": prompt + TEMPLATE_TOKENS, "output_tokens": answer + 2},
        "cached_tokens": 0,
    }


def dictate(derived: dict[str, Any], header: str | None) -> dict[str, Any]:
    """Return the usage with every part that the header `x-fake-usage` names replaced by its own; null removes it."""
    wanted: dict[str, Any] = json.loads(header) if header else {}
    return {name: value for name, value in (derived | wanted).items() if value is not None}
