"""Token counts in Anthropic's words: what the prompt cache serves stands beside `input_tokens`, not in it."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from fake_provider.book import Book
from fake_provider.openai.usage import TOKENS_PER_IMAGE, TOKENS_PER_MESSAGE, count_text

THINKING_TOKENS = 64
_THINKS = frozenset({"enabled", "adaptive"})


@dataclass(frozen=True, slots=True)
class Prompt:
    """The tokens of a request, as far as its last cache marker and after it."""

    cached: int
    fresh: int
    ttl: str
    """`5m` or `1h`, "" when nothing is marked."""


def count_prompt(body: dict[str, Any]) -> Prompt:
    """Count the tokens of a request in the order in which they are cached: tools, system, messages."""
    counts = [(TOKENS_PER_MESSAGE, "")]
    counts += [_count_block({"text": json.dumps(tool), **tool}) for tool in body.get("tools") or ()]
    counts += [_count_block(block) for block in _blocks(body.get("system"))]
    for message in body.get("messages") or ():
        counts.append((TOKENS_PER_MESSAGE, ""))
        counts += [_count_block(block) for block in _blocks(message.get("content"))]
    marked = max((index for index, (_, ttl) in enumerate(counts) if ttl), default=-1)
    cached, fresh = counts[: marked + 1], counts[marked + 1 :]
    return Prompt(sum(tokens for tokens, _ in cached), sum(tokens for tokens, _ in fresh), counts[marked][1])


def _blocks(content: Any) -> list[dict[str, Any]]:
    return [{"text": content}] if isinstance(content, str) else list(content or ())


def _count_block(block: dict[str, Any]) -> tuple[int, str]:
    tokens = TOKENS_PER_IMAGE if block.get("type") == "image" else count_text(str(block.get("text", "")))
    marker: dict[str, Any] | None = block.get("cache_control")
    return tokens, "" if marker is None else marker.get("ttl", "5m")


def message_usage(book: Book, model: str, body: dict[str, Any], text_tokens: int) -> dict[str, Any]:
    """Write the usage of a message. What is marked for the cache is written first and read from then on."""
    prompt = count_prompt(body)
    digest = hashlib.sha256(json.dumps([model, body.get("tools"), body.get("system"), prompt.cached]).encode()).digest()
    read = prompt.cached if prompt.ttl and book.seen_before(digest) else 0
    written = prompt.cached - read
    thoughts = THINKING_TOKENS if (body.get("thinking") or {}).get("type") in _THINKS else 0
    usage: dict[str, Any] = {
        "input_tokens": prompt.fresh,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": written if prompt.ttl == "5m" else 0,
            "ephemeral_1h_input_tokens": written if prompt.ttl == "1h" else 0,
        },
        "output_tokens": text_tokens + thoughts,
        "service_tier": "standard",
        "inference_geo": "global",
    }
    if thoughts:
        usage["output_tokens_details"] = {"thinking_tokens": thoughts}
    if body.get("speed") == "fast":
        usage["speed"] = "fast"
    return usage


def dictate(derived: dict[str, Any], header: str | None) -> dict[str, Any]:
    """Return the usage with every field that the header `x-fake-usage` names replaced by its own.

    Raises:
        ValueError: the header is no JSON object.
    """
    wanted = json.loads(header or "{}")
    if not isinstance(wanted, dict):
        raise ValueError(f"x-fake-usage must be a JSON object, got {header}")  # noqa: TRY004 - bad data, not a bad call
    return derived | wanted


def opening_usage(usage: dict[str, Any]) -> dict[str, Any]:
    """Return what the first event of a stream knows: the prompt, but nothing of what tools of the server will add."""
    opening = {name: count for name, count in usage.items() if name not in _KNOWN_LATE}
    if usage.get("server_tool_use"):
        opening["input_tokens"] = usage["input_tokens"] // 2
    return opening | {"output_tokens": 1}


def closing_usage(usage: dict[str, Any]) -> dict[str, Any]:
    """Return what the last event of a stream tells: the totals again, without tier and lifetimes."""
    return {name: count for name, count in usage.items() if name not in _KNOWN_EARLY}


_KNOWN_LATE = frozenset({"output_tokens_details", "server_tool_use", "iterations"})
_KNOWN_EARLY = frozenset({"service_tier", "cache_creation", "inference_geo", "speed"})
