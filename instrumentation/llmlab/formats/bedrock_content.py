"""Prompts and answers in Amazon Bedrock's formats: Converse, and InvokeModel with a body in Anthropic's format.

Source: the service model `bedrock-runtime` of botocore 1.44 (`ContentBlock`, `ContentBlockDelta`, `Tool`). The bodies
of other families are left out.
"""

import json
from types import SimpleNamespace
from typing import Any

from llmlab.capture.content_json import media, plain, tool_call
from llmlab.formats import anthropic_content
from llmlab.providers import Asked, ContentFormat, Message

_MEDIA = ("image", "document", "video", "audio")
_LONG_BYTES = 1 << 20
"""Of a body that is read in pieces no more is kept."""


def _parts(blocks: Any) -> list[dict[str, Any]]:
    return [_part(block) for block in blocks or () if "cachePoint" not in block]


def _part(block: dict[str, Any]) -> dict[str, Any]:
    if "text" in block:
        return {"type": "text", "content": block["text"]}
    if called := block.get("toolUse"):
        return tool_call(called.get("toolUseId"), called.get("name"), called.get("input"))
    if answer := block.get("toolResult"):
        said = [each["json"] if "json" in each else _part(each) for each in answer.get("content") or ()]
        return {"type": "tool_call_response", "id": answer.get("toolUseId"), "response": said}
    if thoughts := block.get("reasoningContent"):
        return {"type": "reasoning", "content": (thoughts.get("reasoningText") or {}).get("text") or ""}
    kind = next(iter(block), "unknown")
    if kind in _MEDIA:
        location = ((block[kind] or {}).get("source") or {}).get("s3Location") or {}
        return media(location.get("uri"), kind)
    return {"type": kind}


def _asked(arguments: tuple[Any, ...], _keywords: dict[str, Any]) -> Asked | None:
    operation, parameters = arguments
    if operation not in {"Converse", "ConverseStream"}:
        return None
    asked: Any = plain({name: parameters.get(name) for name in ("messages", "system", "toolConfig")})
    messages = [{"role": each.get("role"), "parts": _parts(each.get("content"))} for each in asked["messages"] or ()]
    return Asked(messages, _parts(asked["system"]), _tools(asked["toolConfig"] or {}))


def _tools(config: dict[str, Any]) -> list[dict[str, Any]]:
    defined: list[dict[str, Any]] = []
    for tool in config.get("tools") or ():
        spec = tool.get("toolSpec") or tool.get("systemTool") or {}
        schema = (spec.get("inputSchema") or {}).get("json")
        kept = {"description": spec.get("description"), "parameters": schema}
        kind = "function" if "toolSpec" in tool else next(iter(tool), "unknown")
        given = {name: value for name, value in kept.items() if value}
        defined.append({"type": kind, "name": spec.get("name") or kind, **given})
    return [tool for tool in defined if tool["type"] != "cachePoint"]


def _said(response: Any) -> list[Message]:
    message = (response.get("output") or {}).get("message") if isinstance(response, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return _answer(plain(message).get("content")) if message else []


def _answer(blocks: Any) -> list[Message]:
    return [{"role": "assistant", "parts": _parts(blocks)}] if blocks else []


class ConverseContent:
    """Puts the blocks of a streamed answer together."""

    def __init__(self) -> None:
        self._blocks: dict[int, dict[str, Any]] = {}

    def read(self, chunk: Any) -> None:
        """Take note of an event."""
        if begun := chunk.get("contentBlockStart"):
            called = (begun.get("start") or {}).get("toolUse")
            self._blocks[begun["contentBlockIndex"]] = {"toolUse": {**called, "input": ""}} if called else {}
        elif grown := chunk.get("contentBlockDelta"):
            _grow(self._blocks.setdefault(grown["contentBlockIndex"], {}), plain(grown["delta"]))

    def messages(self) -> list[Message]:
        """Return what was said so far."""
        return _answer([block for _, block in sorted(self._blocks.items()) if block])


def _grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    if "text" in delta:
        block["text"] = block.get("text", "") + delta["text"]
    elif "toolUse" in delta and "toolUse" in block:
        block["toolUse"]["input"] += delta["toolUse"].get("input") or ""
    elif thought := (delta.get("reasoningContent") or {}).get("text"):
        known = block.setdefault("reasoningContent", {"reasoningText": {"text": ""}})
        known["reasoningText"]["text"] += thought


def _invoked(operation: str) -> Any:
    """Return what reads the body of a call of InvokeModel, plain or streamed."""

    def read(arguments: tuple[Any, ...], _keywords: dict[str, Any]) -> Asked | None:
        body = arguments[1].get("body")
        if arguments[0] != operation or not isinstance(body, (str, bytes, bytearray)) or b"messages" not in _raw(body):
            return None
        fields = json.loads(body)
        # What Anthropic's models must be sent on Bedrock, and no other family knows.
        return anthropic_content.asked_in(fields) if "anthropic_version" in fields else None

    return read


def _raw(body: str | bytes | bytearray) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body)


class BodyContent:
    """Keeps a body that the caller reads in pieces."""

    def __init__(self) -> None:
        self._body = bytearray()

    def read(self, chunk: bytes) -> None:
        """Take note of a piece."""
        if len(self._body) < _LONG_BYTES:
            self._body += chunk

    def messages(self) -> list[Message]:
        """Return the answer, nothing when the body was not read to its end."""
        try:
            fields = json.loads(self._body)
        except ValueError:
            return []
        return anthropic_content.said_in(fields.get("content"))


class InvokedContent:
    """Puts the blocks of a streamed answer of InvokeModel together."""

    def __init__(self) -> None:
        self._content = anthropic_content.MessageContent()

    def read(self, chunk: Any) -> None:
        """Take note of a chunk, whose bytes are one of Anthropic's events."""
        if "chunk" in chunk:
            self._content.read(json.loads(chunk["chunk"]["bytes"], object_hook=lambda found: SimpleNamespace(**found)))

    def messages(self) -> list[Message]:
        """Return what was said so far."""
        return self._content.messages()


def _nothing(_response: Any) -> list[Message]:
    return []


CONVERSE = ContentFormat(_asked, _said, ConverseContent)
INVOKE = ContentFormat(_invoked("InvokeModel"), _nothing, BodyContent)
INVOKE_STREAM = ContentFormat(_invoked("InvokeModelWithResponseStream"), _nothing, InvokedContent)
