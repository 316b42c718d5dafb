"""How an answer is written for the Responses API: as one object, or as the events that build it up."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fake_provider.openai.answer import Answer

Event = dict[str, Any]

_INCOMPLETE = {"reason": "max_output_tokens"}


def responses_usage(usage: dict[str, Any]) -> dict[str, Any]:
    """Write a chat completion's usage in the words of the Responses API, which counts text alone."""
    prompt: dict[str, Any] = usage["prompt_tokens_details"]
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {
            "cached_tokens": prompt.get("cached_tokens", 0),
            "cache_write_tokens": prompt.get("cache_write_tokens", 0),
        },
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": usage["completion_tokens_details"].get("reasoning_tokens", 0)},
        "total_tokens": usage["total_tokens"],
    }


@dataclass(slots=True)
class ResponseBody:
    """Writes one answer."""

    answer: Answer
    request: dict[str, Any]
    id: str
    _sequence: int = -1

    def whole(self, status: str, items: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
        """Write the response as it is in this status."""
        given, request = self.answer, self.request
        return {
            "id": self.id,
            "object": "response",
            "created_at": given.created,
            "status": status,
            "background": request.get("background") or False,
            "error": {"code": "server_error", "message": "The model failed."} if status == "failed" else None,
            "incomplete_details": _INCOMPLETE if status == "incomplete" else None,
            "instructions": request.get("instructions"),
            "max_output_tokens": request.get("max_output_tokens"),
            "model": given.model,
            "output": items,
            "parallel_tool_calls": True,
            "previous_response_id": request.get("previous_response_id"),
            "reasoning": request.get("reasoning") or {"effort": None, "summary": None},
            "service_tier": given.tier if usage else request.get("service_tier") or "auto",
            "temperature": request.get("temperature", 1.0),
            "text": request.get("text") or {"format": {"type": "text"}},
            "tool_choice": request.get("tool_choice") or "auto",
            "tools": request.get("tools") or [],
            "top_p": request.get("top_p", 1.0),
            "usage": usage,
            "metadata": {},
        }

    def items(self) -> list[dict[str, Any]]:
        """Return what the model put out: a call of each hosted tool, its thoughts, and the message."""
        calls = [call for tool in self.request.get("tools") or [] for call in _hosted_calls(tool["type"])]
        thoughts = self.answer.usage["completion_tokens_details"].get("reasoning_tokens")
        reasoning = [{"id": _name("rs"), "type": "reasoning", "summary": []}] if thoughts else []
        return [*calls, *reasoning, self._message()]

    def opening(self, items: list[dict[str, Any]]) -> Iterator[Event]:
        """Yield the events before the text, the last of the items being the message."""
        for kind in ("created", "in_progress"):
            yield self.event(f"response.{kind}", response=self.whole("in_progress", [], None))
        *others, message = items
        for index, item in enumerate(others):
            yield from self._worked(index, item)
        empty = {**message, "status": "in_progress", "content": []}
        yield self.event("response.output_item.added", output_index=len(others), item=empty)
        yield self._text("response.content_part.added", items, part=_part(""))

    def delta(self, items: list[dict[str, Any]], piece: str) -> Event:
        """Write the event of one more token."""
        return self._text("response.output_text.delta", items, delta=piece, logprobs=[])

    def ending(self, items: list[dict[str, Any]]) -> Iterator[Event]:
        """Yield the events between the text and the response's last event."""
        (part,) = items[-1]["content"]
        yield self._text("response.output_text.done", items, text=part["text"], logprobs=[])
        yield self._text("response.content_part.done", items, part=part)
        yield self.event("response.output_item.done", output_index=len(items) - 1, item=items[-1])

    def event(self, kind: str, **fields: Any) -> Event:
        """Write one event; they are numbered from 0."""
        self._sequence += 1
        return {"type": kind, "sequence_number": self._sequence, **fields}

    def _worked(self, index: int, item: dict[str, Any]) -> Iterator[Event]:
        yield self.event("response.output_item.added", output_index=index, item={**item, "status": "in_progress"})
        if item["type"] != "reasoning":
            for stage in ("in_progress", "searching", "completed"):
                yield self.event(f"response.{item['type']}.{stage}", output_index=index, item_id=item["id"])
        yield self.event("response.output_item.done", output_index=index, item=item)

    def _text(self, kind: str, items: list[dict[str, Any]], **fields: Any) -> Event:
        place = {"item_id": items[-1]["id"], "output_index": len(items) - 1, "content_index": 0}
        return self.event(kind, **place, **fields)

    def _message(self) -> dict[str, Any]:
        status = "incomplete" if self.answer.finish_reason == "length" else "completed"
        content = [_part("".join(self.answer.pieces))]
        return {"id": _name("msg"), "type": "message", "role": "assistant", "status": status, "content": content}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _hosted_calls(tool: str) -> list[dict[str, Any]]:
    """Return the calls of one tool; who searches the web then opens a page, which is a call of its own."""
    if tool.startswith("web_search"):
        actions = [{"type": "search", "query": "fake"}, {"type": "open_page", "url": "https://example.com/"}]
        return [
            {"id": _name("ws"), "type": "web_search_call", "status": "completed", "action": action}
            for action in actions
        ]
    if tool == "file_search":
        found = {"queries": ["fake"], "results": None}
        return [{"id": _name("fs"), "type": "file_search_call", "status": "completed", **found}]
    return []


def _name(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"
