"""Prompts and answers in OpenAI's chat format, which many SDKs speak.

Source: the types of `openai` 3.52 (`ChatCompletionMessageParam`, `ChatCompletionChunk`).
"""

from typing import Any

from llmlab.capture.content_json import media, plain, tool_call
from llmlab.providers import Asked, ContentFormat, Message


def text_part(content: Any) -> dict[str, Any]:
    """Return the part for a text."""
    return {"type": "text", "content": content if isinstance(content, str) else str(content)}


def parts_of(content: Any) -> list[dict[str, Any]]:
    """Return the parts of a message's content, which is a text or a list."""
    if isinstance(content, str):
        return [text_part(content)] if content else []
    return [_part(each) for each in content or ()]


def _part(part: Any) -> dict[str, Any]:
    kind = part.get("type", "") if isinstance(part, dict) else ""
    if kind in {"text", "input_text", "output_text", "summary_text", "reasoning_text"}:
        return text_part(part.get("text", ""))  # pyright: ignore[reportUnknownMemberType]
    if kind == "refusal":
        return text_part(part.get("refusal", ""))  # pyright: ignore[reportUnknownMemberType]
    if kind in {"image_url", "input_image"}:
        held: Any = part.get("image_url")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return media(held.get("url") if isinstance(held, dict) else held, "image")  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    if kind == "thinking":  # Mistral
        return {"type": "reasoning", "content": " ".join(p["content"] for p in parts_of(part.get("thinking")))}  # pyright: ignore[reportUnknownMemberType]
    if kind in {"input_audio", "audio_url"}:
        return media(None, "audio")
    return media(None, "document") if kind in {"file", "input_file"} else {"type": kind or "unknown"}  # pyright: ignore[reportUnknownVariableType]


def message_of(message: Any, role: str = "") -> Message:
    """Return one message of a chat."""
    role = message.get("role") or role
    if role == "tool":
        response = {"type": "tool_call_response", "id": message.get("tool_call_id"), "response": message.get("content")}
        return {"role": role, "parts": [response]}
    thoughts = message.get("reasoning_content") or message.get("reasoning")
    parts = [{"type": "reasoning", "content": thoughts}] if isinstance(thoughts, str) and thoughts else []
    parts += parts_of(message.get("content"))
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        parts.append(tool_call(call.get("id"), function.get("name"), function.get("arguments")))
    if message.get("refusal"):
        parts.append(text_part(message["refusal"]))
    return {"role": role, "parts": parts}


def tools_of(tools: Any) -> list[dict[str, Any]]:
    """Return the definitions of tools; none for a marker that stands for no tools."""
    defined: list[dict[str, Any]] = []
    for tool in plain(tools) if isinstance(tools, (list, tuple)) else ():  # pyright: ignore[reportUnknownArgumentType]
        held = tool.get("function") or tool
        kept = {name: held[name] for name in ("name", "description", "parameters") if held.get(name)}
        defined.append({"type": tool.get("type") or "function", "name": tool.get("type") or "", **kept})
    return defined


def asked_in_chat(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Asked | None:
    """Read a call of a chat. Where the messages are no keyword they are the first list of the arguments."""
    lists = [each for each in (keywords.get("messages"), *arguments) if isinstance(each, (list, tuple))]
    if not lists:
        return None
    return Asked([message_of(each) for each in plain(lists[0])], tools=tools_of(keywords.get("tools")))


def _completion_asked(_arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Asked | None:
    prompt = keywords.get("prompt")
    prompts = [prompt] if isinstance(prompt, str) else prompt if isinstance(prompt, (list, tuple)) else []
    texts = [each for each in prompts if isinstance(each, str)]  # others are tokens
    return Asked([{"role": "user", "parts": [text_part(text)]} for text in texts]) if texts else None


def _chat_said(completion: Any) -> list[Message]:
    choices = getattr(completion, "choices", None)
    return [message_of(_held(choice, "message"), "assistant") for choice in choices or ()]


def _held(choice: Any, name: str) -> Any:
    """Return what a choice holds under a name, or the mere text that completions of prompts have instead."""
    held = plain(getattr(choice, name, None))
    return held if isinstance(held, dict) else {"content": getattr(choice, "text", None) or ""}  # pyright: ignore[reportUnknownVariableType]


class ChatContent:
    """Puts the pieces of a streamed chat together."""

    def __init__(self) -> None:
        self._choices: dict[int, dict[str, Any]] = {}

    def read(self, chunk: Any) -> None:
        """Take note of a chunk. Mistral's hold it in `data`."""
        for choice in getattr(getattr(chunk, "data", None) or chunk, "choices", None) or ():
            said = self._choices.setdefault(choice.index, {"content": "", "reasoning": "", "calls": {}})
            delta = _held(choice, "delta")
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
            message_of({**said, "tool_calls": list(said["calls"].values())}, "assistant")
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


CHAT = ContentFormat(asked_in_chat, _chat_said, ChatContent)
COMPLETION = ContentFormat(_completion_asked, _chat_said, ChatContent)
"""Prompts that are mere texts, answered in the format of a chat."""
