"""Attributes that carry a whole object in one text: JSON, or what Python prints of a dict."""

import ast
import json
from collections.abc import Iterator, Mapping
from typing import cast

from llmlab_exporter.span import Value

MAX_JSON_CHARS = 256 * 1024
"""Of a text that is parsed. The longest useful ones are whole responses, with the answer in them."""
MAX_REPR_CHARS = 16 * 1024
"""Parsing Python takes fifty times as long, and only usage objects are written so."""

_MAX_KEYS = 256
_MAX_LEVELS = 3

Fields = Mapping[str, Value]

NOTHING: Fields = {}


def fields_of(value: Value) -> Fields:
    """Return the object that an attribute carries, as a map, as JSON or as Python; empty if it carries none."""
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, str) or not value.startswith("{"):
        return NOTHING
    parsed = _parsed(value)
    return cast("Fields", parsed) if isinstance(parsed, dict) else NOTHING


def constructed(printed: str) -> Fields:
    """Return the fields of an object as Python prints it, `Usage(input=1, parts=[...])`; empty for any other text."""
    if len(printed) > MAX_REPR_CHARS or "(" not in printed:
        return NOTHING
    try:
        tree = ast.parse(printed, mode="eval").body
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return NOTHING
    return _arguments(tree, _MAX_LEVELS) if isinstance(tree, ast.Call) else NOTHING


def _arguments(call: ast.Call, levels: int) -> Fields:
    named = call.keywords[:_MAX_KEYS]
    return {each.arg: _written(each.value, levels - 1) for each in named if each.arg}


def _written(node: ast.expr, levels: int) -> Value:
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.Call() if levels > 0:
            return _arguments(node, levels)
        case ast.List(elts=items) | ast.Tuple(elts=items) if levels > 0:
            return tuple(_written(item, levels) for item in items[:_MAX_KEYS])
        case _:
            return None


def field_at(fields: Fields, *path: str) -> Fields:
    """Return the object at the end of a path of keys; empty if there is none."""
    for key in path:
        inner = fields.get(key)
        if not isinstance(inner, Mapping):
            return NOTHING
        fields = inner
    return fields


def list_at(fields: Fields, key: str) -> tuple[Fields, ...]:
    """Return the objects of a list."""
    items = cast("object", fields.get(key))
    if not isinstance(items, list | tuple):
        return ()
    listed = cast("list[object]", items[:_MAX_KEYS])
    return tuple(cast("Fields", item) for item in listed if isinstance(item, Mapping))


def flat(fields: Fields) -> Fields:
    """Return the leaves of an object by their paths, joined by dots."""
    return dict(_leaves(fields, "", _MAX_LEVELS))


def _leaves(fields: Fields, prefix: str, levels: int) -> Iterator[tuple[str, Value]]:
    for key, value in tuple(fields.items())[:_MAX_KEYS]:
        if not isinstance(value, Mapping):
            yield f"{prefix}{key}", value
        elif levels > 1:
            yield from _leaves(value, f"{prefix}{key}.", levels - 1)


def _parsed(blob: str) -> object:
    if len(blob) > MAX_JSON_CHARS:
        return None
    try:
        return json.loads(blob)
    except (ValueError, RecursionError):
        return _evaluated(blob) if len(blob) <= MAX_REPR_CHARS else None


def _evaluated(blob: str) -> object:
    try:
        return ast.literal_eval(blob)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
