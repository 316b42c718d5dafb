"""Prompts and answers in OpenAI's two formats: chat, which many SDKs speak, and the Responses API.

Sources: the types of `openai` 3.52 (`ChatCompletionMessageParam`, `ResponseInputItemParam`, `ResponseOutputItem`).
"""

from typing import Any

from llmlab.capture.content_json import media, plain, tool_call
from llmlab.providers import Asked, ContentFormat, Message

_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


def _text(content: Any) -> dict[str, Any]:
    return {"type": "text", "content": content if isinstance(content, str) else str(content)}


def _parts(content: Any) -> list[dict[str, Any]]:
    """Return the parts of a message's content, which is a text or a list."""
    if isinstance(content, str):
        return [_text(content)] if content else []
    return [_part(each) for each in content or ()]


def _part(part: Any) -> dict[str, Any]:
    kind = part.get("type", "") if isinstance(part, dict) else ""
    if kind in {"text", "input_text", "output_text", "summary_text", "reasoning_text"}:
        return _text(part.get("text", ""))  # pyright: ignore[reportUnknownMemberType]
    if kind == "refusal":
        return _text(part.get("refusal", ""))  # pyright: ignore[reportUnknownMemberType]
    if kind in {"image_url", "input_image"}:
        held: Any = part.get("image_url")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return media(held.get("url") if isinstance(held, dict) else held, "image")  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    if kind == "thinking":  # Mistral
        return {"type": "reasoning", "content": " ".join(p["content"] for p in _parts(part.get("thinking")))}  # pyright: ignore[reportUnknownMemberType]
    if kind in {"input_audio", "audio_url"}:
        return media(None, "audio")
    return media(None, "document") if kind in {"file", "input_file"} else {"type": kind or "unknown"}  # pyright: ignore[reportUnknownVariableType]


def _message(message: Any, role: str = "") -> Message:
    """Return one message of a chat."""
    role = message.get("role") or role
    if role == "tool":
        response = {"type": "tool_call_response", "id": message.get("tool_call_id"), "response": message.get("content")}
        return {"role": role, "parts": [response]}
    thoughts = message.get("reasoning_content") or message.get("reasoning")
    parts = [{"type": "reasoning", "content": thoughts}] if isinstance(thoughts, str) and thoughts else []
    parts += _parts(message.get("content"))
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        parts.append(tool_call(call.get("id"), function.get("name"), function.get("arguments")))
    if message.get("refusal"):
        parts.append(_text(message["refusal"]))
    return {"role": role, "parts": parts}


def _tools(tools: Any) -> list[dict[str, Any]]:
    defined: list[dict[str, Any]] = []
    for tool in plain(tools) if isinstance(tools, (list, tuple)) else ():  # pyright: ignore[reportUnknownArgumentType]
        held = tool.get("function") or tool
        kept = {name: held[name] for name in ("name", "description", "parameters") if held.get(name)}
        defined.append({"type": tool.get("type") or "function", "name": tool.get("type") or "", **kept})
    return defined


def _chat_asked(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Asked | None:
    messages = keywords.get("messages") or (arguments[0] if arguments else None)
    if not isinstance(messages, (list, tuple)):
        return None
    return Asked([_message(each) for each in plain(messages)], tools=_tools(keywords.get("tools")))


def _chat_said(completion: Any) -> list[Message]:
    choices = getattr(completion, "choices", None)
    return [_message(plain(choice.message), "assistant") for choice in choices or () if hasattr(choice, "message")]


class ChatContent:
    """Puts the pieces of a streamed chat together."""

    def __init__(self) -> None:
        self._choices: dict[int, dict[str, Any]] = {}

    def read(self, chunk: Any) -> None:
        """Take note of a chunk. Mistral's hold it in `data`."""
        for choice in getattr(getattr(chunk, "data", None) or chunk, "choices", None) or ():
            said = self._choices.setdefault(choice.index, {"content": "", "reasoning": "", "calls": {}})
            delta = plain(choice.delta)
            for name, source in (
                ("content", "content"),
                ("reasoning", "reasoning_content"),
                ("reasoning", "reasoning"),
            ):
                if isinstance(delta.get(source), str):
                    said[name] += delta[source]
            for call in delta.get("tool_calls") or ():
                _grow(said["calls"], call)

    def messages(self) -> list[Message]:
        """Return what each choice says."""
        return [
            _message({**said, "tool_calls": list(said["calls"].values())}, "assistant")
            for _, said in sorted(self._choices.items())
        ]


def _grow(calls: dict[Any, Any], piece: Any) -> None:
    """Add a piece of a tool call to those that came before."""
    known = calls.setdefault(piece.get("index"), {"id": None, "function": {"name": "", "arguments": ""}})
    known["id"] = piece.get("id") or known["id"]
    function = piece.get("function") or {}
    known["function"]["name"] += function.get("name") or ""
    arguments = function.get("arguments")
    known["function"]["arguments"] = (
        known["function"]["arguments"] + arguments if isinstance(arguments, str) else arguments or ""
    )


def _item(item: Any) -> Message:
    """Return an item of the Responses API as a message."""
    kind = item.get("type") or "message"
    if kind == "message":
        return {"role": item.get("role") or "", "parts": _parts(item.get("content"))}
    if kind == "function_call":
        called = tool_call(item.get("call_id"), item.get("name"), item.get("arguments"))
        return {"role": "assistant", "parts": [called]}
    if kind == "function_call_output":
        answer = {"type": "tool_call_response", "id": item.get("call_id"), "response": item.get("output")}
        return {"role": "tool", "parts": [answer]}
    if kind == "reasoning":
        thoughts = [part["content"] for part in _parts(item.get("content") or item.get("summary")) if "content" in part]
        return {"role": "assistant", "parts": [{"type": "reasoning", "content": "\n".join(thoughts)}]}
    return {"role": "assistant", "parts": [{"type": kind}]}


def _response_asked(_arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Asked | None:
    given = keywords.get("input")
    if "messages" in keywords or not ("input" in keywords or "instructions" in keywords or "prompt" in keywords):
        return None
    instructions = keywords.get("instructions")
    return Asked(
        [{"role": "user", "parts": [_text(given)]}] if isinstance(given, str) else _items(given),
        _parts(instructions) if isinstance(instructions, str) else [],
        _tools(keywords.get("tools")),
    )


def _items(items: Any) -> list[Message]:
    return [_item(each) for each in plain(items) if isinstance(each, dict)] if isinstance(items, (list, tuple)) else []  # pyright: ignore[reportUnknownArgumentType]


def _response_said(response: Any) -> list[Message]:
    """Return one message with the parts of all items."""
    parts = [part for item in _items(getattr(response, "output", None)) for part in item["parts"]]
    return [{"role": "assistant", "parts": parts}] if parts else []


class ResponseContent:
    """Takes the answer from the last event, which holds the whole response."""

    def __init__(self) -> None:
        self._messages: list[Message] = []

    def read(self, chunk: Any) -> None:
        """Take note of an event."""
        if getattr(chunk, "type", None) in _ENDS:
            self._messages = _response_said(chunk.response)

    def messages(self) -> list[Message]:
        """Return the answer, nothing when the stream was broken off."""
        return self._messages


CHAT = ContentFormat(_chat_asked, _chat_said, ChatContent)
RESPONSES = ContentFormat(_response_asked, _response_said, ResponseContent)
