"""What the engine allows and survives badly: statements that unfold without end, and states of aggregate functions."""

import re
from typing import Any, cast

from llmlab_exporter.sql.failure import Failure

MAX_TABLES = 200
"""How many tables a statement may read once its common table expressions are put in place of their names.

Unfolding happens before any limit on time counts: 14 expressions that each read the one before twice took 8 seconds.
"""

_STATE = re.compile(r"(?<!simple)aggregatefunction", re.IGNORECASE)
_IN = re.compile(r"(global)?(not)?(null)?in(ignoreset)?", re.IGNORECASE)
_NAMES_A_TYPE = frozenset(
    {
        "accuratecast",
        "accuratecastordefault",
        "accuratecastornull",
        "cast",
        "defaultvalueoftypename",
        "dynamicelement",
        "jsonextract",
        "jsonextractcaseinsensitive",
        "kqlparametercast",
        "reinterpret",
    }
)


def check_literal(value: object) -> None:
    """Refuse a text that names a type of states: they are read back without any check, in native code."""
    if isinstance(value, str) and _STATE.search(value):
        raise Failure(446, "States of aggregate functions cannot be written down here")


def check_type_argument(node: dict[str, Any]) -> None:
    """Let a function name its type in plain sight only, where `check_literal` sees it."""
    if node["name"].lower() in _NAMES_A_TYPE:
        arguments = node.get("arguments", {}).get("children", [])
        if arguments and arguments[-1]["type"] != "Literal":
            raise Failure(446, f"The type that {node['name']} names must be a literal")


def check_unfolding(tree: dict[str, Any]) -> None:
    """Refuse a statement whose common table expressions unfold to too many tables."""
    if _Tables(tree).count(tree) > MAX_TABLES:
        raise Failure(306, f"The statement reads more than {MAX_TABLES} tables", "TOO_DEEP_RECURSION")


class _Tables:
    """Counts tables. Names are taken to mean the largest expression that has them, wherever it is."""

    def __init__(self, tree: dict[str, Any]) -> None:
        self._expressions: dict[str, list[Any]] = {}
        self._counts: dict[str, int] = {}
        for node in _below(tree):
            if node.get("type") == "WithElement":
                self._expressions.setdefault(node["name"], []).append(node["subquery"])

    def count(self, tree: object) -> int:
        return sum(self._named(name) for node in _below(tree) for name in _tables_named_by(node))

    def _named(self, name: str) -> int:
        if name not in self._expressions:
            return 0
        if name not in self._counts:
            self._counts[name] = 0  # one that names itself is recursive, and the engine counts its rounds
            self._counts[name] = 1 + max(self.count(each) for each in self._expressions[name])
        return self._counts[name]


def _tables_named_by(node: dict[str, Any]) -> list[str]:
    """Return the table that a node names: in FROM, or as what is right of IN."""
    if node.get("type") == "TableIdentifier":
        return [node["name"]]
    if node.get("type") == "Function" and _IN.fullmatch(node["name"]):
        right = node.get("arguments", {}).get("children", [])[1:]
        return [each["name"] for each in right if each["type"] == "Identifier"]
    return []


def _below(tree: object) -> list[dict[str, Any]]:
    """Return every node of a tree."""
    found: list[dict[str, Any]] = []
    pending: list[object] = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(cast("list[object]", item))
        elif isinstance(item, dict):
            node = cast("dict[str, Any]", item)
            found.append(node)
            pending.extend(node.values())
    return found
