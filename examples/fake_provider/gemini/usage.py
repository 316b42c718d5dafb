"""Token counts: derived from the request, always the same for the same request, or dictated by a header.

As in all JSON that Google makes from protocol buffers, a count of 0 is left out.
"""

import json
from typing import Any

BYTES_PER_TOKEN = 4
TOKENS_PER_MEDIUM = 258
"""An image, or a page of a document."""

_PARTS_OF_TOTAL = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount")


def count_text(text: str) -> int:
    """Count the tokens of a text."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def count_content(content: dict[str, Any]) -> dict[str, int]:
    """Count the tokens of a message by modality."""
    counts: dict[str, int] = {}
    for part in content.get("parts") or ():
        blob: dict[str, Any] | None = part.get("inlineData") or part.get("fileData")
        # JSON made from protocol buffers may name a field in either way, and the SDK does.
        modality = _modality(blob.get("mimeType") or blob["mime_type"]) if blob else "TEXT"
        tokens = TOKENS_PER_MEDIUM if blob else count_text(part.get("text") or json.dumps(part))
        counts[modality] = counts.get(modality, 0) + tokens
    return counts


def _modality(mime_type: str) -> str:
    kind = mime_type.partition("/")[0].upper()
    return kind if kind in {"AUDIO", "IMAGE", "VIDEO"} else "DOCUMENT"


def generate_usage(prompt: dict[str, int], candidates: int, thoughts: int, cached: int) -> dict[str, Any]:
    """Write the usage of a generated answer; the prompt includes what was cached, candidates no thoughts."""
    return total(
        {
            "promptTokenCount": sum(prompt.values()),
            "candidatesTokenCount": candidates,
            "thoughtsTokenCount": thoughts,
            "cachedContentTokenCount": cached,
            "promptTokensDetails": details(prompt),
            "cacheTokensDetails": details({"TEXT": cached}),
        }
    )


def details(counts: dict[str, int]) -> list[dict[str, Any]]:
    """Write a breakdown by modality."""
    return [{"modality": modality, "tokenCount": tokens} for modality, tokens in counts.items() if tokens]


def total(usage: dict[str, Any]) -> dict[str, Any]:
    """Add the total, and leave out what is 0 or empty."""
    summed = usage | {"totalTokenCount": sum(usage.get(name) or 0 for name in _PARTS_OF_TOTAL)}
    return {name: value for name, value in summed.items() if value}


def dictate(derived: dict[str, Any], header: str | None) -> dict[str, Any]:
    """Return the usage with every number that the header `x-fake-usage` names replaced by its own.

    Raises:
        ValueError: the header is no JSON object.
    """
    if header is None:
        return derived
    wanted = json.loads(header)
    if not isinstance(wanted, dict):
        raise ValueError(f"x-fake-usage must be a JSON object, got {header}")  # noqa: TRY004 - bad data, not a bad call
    return total(derived | wanted)
