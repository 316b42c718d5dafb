"""Prompts and answers in Cohere's formats: chat of both versions of its API, and `generate`.

Source: the types of `cohere` 7.3 (`AssistantMessageResponse`, `NonStreamedChatResponse`, the events of streams). The
second version's messages are those of OpenAI's chat, with a plan beside the tool calls.
"""

from typing import Any

from llmlab.capture.content_json import plain, tool_call
from llmlab.formats.openai_content import asked_in_chat, message_of
from llmlab.providers import Asked, ContentFormat, Message

_ROLES = {"CHATBOT": "assistant"}


def _asked(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Asked | None:
    if isinstance(keywords.get("messages"), (list, tuple)):
        return asked_in_chat(arguments, keywords)
    said = next((keywords[name] for name in ("message", "prompt") if isinstance(keywords.get(name), str)), None)
    if said is None:
        return None
    history: Any = plain(_list(keywords.get("chat_history")))
    answers = _results(plain(_list(keywords.get("tool_results"))))
    question = [{"role": "user", "parts": [_text(said)]}] if said else []
    preamble = keywords.get("preamble")
    return Asked(
        [*map(_turn, history), *question, *answers],
        [_text(preamble)] if isinstance(preamble, str) else [],
        [_tool(each) for each in plain(_list(keywords.get("tools")))],
    )


def _list(value: Any) -> list[Any]:
    """Return a list of the caller's; what was left out is an ellipsis."""
    return list(value) if isinstance(value, (list, tuple)) else []  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "content": text}


def _turn(turn: Any) -> Message:
    """Return a message of the first version's history."""
    role: str = turn.get("role") or ""
    said = [_text(turn["message"])] if turn.get("message") else []
    parts = [*said, *_calls(turn.get("tool_calls"))]
    answers = [part for message in _results(turn.get("tool_results")) for part in message["parts"]]
    return {"role": _ROLES.get(role, role.lower()), "parts": [*parts, *answers]}


def _results(results: Any) -> list[Message]:
    parts = [{"type": "tool_call_response", "id": None, "response": each.get("outputs")} for each in results or ()]
    return [{"role": "tool", "parts": parts}] if parts else []


def _calls(calls: Any) -> list[dict[str, Any]]:
    return [tool_call(None, each.get("name"), each.get("parameters")) for each in calls or ()]


def _tool(tool: Any) -> dict[str, Any]:
    kept = {"description": tool.get("description"), "parameters": tool.get("parameter_definitions")}
    given = {name: value for name, value in kept.items() if value}
    return {"type": "function", "name": tool.get("name") or "", **given}


def _said(raw_response: Any) -> list[Message]:
    fields: Any = plain(getattr(raw_response, "data", None))
    if not isinstance(fields, dict):
        return []
    if "generations" in fields:
        return [_answer(each.get("text"), None) for each in fields["generations"] or ()]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if "text" in fields:
        return [_answer(fields["text"], fields.get("tool_calls"))]  # pyright: ignore[reportUnknownMemberType]
    message: Any = fields.get("message")  # pyright: ignore[reportUnknownMemberType]
    return [_planned(message)] if isinstance(message, dict) else []


def _answer(text: Any, calls: Any) -> Message:
    return {"role": "assistant", "parts": [*([_text(text)] if text else []), *_calls(calls)]}


def _planned(message: dict[str, Any]) -> Message:
    """Return a message of the second version. What it plans to do with its tools is its reasoning."""
    return message_of({**message, "reasoning": message.get("tool_plan")}, "assistant")


class ChatContent:
    """Puts the pieces of a streamed answer together, of either version."""

    def __init__(self) -> None:
        self._text = ""
        self._calls: Any = None
        self._blocks: dict[Any, dict[str, Any]] = {}
        self._plan = ""
        self._started: dict[Any, dict[str, Any]] = {}

    def read(self, chunk: Any) -> None:
        """Take note of an event."""
        fields: Any = plain(chunk)
        if "event_type" in fields:
            self._text += fields.get("text") or ""
            self._calls = fields.get("tool_calls") or self._calls
        else:
            self._grow(fields.get("index"), (fields.get("delta") or {}).get("message") or {})

    def _grow(self, index: Any, message: Any) -> None:
        if not isinstance(message, dict):
            return
        delta: dict[str, Any] = message  # pyright: ignore[reportUnknownVariableType]
        self._plan += delta.get("tool_plan") or ""
        content, call = delta.get("content"), delta.get("tool_calls")
        if isinstance(content, dict):
            self._grow_block(index, content)  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(call, dict):
            self._grow_call(index, call)  # pyright: ignore[reportUnknownArgumentType]

    def _grow_block(self, index: Any, piece: dict[str, Any]) -> None:
        kind = "thinking" if piece.get("thinking") or piece.get("type") == "thinking" else "text"
        block = self._blocks.setdefault(index, {"type": kind, kind: ""})
        block[block["type"]] += piece.get(block["type"]) or ""

    def _grow_call(self, index: Any, piece: dict[str, Any]) -> None:
        function = piece.get("function") or {}
        call = self._started.setdefault(
            index, {"id": piece.get("id"), "function": {"name": function.get("name"), "arguments": ""}}
        )
        call["function"]["arguments"] += function.get("arguments") or ""

    def messages(self) -> list[Message]:
        """Return what was said so far."""
        if self._text or self._calls:
            return [_answer(self._text, self._calls)]
        content = [block for _, block in sorted(self._blocks.items()) if block[block["type"]]]
        calls = [call for _, call in sorted(self._started.items())]
        if not content and not calls and not self._plan:
            return []
        return [_planned({"content": content, "tool_calls": calls, "tool_plan": self._plan})]


CHAT = ContentFormat(_asked, _said, ChatContent)
