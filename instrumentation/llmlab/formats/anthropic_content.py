"""Prompts and answers in Anthropic's format: the types of `anthropic` 2.11 (`MessageParam`, `ContentBlock`)."""

from typing import Any

from llmlab.capture.content_json import media, plain, tool_call
from llmlab.providers import Asked, ContentFormat, Message

_MODALITIES = {"image": "image", "document": "document"}


def _parts(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "content": content}] if content else []
    return [_part(each) for each in content or ()]


def _part(block: Any) -> dict[str, Any]:
    kind = block.get("type") or "unknown"
    if kind == "text":
        return {"type": "text", "content": block.get("text") or ""}
    if kind == "thinking":
        return {"type": "reasoning", "content": block.get("thinking") or ""}
    if kind == "tool_use":
        return tool_call(block.get("id"), block.get("name"), block.get("input"))
    if kind == "tool_result":
        held = block.get("content")
        answer = held if isinstance(held, str) else _parts(held)
        return {"type": "tool_call_response", "id": block.get("tool_use_id"), "response": answer}
    if kind in _MODALITIES:
        source = block.get("source") or {}
        return media(source.get("url"), _MODALITIES[kind], source.get("media_type"))
    return {"type": kind}


def _asked(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Asked | None:
    """Read what the client is about to send."""
    options = arguments[1] if len(arguments) > 1 else keywords.get("options")
    return asked_in(getattr(options, "json_data", None))


def asked_in(body: Any) -> Asked | None:
    """Read the body of a request; None when it has another format."""
    if not isinstance(body, dict) or "messages" not in body:
        return None
    asked: Any = plain(body)  # pyright: ignore[reportUnknownArgumentType]
    messages = [{"role": each.get("role"), "parts": _parts(each.get("content"))} for each in asked["messages"]]
    system = asked.get("system")
    return Asked(messages, _parts(system) if isinstance(system, (str, list)) else [], _tools(asked.get("tools")))


def _tools(tools: Any) -> list[dict[str, Any]]:
    defined: list[dict[str, Any]] = []
    for tool in tools if isinstance(tools, list) else ():  # pyright: ignore[reportUnknownVariableType]
        schema = {"parameters": tool["input_schema"]} if "input_schema" in tool else {}
        described = {"description": tool["description"]} if tool.get("description") else {}  # pyright: ignore[reportUnknownMemberType]
        kind: Any = tool.get("type") or "function"  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        kind = "function" if kind == "custom" else kind
        defined.append({"type": kind, "name": tool.get("name") or "", **described, **schema})  # pyright: ignore[reportUnknownMemberType]
    return defined


def _said(message: Any) -> list[Message]:
    return said_in(getattr(message, "content", None))


def said_in(content: Any) -> list[Message]:
    """Read the blocks of an answer; empty when they have another format."""
    blocks = plain(content)
    return [{"role": "assistant", "parts": _parts(blocks)}] if isinstance(blocks, list) else []


class MessageContent:
    """Puts the blocks of a streamed message together."""

    def __init__(self) -> None:
        self._blocks: dict[int, dict[str, Any]] = {}

    def read(self, chunk: Any) -> None:
        """Take note of an event."""
        if chunk.type == "content_block_start":
            block = plain(chunk.content_block)
            self._blocks[chunk.index] = {**block, "input": ""} if block.get("type") == "tool_use" else block
        elif chunk.type == "content_block_delta":
            self._grow(self._blocks[chunk.index], plain(chunk.delta))

    def _grow(self, block: dict[str, Any], delta: dict[str, Any]) -> None:
        for source, name in (("text", "text"), ("thinking", "thinking"), ("partial_json", "input")):
            if isinstance(delta.get(source), str):
                block[name] = (block.get(name) or "") + delta[source]

    def messages(self) -> list[Message]:
        """Return what was said so far."""
        blocks = [block for _, block in sorted(self._blocks.items())]
        return [{"role": "assistant", "parts": _parts(blocks)}] if blocks else []


MESSAGES = ContentFormat(_asked, _said, MessageContent)
