"""Prompts and answers in the format of OpenAI's Responses API.

Source: the types of `openai` 3.52 (`ResponseInputItemParam`, `ResponseOutputItem`, `ResponseStreamEvent`).
"""

from typing import Any

from llmlab.capture.content_json import plain, tool_call
from llmlab.formats.openai_content import parts_of, text_part, tools_of
from llmlab.providers import Asked, ContentFormat, Message

_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
_ITEM_DONE = "response.output_item.done"
_ITEMS = frozenset({"response.output_item.added", _ITEM_DONE})
_DELTAS = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "text",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_text.delta": "reasoning",
    "response.function_call_arguments.delta": "arguments",
}
"""Events that bring a piece of an item, and the kind of part that it belongs to."""


def _item(item: Any) -> Message:
    """Return an item of the Responses API as a message."""
    kind = item.get("type") or "message"
    if kind == "message":
        return {"role": item.get("role") or "", "parts": parts_of(item.get("content"))}
    if kind == "function_call":
        called = tool_call(item.get("call_id"), item.get("name"), item.get("arguments"))
        return {"role": "assistant", "parts": [called]}
    if kind == "function_call_output":
        answer = {"type": "tool_call_response", "id": item.get("call_id"), "response": item.get("output")}
        return {"role": "tool", "parts": [answer]}
    if kind == "reasoning":
        thoughts = [
            part["content"] for part in parts_of(item.get("content") or item.get("summary")) if "content" in part
        ]
        return {"role": "assistant", "parts": [{"type": "reasoning", "content": "\n".join(thoughts)}]}
    return {"role": "assistant", "parts": [{"type": kind}]}


def _response_asked(_arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Asked | None:
    given = keywords.get("input")
    if "messages" in keywords or not ("input" in keywords or "instructions" in keywords or "prompt" in keywords):
        return None
    instructions = keywords.get("instructions")
    return Asked(
        [{"role": "user", "parts": [text_part(given)]}] if isinstance(given, str) else _items(given),
        parts_of(instructions) if isinstance(instructions, str) else [],
        tools_of(keywords.get("tools")),
    )


def _items(items: Any) -> list[Message]:
    return [_item(each) for each in plain(items) if isinstance(each, dict)] if isinstance(items, (list, tuple)) else []  # pyright: ignore[reportUnknownArgumentType]


def _response_said(response: Any) -> list[Message]:
    """Return one message with the parts of all items."""
    parts = [part for item in _items(getattr(response, "output", None)) for part in item["parts"]]
    return [{"role": "assistant", "parts": parts}] if parts else []


class ResponseContent:
    """Takes the answer from the last event, which holds the whole response, or before that from the pieces."""

    def __init__(self) -> None:
        self._whole: list[Message] = []
        self._items: dict[int, Any] = {}
        self._pieces: dict[int, dict[str, str]] = {}
        """Of each item that has begun, the texts that arrived, by their kind."""

    def read(self, chunk: Any) -> None:
        """Take note of an event."""
        kind = getattr(chunk, "type", None) or ""
        if kind in _ENDS:
            self._whole = _response_said(chunk.response)
        elif kind in _ITEMS:
            self._items[chunk.output_index] = plain(chunk.item)
            if kind == _ITEM_DONE:
                self._pieces.pop(chunk.output_index, None)
        elif (of := _DELTAS.get(kind)) is not None:
            pieces = self._pieces.setdefault(chunk.output_index, {})
            pieces[of] = pieces.get(of, "") + chunk.delta

    def messages(self) -> list[Message]:
        """Return the answer, or what there was of it when the stream was broken off."""
        if self._whole:
            return self._whole
        indices = sorted(self._items.keys() | self._pieces.keys())
        parts = [part for index in indices for part in self._parts(index)]
        return [{"role": "assistant", "parts": parts}] if parts else []

    def _parts(self, index: int) -> list[dict[str, Any]]:
        item, pieces = self._items.get(index) or {}, self._pieces.get(index)
        if pieces is None:
            return _item(item)["parts"] if item else []
        if "arguments" in pieces:
            return [tool_call(item.get("call_id"), item.get("name"), pieces["arguments"])]
        return [{"type": kind, "content": text} for kind, text in pieces.items()]


RESPONSES = ContentFormat(_response_asked, _response_said, ResponseContent)
