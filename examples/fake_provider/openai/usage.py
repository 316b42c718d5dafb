"""Token counts: derived from the request, always the same for the same request, or dictated by a header.

A real tokenizer would prove nothing here: what matters is that the numbers are known on both sides.
"""

import hashlib
import json
from typing import Any

from fake_provider.book import Book

BYTES_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 3
TOKENS_PER_IMAGE = 85
CACHE_MINIMUM, CACHE_STEP = 1024, 128
"""OpenAI caches prompts of 1024 tokens and more, in steps of 128."""


def count_text(text: str) -> int:
    """Count the tokens of a text."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def count_prompt(body: dict[str, Any]) -> int:
    """Count the tokens of a chat request: messages, images, tools."""
    messages: list[dict[str, Any]] = body.get("messages") or []
    tools = body.get("tools")
    return TOKENS_PER_MESSAGE + sum(map(_count_message, messages)) + (count_text(json.dumps(tools)) if tools else 0)


def _count_message(message: dict[str, Any]) -> int:
    content = message.get("content")
    parts: list[dict[str, Any]] = content if isinstance(content, list) else [{"text": content or ""}]
    return TOKENS_PER_MESSAGE + sum(
        TOKENS_PER_IMAGE if part.get("type") == "image_url" else count_text(part.get("text", "")) for part in parts
    )


def cached_tokens(book: Book, model: str, body: dict[str, Any], prompt_tokens: int) -> int:
    """Return how many of the prompt's tokens come from the cache: long prompts, from the second time on."""
    if prompt_tokens < CACHE_MINIMUM:
        return 0
    prompt = hashlib.sha256(json.dumps([model, body.get("messages")]).encode()).digest()
    return prompt_tokens // CACHE_STEP * CACHE_STEP if book.seen_before(prompt) else 0


def chat_usage(prompt: int, completion: int, *, cached: int = 0, reasoning: int = 0) -> dict[str, Any]:
    """Write the usage of a chat completion; `completion` includes `reasoning`, `prompt` includes `cached`."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def embedding_usage(prompt: int) -> dict[str, Any]:
    """Write the usage of an embeddings request."""
    return {"prompt_tokens": prompt, "total_tokens": prompt}


def dictate(derived: dict[str, Any], header: str | None) -> dict[str, Any]:
    """Return the usage with every number that the header `x-fake-usage` names replaced by its own.

    The header holds JSON of the same shape. The total is added up anew unless it is dictated too.

    Raises:
        ValueError: the header is no JSON object.
    """
    if header is None:
        return derived
    wanted = json.loads(header)
    if not isinstance(wanted, dict):
        raise ValueError(f"x-fake-usage must be a JSON object, got {header}")  # noqa: TRY004 - bad data, not a bad call
    usage = derived | wanted
    for name in ("prompt_tokens_details", "completion_tokens_details"):
        if name in wanted and name in derived and wanted[name] is not None:
            usage[name] = derived[name] | wanted[name]
    if "total_tokens" not in wanted:
        usage["total_tokens"] = usage["prompt_tokens"] + usage.get("completion_tokens", 0)
    return usage
