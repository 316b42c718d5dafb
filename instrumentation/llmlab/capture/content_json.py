"""Prompts and answers as plain data whose JSON has a bounded size, without secrets and without binary data."""

import json
from collections.abc import Mapping
from contextlib import suppress
from os import environ
from typing import Any

from llmlab.capture.secrets import mask_all

LIMIT = "LLMLAB_CONTENT_MAX_CHARS"
DEFAULT_LIMIT_CHARS = 8192
LEAST_LIMIT_CHARS = 256
SHORTEST_CHARS = 32
"""To which a text is cut before whole items are left out."""
_LONGEST_BITS = 63


def fitted(value: list[Any], limit_chars: int | None = None) -> list[Any]:
    """Return a list as plain data, secrets masked, whose JSON has at most so many characters.

    Long texts are cut first, which shows, and then items in the middle give way to one that says how many they were.
    """
    limit = _limit_chars() if limit_chars is None else limit_chars
    masked: list[Any] = mask_all(plain(value))
    longest = limit
    while len(as_json(_cut(masked, longest))) > limit and longest > SHORTEST_CHARS:
        longest = max(longest // 2, SHORTEST_CHARS)
    shown = kept = _cut(masked, longest)
    left_out = 0
    while len(as_json(shown)) > limit and kept:
        del kept[len(kept) // 2]
        left_out += 1
        half = len(kept) // 2
        shown = [*kept[:half], _gap(left_out), *kept[half:]]
    return shown


def _gap(items: int) -> dict[str, Any]:
    """Return what stands for items that are left out, in the form of a message, a part or a tool."""
    said = f"[{items} left out]"
    return {"role": "", "type": "text", "name": said, "content": said, "parts": [{"type": "text", "content": said}]}


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else f"{value[:longest]}... [{len(value) - longest} characters cut]"
    if isinstance(value, dict):
        return {name: _cut(held, longest) for name, held in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return [_cut(each, longest) for each in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]


def as_json(value: Any) -> str:
    """Return plain data as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=lambda odd: f"<{type(odd).__name__}>")


def _limit_chars() -> int:
    given = environ.get(LIMIT, "")
    return max(int(given), LEAST_LIMIT_CHARS) if given.isdecimal() else DEFAULT_LIMIT_CHARS


def plain(value: Any, depth: int = 12) -> Any:
    """Return plain data for an SDK's objects. Binary data becomes empty, other things the name of their type."""
    if value is None or isinstance(value, (str, int, float)):
        return _scalar(getattr(value, "value", value))  # of an enumeration its value
    if depth == 0 or isinstance(value, (bytes, bytearray)):
        return ""
    if isinstance(value, Mapping):
        return {str(name): plain(held, depth - 1) for name, held in value.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, (list, tuple)):
        return [plain(each, depth - 1) for each in value]  # pyright: ignore[reportUnknownVariableType]
    fields: dict[str, Any] = getattr(value, "__dict__", {})
    if not fields:
        is_marker = value is ... or not value  # with which an SDK says that something was not given
        return None if is_marker else f"<{type(value).__name__}>"
    unknown: dict[str, Any] = getattr(value, "__pydantic_extra__", None) or {}  # what only newer SDKs have a field for
    known = {name: held for name, held in fields.items() if not name.startswith("_")}
    return {name: plain(held, depth - 1) for name, held in {**known, **unknown}.items()}


def _scalar(value: Any) -> Any:
    """Return what OTLP can carry: whole numbers of 64 bits, and texts without half a pair of surrogates."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    is_too_long = isinstance(value, int) and value.bit_length() > _LONGEST_BITS
    return str(value) if is_too_long else value


def tool_call(identity: Any, name: Any, arguments: Any) -> dict[str, Any]:
    """Return the part that says which tool the model wants. Arguments that are JSON are read."""
    if isinstance(arguments, str):
        with suppress(ValueError):  # broken off, or no JSON: it stays as it is
            arguments = json.loads(arguments)
    return {"type": "tool_call", "id": identity, "name": name or "", "arguments": arguments}


def media(url: Any, modality: str, mime_type: str | None = None) -> dict[str, Any]:
    """Return the part for a picture, a recording or a document: where it is, or only that it was there."""
    if isinstance(url, str) and url and not url.startswith("data:"):
        return {"type": "uri", "modality": modality, "mime_type": mime_type, "uri": url}
    if isinstance(url, str) and url:
        mime_type = url[5:].partition(",")[0].partition(";")[0]
    return {"type": "blob", "modality": modality, "mime_type": mime_type, "content": ""}
