"""Prompts and answers in Gemini's format: the types of `google-genai` 3.4 (`Content`, `Part`)."""

from typing import Any

from llmlab.capture.content_json import media, plain, tool_call
from llmlab.providers import Asked, ContentFormat, Message


def _parts(parts: Any) -> list[dict[str, Any]]:
    read = [_part(each) for each in parts or ()]
    return [part for part in read if part]


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "content": part}
    if part.get("text"):
        return {"type": "reasoning" if part.get("thought") else "text", "content": part["text"]}
    if called := part.get("function_call"):
        return tool_call(called.get("id"), called.get("name"), called.get("args"))
    if answer := part.get("function_response"):
        return {"type": "tool_call_response", "id": answer.get("id"), "response": answer.get("response")}
    held = part.get("file_data") or part.get("inline_data")
    if held:
        kind = (held.get("mime_type") or "").partition("/")[0]
        modality = kind if kind in {"image", "audio", "video"} else "document"
        return media(held.get("file_uri"), modality, held.get("mime_type"))
    return {}


def _contents(contents: Any) -> list[Message]:
    """Return messages for what the SDK takes as contents: a text, a part, a content, or a list of them."""
    listed: list[Any] = contents if isinstance(contents, list) else [contents]
    return [
        {"role": each.get("role") or "user", "parts": _parts(each["parts"])}
        if isinstance(each, dict) and "parts" in each
        else {"role": "user", "parts": _parts([each])}
        for each in listed
        if isinstance(each, (str, dict))
    ]


def _asked(_arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Asked | None:
    if "contents" not in keywords or "model" not in keywords:
        return None
    config = plain(keywords.get("config")) or {}
    system = [part for each in _contents(config.get("system_instruction")) for part in each["parts"]]
    return Asked(_contents(plain(keywords["contents"])), system, _tools(config.get("tools")))


def _tools(tools: Any) -> list[dict[str, Any]]:
    held = [tool for tool in tools or () if isinstance(tool, dict)]
    return [
        {"type": "function", "name": each.get("name") or "", "description": each.get("description")}
        for tool in held
        for each in tool.get("function_declarations") or ()  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    ]


def _said(response: Any) -> list[Message]:
    candidates = plain(getattr(response, "candidates", None)) or ()
    return [
        {"role": "assistant", "parts": _parts(content.get("parts"))}
        for candidate in candidates
        if (content := candidate.get("content"))
    ]


class GenerateContent:
    """Puts the pieces of streamed candidates together."""

    def __init__(self) -> None:
        self._parts: list[dict[str, Any]] = []

    def read(self, chunk: Any) -> None:
        """Take note of a chunk. Only one candidate is streamed."""
        for part in (part for message in _said(chunk) for part in message["parts"]):
            last = self._parts[-1] if self._parts else {}
            if part["type"] in {"text", "reasoning"} and last.get("type") == part["type"]:
                last["content"] += part["content"]
            else:
                self._parts.append(part)

    def messages(self) -> list[Message]:
        """Return what was said so far."""
        return [{"role": "assistant", "parts": self._parts}] if self._parts else []


GENERATE = ContentFormat(_asked, _said, GenerateContent)
