"""What the model says to a request, before it is written as one body or as a stream."""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fake_provider.book import Book, Exchange
from fake_provider.gemini.usage import count_content, dictate, generate_usage, total

THOUGHTS_TOKENS = 64
CACHE_MINIMUM = 1024
"""The shortest prompt that Gemini 2.5 Flash caches by itself."""
CONTINUATION_TOKEN = base64.b64encode(b"more").decode()
_REASONS = re.compile(r"gemini-(2\.5|3)")
_WORDS_QUOTED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One complete answer; a stream hands it out piece by piece."""

    id: str
    model: str
    vertex: bool
    tier: str
    pieces: tuple[str, ...]
    """The text, one piece per token."""
    function_call: dict[str, Any] | None
    finish_reason: str
    candidates: int
    usage: dict[str, Any]
    continued: bool
    """Whether the answer is only the beginning of one."""

    def usage_after(self, tokens: int) -> dict[str, Any]:
        """Return what is billed when the answer is cut after so many tokens of text."""
        missing = max(0, len(self.pieces) * self.candidates - tokens)
        return total(self.usage | {"candidatesTokenCount": max(0, self.usage["candidatesTokenCount"] - missing)})


def answer(exchange: Exchange, model: str, manner: str, book: Book) -> Answer:
    """Answer a request.

    Raises:
        ValueError: the header `x-fake-usage` cannot be read.
    """
    body = exchange.body
    vertex = "publishers/" in exchange.path
    config: dict[str, Any] = body.get("generationConfig") or {}
    call = _function_call(body, manner)
    spoken = _pieces(exchange) if call is None else ()
    limit: int | None = config.get("maxOutputTokens")
    pieces = spoken if limit is None else spoken[:limit]
    continued = manner == "continued" and "continuationToken" not in body
    tier: str = body.get("serviceTier") or "standard"
    return Answer(
        id=secrets.token_urlsafe(16),
        model=model,
        vertex=vertex,
        tier=tier,
        pieces=pieces,
        function_call=call,
        finish_reason="CONTINUATION" if continued else "MAX_TOKENS" if len(pieces) < len(spoken) else "STOP",
        candidates=config.get("candidateCount") or 1,
        usage=dictate(_usage(body, model, pieces, call, book), exchange.headers.get("x-fake-usage"))
        | ({"trafficType": "ON_DEMAND"} if vertex else {}),
        continued=continued,
    )


def _usage(
    body: dict[str, Any], model: str, pieces: tuple[str, ...], call: dict[str, Any] | None, book: Book
) -> dict[str, Any]:
    config: dict[str, Any] = body.get("generationConfig") or {}
    budget: int | None = (config.get("thinkingConfig") or {}).get("thinkingBudget")
    thoughts = THOUGHTS_TOKENS if _REASONS.match(model) and budget != 0 else 0
    candidates = len(pieces) if call is None else len(json.dumps(call)) // 4
    prompt = _merge(count_content(each) for each in [body.get("systemInstruction") or {}, *body["contents"]])
    cached = 0
    if sum(prompt.values()) >= CACHE_MINIMUM:
        digest = hashlib.sha256(json.dumps([model, body["contents"]]).encode()).digest()
        cached = prompt.get("TEXT", 0) if book.seen_before(digest) else 0
    count: int = config.get("candidateCount") or 1
    return generate_usage(prompt, candidates * count, thoughts * count, cached)


def _merge(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    merged: dict[str, int] = {}
    for each in counts:
        for modality, tokens in each.items():
            merged[modality] = merged.get(modality, 0) + tokens
    return merged


def _pieces(exchange: Exchange) -> tuple[str, ...]:
    text = exchange.headers.get("x-fake-reply") or f"You asked: {_last_text(exchange.body)}"
    first, *others = text.split(" ")
    return (first, *(f" {word}" for word in others))


def _last_text(body: dict[str, Any]) -> str:
    parts: list[dict[str, Any]] = body["contents"][-1].get("parts") or []
    return " ".join(" ".join(part.get("text", "") for part in parts).split()[:_WORDS_QUOTED])


def _function_call(body: dict[str, Any], manner: str) -> dict[str, Any] | None:
    """Call the first function when the model is `calls-function`, until the request brings its result."""
    parts: list[dict[str, Any]] = body["contents"][-1].get("parts") or []
    if manner != "calls-function" or any("functionResponse" in part for part in parts):
        return None
    declared = [each for tool in body.get("tools") or () for each in tool.get("functionDeclarations") or ()]
    return {"name": declared[0]["name"], "args": {}} if declared else None
