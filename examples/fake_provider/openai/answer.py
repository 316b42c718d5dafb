"""What the model says to a chat request, before it is written as one body or as a stream."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

from fake_provider.book import Book, Exchange
from fake_provider.openai.errors import behaviour
from fake_provider.openai.models import reasons
from fake_provider.openai.usage import cached_tokens, chat_usage, count_prompt, dictate

REASONING_TOKENS = 64
_QUIET_EFFORTS = frozenset({"none", "minimal"})
_SERVED_TIERS = {None: "default", "auto": "default", "fast": "priority"}
_WORDS_QUOTED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One complete answer; a stream hands it out piece by piece."""

    id: str
    created: int
    model: str
    tier: str
    fingerprint: str
    pieces: tuple[str, ...]
    """The text, one piece per token."""
    tool_call: dict[str, Any] | None
    finish_reason: str
    choices: int
    usage: dict[str, Any]

    def usage_after(self, tokens: int) -> dict[str, Any]:
        """Return what is billed when the answer is cut after so many tokens of text."""
        missing = max(0, len(self.pieces) * self.choices - tokens)
        completion = max(0, self.usage["completion_tokens"] - missing)
        return self.usage | {
            "completion_tokens": completion,
            "total_tokens": self.usage["prompt_tokens"] + completion,
        }


def answer(exchange: Exchange, model: str, book: Book) -> Answer:
    """Answer a chat request.

    Raises:
        ValueError: the header `x-fake-usage` cannot be read.
    """
    body = exchange.body
    choices: int = body.get("n") or 1
    tool_call = _tool_call(body)
    spoken = _pieces(exchange) if tool_call is None else ()
    limit: int | None = body.get("max_completion_tokens") or body.get("max_tokens")
    thoughts = REASONING_TOKENS if reasons(model) and body.get("reasoning_effort") not in _QUIET_EFFORTS else 0
    pieces = spoken if limit is None else spoken[: max(0, limit - thoughts)]
    prompt = count_prompt(body)
    text = len(pieces) if tool_call is None else len(json.dumps(tool_call)) // 4
    derived = chat_usage(
        prompt,
        (text + thoughts) * choices,
        cached=cached_tokens(book, model, body, prompt),
        reasoning=thoughts * choices,
    )
    tier: str | None = body.get("service_tier")
    return Answer(
        id=f"chatcmpl-{secrets.token_hex(12)}",
        created=int(exchange.at),
        model=model,
        tier=_SERVED_TIERS.get(tier, tier or "default"),
        fingerprint=f"fp_{hashlib.sha256(model.encode()).hexdigest()[:10]}",
        pieces=pieces,
        tool_call=tool_call,
        finish_reason=_finish_reason(tool_call, behaviour(exchange, model), cut=len(pieces) < len(spoken)),
        choices=choices,
        usage=dictate(derived, exchange.headers.get("x-fake-usage")),
    )


def _finish_reason(tool_call: dict[str, Any] | None, manner: str, *, cut: bool) -> str:
    if manner == "content-filter":
        return "content_filter"
    if tool_call is not None:
        return "tool_calls"
    return "length" if cut else "stop"


def _pieces(exchange: Exchange) -> tuple[str, ...]:
    text = exchange.headers.get("x-fake-reply") or f"You asked: {_last_text(exchange.body)}"
    first, *others = text.split(" ")
    return (first, *(f" {word}" for word in others))


def _last_text(body: dict[str, Any]) -> str:
    messages: list[dict[str, Any]] = body.get("messages") or [{}]
    content = messages[-1].get("content") or ""
    text = content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
    return " ".join(text.split()[:_WORDS_QUOTED])


def _tool_call(body: dict[str, Any]) -> dict[str, Any] | None:
    """Call a tool when the request insists on one, or when the user names one."""
    choice, tools = body.get("tool_choice"), body.get("tools")
    if isinstance(choice, dict):
        name: str = choice["function"]["name"]
    elif choice == "required" and tools:
        name = tools[0]["function"]["name"]
    elif named := _named_tool(body):
        name = named
    else:
        return None
    return {
        "id": f"call_{secrets.token_hex(12)}",
        "type": "function",
        "function": {"name": name, "arguments": "{}"},
    }


def _named_tool(body: dict[str, Any]) -> str | None:
    """Return the tool whose name stands in the question, None once its result is there."""
    if body["messages"][-1].get("role") != "user" or body.get("tool_choice") == "none":
        return None
    words = _last_text(body).lower().split()
    names: list[str] = [tool["function"]["name"] for tool in body.get("tools") or () if "function" in tool]
    return next((name for name in names if name in words), None)
