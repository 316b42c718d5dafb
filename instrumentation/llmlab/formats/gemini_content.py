"""Prompts and answers in Gemini's format: the types of `google-genai` 3.4 (`Content`, `Part`)."""

from collections.abc import Mapping
from typing import Any

from llmlab.capture.content_json import media, plain, tool_call
from llmlab.formats.gemini import fields_of
from llmlab.providers import Asked, ContentFormat, Message


def _parts(parts: Any) -> list[dict[str, Any]]:
    read = [_part(each) for each in parts or ()]
    return [part for part in read if part]


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "content": part}
    part = fields_of(part)  # where the application writes dictionaries, the names may be those of the API
    if part.get("text"):
        return {"type": "reasoning" if part.get("thought") else "text", "content": part["text"]}
    if called := fields_of(part.get("function_call")):
        return tool_call(called.get("id"), called.get("name"), called.get("args"))
    if answer := fields_of(part.get("function_response")):
        return {"type": "tool_call_response", "id": answer.get("id"), "response": answer.get("response")}
    held = fields_of(part.get("file_data") or part.get("inline_data"))
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
    config = fields_of(keywords.get("config"))
    system = [part for each in _contents(plain(config.get("system_instruction"))) for part in each["parts"]]
    return Asked(_contents(plain(keywords["contents"])), system, _tools(config.get("tools")))


def _tools(tools: Any) -> list[dict[str, Any]]:
    """Return the functions and the built-in tools. A tool may be a function of the application's, too."""
    defined: list[dict[str, Any]] = []
    for tool in tools or ():
        if callable(tool):
            defined.append(_function(getattr(tool, "__name__", ""), getattr(tool, "__doc__", None), None))
            continue
        fields: Mapping[str, Any] = (
            fields_of(plain(tool)) if isinstance(tool, dict) or hasattr(tool, "__dict__") else {}
        )
        for declared in map(fields_of, fields.get("function_declarations") or ()):
            schema = declared.get("parameters_json_schema") or _stripped(declared.get("parameters"))
            defined.append(_function(declared.get("name"), declared.get("description"), schema))
        built_in = [name for name, held in fields.items() if name != "function_declarations" and held is not None]
        defined.extend({"type": name, "name": name} for name in built_in)
    return defined


def _function(name: Any, description: Any, schema: Any) -> dict[str, Any]:
    kept = {"description": description, "parameters": schema}
    return {"type": "function", "name": name or "", **{name: value for name, value in kept.items() if value}}


def _stripped(schema: Any) -> Any:
    """Return a schema without the many fields that it leaves open."""
    if isinstance(schema, dict):
        return {name: _stripped(held) for name, held in schema.items() if held is not None}  # pyright: ignore[reportUnknownVariableType]
    return [_stripped(each) for each in schema] if isinstance(schema, list) else schema  # pyright: ignore[reportUnknownVariableType]


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
