"""What the model says to a request, before it is written as one body or as a stream."""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from fake_provider.anthropic.usage import closing_usage, dictate, message_usage, opening_usage
from fake_provider.book import Book

_WORDS_QUOTED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One complete message; a stream hands it out piece by piece."""

    id: str
    model: str
    pieces: tuple[str, ...]
    """The text, one piece per token. Empty when a tool is called."""
    tool_call: dict[str, Any] | None
    stop_reason: str
    usage: dict[str, Any]

    @property
    def message(self) -> dict[str, Any]:
        """The message as one body."""
        block = self.tool_call or {"type": "text", "text": "".join(self.pieces)}
        return self._envelope([block], self.stop_reason, self.usage)

    def opening(self) -> list[dict[str, Any]]:
        """Return the events before the first piece."""
        block = {**self.tool_call, "input": {}} if self.tool_call else {"type": "text", "text": ""}
        return [
            {"type": "message_start", "message": self._envelope([], None, opening_usage(self.usage))},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "ping"},
        ]

    def deltas(self) -> list[dict[str, Any]]:
        """Return the pieces."""
        if self.tool_call:
            return [_delta({"type": "input_json_delta", "partial_json": json.dumps(self.tool_call["input"])})]
        return [_delta({"type": "text_delta", "text": piece}) for piece in self.pieces]

    def ending(self) -> list[dict[str, Any]]:
        """Return the events after the last piece."""
        ended = {"stop_reason": self.stop_reason, "stop_sequence": None}
        return [
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": ended, "usage": closing_usage(self.usage)},
            {"type": "message_stop"},
        ]

    def usage_after(self, pieces: int) -> dict[str, Any]:
        """Return what is billed when the answer is cut after so many pieces."""
        missing = max(0, len(self.pieces) - pieces)
        return self.usage | {"output_tokens": max(0, self.usage["output_tokens"] - missing)}

    def _envelope(self, content: list[Any], stop_reason: str | None, usage: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": usage,
        }


def answer(body: dict[str, Any], model: str, headers: dict[str, str], book: Book) -> Answer:
    """Answer a request.

    Raises:
        ValueError: the header `x-fake-usage` cannot be read.
    """
    tool_call = _tool_call(body)
    spoken = () if tool_call else _pieces(body, headers.get("x-fake-reply"))
    pieces = spoken[: body["max_tokens"]]
    cut = "max_tokens" if len(pieces) < len(spoken) else "end_turn"
    derived = message_usage(book, model, body, len(pieces) or 8)
    return Answer(
        id=f"msg_{secrets.token_hex(12)}",
        model=model,
        pieces=pieces,
        tool_call=tool_call,
        stop_reason="tool_use" if tool_call else cut,
        usage=dictate(derived, headers.get("x-fake-usage")),
    )


def _delta(delta: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": delta}


def _pieces(body: dict[str, Any], reply: str | None) -> tuple[str, ...]:
    first, *others = (reply or f"You asked: {_last_text(body)}").split(" ")
    return (first, *(f" {word}" for word in others))


def _last_text(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    text = content if isinstance(content, str) else " ".join(block.get("text", "") for block in content)
    return " ".join(text.split()[:_WORDS_QUOTED])


def _tool_call(body: dict[str, Any]) -> dict[str, Any] | None:
    """Call the first tool when the request insists on one, and has not got its result yet."""
    last = body["messages"][-1]["content"]
    has_result = isinstance(last, list) and any(block.get("type") == "tool_result" for block in last)
    if (body.get("tool_choice") or {}).get("type") != "any" or has_result:
        return None
    return {"type": "tool_use", "id": f"toolu_{secrets.token_hex(12)}", "name": body["tools"][0]["name"], "input": {}}
