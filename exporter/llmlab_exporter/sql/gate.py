"""The second wall: what a statement may contain, read from the engine's own parse of it.

The tree is what `parseQueryToJSON` returns, so there is no second parser to disagree with the engine's. Everything
that is not known to be harmless is refused: kinds of nodes, functions, table functions, tables of `system`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from llmlab_exporter.sql.access import CATALOGUE, DATABASE
from llmlab_exporter.sql.catalogue import SYSTEM_TABLES
from llmlab_exporter.sql.danger import check_literal, check_type_argument, check_unfolding
from llmlab_exporter.sql.failure import Failure
from llmlab_exporter.sql.functions import Functions

Node: TypeAlias = dict[str, Any]

_NODES = frozenset(
    {
        "ArrayJoin",
        "Asterisk",
        "ColumnsApplyTransformer",
        "ColumnsExceptTransformer",
        "ColumnsListMatcher",
        "ColumnsRegexpMatcher",
        "ColumnsReplaceTransformer",
        "ColumnsReplaceTransformerReplacement",
        "ColumnsTransformerList",
        "ExpressionList",
        "Function",
        "Identifier",
        "InterpolateElement",
        "Literal",
        "OrderByElement",
        "QualifiedAsterisk",
        "QualifiedColumnsListMatcher",
        "QualifiedColumnsRegexpMatcher",
        "QueryParameter",
        "SampleRatio",
        "SelectIntersectExceptQuery",
        "SelectQuery",
        "SelectWithUnionQuery",
        "Subquery",
        "TableExpression",
        "TableIdentifier",
        "TableJoin",
        "TablesInSelectQuery",
        "TablesInSelectQueryElement",
        "WindowDefinition",
        "WindowListElement",
        "WithElement",
    }
)
_TABLE_FUNCTIONS = frozenset({"numbers", "generate_series", "generateseries", "values"})
FILTERS = "additional_table_filters"
_SYSTEM = frozenset({"system", "information_schema"})


@dataclass(frozen=True, slots=True)
class Checked:
    """A statement that may run: its tree without the clauses that the endpoint itself acts on, and these."""

    tree: Node
    format: str
    """"" when the statement names none."""
    settings: dict[str, str]
    filters: dict[str, str]
    """Conditions by table, of `additional_table_filters`. They are not checked yet."""


def check(tree: Node, functions: Functions) -> Checked:
    """Check a parsed statement; raises `Failure`."""
    if tree["type"] == "ShowTablesQuery":
        return _show(tree)
    if tree["type"] != "SelectWithUnionQuery":
        raise Failure(164, "Only a single SELECT, SHOW TABLES, SHOW DATABASES or DESCRIBE TABLE is allowed here")
    filters = take_filters(tree)
    output, settings = _take_format(tree), _take_settings(tree)
    for place, node in _nodes(tree):
        _check_node(place, node, functions)
    check_unfolding(tree)
    return Checked(tree, output, settings, filters)


def take_filters(tree: Node) -> dict[str, str]:
    """Take the conditions out of the settings of a whole statement."""
    found: dict[str, str] = {}
    for clause in _settings_clauses(tree):
        for change in [change for change in clause["changes"] if change["name"] == FILTERS]:
            clause["changes"].remove(change)
            found |= _map(change)
    return found


def asks_again(tree: Node) -> bool:
    """Tell whether there are SELECTs below the outermost one."""
    return any(node["type"] == "Subquery" for _, node in _nodes(tree))


def _check_node(place: str, node: Node, functions: Functions) -> None:
    _check_kind(node)
    match node["type"]:
        case "TableIdentifier":
            _place(node)
        case "Identifier":
            _check_identifier(node, functions)
        case "Function" if place == "table_function":
            _check_table_function(node["name"])
        case "Function":
            _check_function(node["name"], functions)
            check_type_argument(node)
        case "Literal":
            check_literal(node["value"].get("value"))
        case "ColumnsApplyTransformer" if "func_name" in node:
            _check_function(node["func_name"], functions)
        case "QueryParameter":
            _check_parameter(node["param_type"])
        case _:
            pass


def _check_kind(node: Node) -> None:
    kind = node["type"]
    if "out_file" in node or "compression" in node:
        raise Failure(164, "INTO OUTFILE is not allowed here")
    if kind not in _NODES:
        reason = "SETTINGS may only stand at the end" if kind == "SetQuery" else f"{kind} is not allowed here"
        raise Failure(164, reason)


def _check_parameter(kind: str) -> None:
    check_literal(kind)
    if "identifier" in kind.lower():
        raise Failure(497, "A parameter cannot stand for a name")


def _check_function(name: str, functions: Functions) -> None:
    if functions.allow(name):
        return
    if functions.forbid(name):
        raise Failure(446, f"Function {name} is not available here")
    raise Failure(46, f"Function with name `{name}` does not exist", "UNKNOWN_FUNCTION")


def _check_identifier(node: Node, functions: Functions) -> None:
    parts = node.get("name_parts", [node["name"]])
    if len(parts) > 1 and parts[0].lower() in _SYSTEM:
        raise Failure(497, f"{node['name']} is not available here")
    # A name alone is called like a function where one is expected: arrayMap(file, ['/etc/passwd']).
    if len(parts) == 1 and functions.forbid(parts[0]):
        raise Failure(446, f"Function {parts[0]} is not available here, and no column or alias may have its name")


def _check_table_function(name: str) -> None:
    if name.lower() not in _TABLE_FUNCTIONS:
        raise Failure(497, f"Table function {name} is not available here")


def _place(node: Node) -> None:
    """Let a table of ours pass, and turn one of `system` into our view of it."""
    if "children" in node:
        raise Failure(497, "A parameter cannot stand for a name")
    *database, name = node.get("name_parts", [node["name"]])
    if not database or database in ([DATABASE], [CATALOGUE]):
        return
    if database == ["system"] and name in SYSTEM_TABLES:
        node |= {"name": f"{CATALOGUE}.{name}", "name_parts": [CATALOGUE, name]}
        node.setdefault("alias", name)
        return
    raise Failure(497, f"Table {node['name']} is not available here")


def _show(tree: Node) -> Checked:
    """Turn SHOW DATABASES and SHOW TABLES [FROM ...] into a SELECT from our view."""
    output = _take_format(tree)
    extra = tree.keys() - {"type", "databases", "from", *_PLAIN_OUTPUT}
    database = tree.get("from", {"name": DATABASE}).get("name")
    if extra:
        raise Failure(48, "SHOW knows no further clauses here: select from system.tables")
    source, condition = ("databases", None) if tree.get("databases") else ("tables", database)
    return Checked(_select_names(source, condition), output, {}, {})


_PLAIN_OUTPUT = ("is_outfile_append", "is_outfile_truncate", "is_into_outfile_with_stdout")


def _select_names(source: str, database: str | None) -> Node:
    table = {"type": "TableIdentifier", "name": f"{CATALOGUE}.{source}", "name_parts": [CATALOGUE, source]}
    expression = {"type": "TableExpression", "database_and_table_name": table}
    element = {"type": "TablesInSelectQueryElement", "table_expression": expression}
    name = {"type": "Identifier", "name": "name"}
    order = {"type": "OrderByElement", "direction": 1, "nulls_direction": 1, "expression": name}
    select: Node = {
        "type": "SelectQuery",
        "select": {"type": "ExpressionList", "children": [name]},
        "tables": {"type": "TablesInSelectQuery", "children": [element]},
        "order_by": {"type": "ExpressionList", "children": [order]},
    }
    if database is not None:
        wanted = {"type": "Literal", "value": {"field_type": "String", "value": database}}
        operands = [{"type": "Identifier", "name": "database"}, wanted]
        select["where"] = {
            "type": "Function",
            "name": "equals",
            "is_operator": True,
            "arguments": {"type": "ExpressionList", "children": operands},
        }
    return {
        "type": "SelectWithUnionQuery",
        "union_mode": "UNION_DEFAULT",
        "list_of_selects": {"type": "ExpressionList", "children": [select]},
    }


def _take_format(tree: Node) -> str:
    output = tree.pop("format_ast", None)
    return "" if output is None else str(output["name"])


def _take_settings(tree: Node) -> dict[str, str]:
    """Take the settings of the whole statement: behind FORMAT, or those of its last SELECT."""
    found = {change["name"]: _scalar(change) for clause in _settings_clauses(tree) for change in clause["changes"]}
    tree.pop("settings_ast", None)
    tree["list_of_selects"]["children"][-1].pop("settings", None)
    return found


def _settings_clauses(tree: Node) -> list[Node]:
    last = tree["list_of_selects"]["children"][-1]
    return [clause for clause in (tree.get("settings_ast"), last.get("settings")) if clause]


def _map(change: Node) -> dict[str, str]:
    match change["value"]:
        case {"field_type": "Map", "value": pairs}:
            entries = [[part["value"] for part in pair["value"]] for pair in pairs]
        case _:
            entries = [[None, None]]
    if not all(isinstance(part, str) for entry in entries for part in entry):
        raise Failure(36, f"Setting {FILTERS} must be a map from tables to conditions")
    return {str(table): str(condition) for table, condition in entries}


def _scalar(change: Node) -> str:
    value = change["value"]["value"]
    if isinstance(value, dict | list):
        raise Failure(164, f"Setting {change['name']} is not available here")
    return str(int(value)) if isinstance(value, bool) else str(value)


def _nodes(tree: Node) -> Iterator[tuple[str, Node]]:
    """Visit every node, outer ones first, with the name under which its parent holds it."""
    pending: list[tuple[str, Any]] = [("", tree)]
    while pending:
        place, found = pending.pop()
        if isinstance(found, list):
            pending.extend((place, item) for item in cast("list[Any]", found))
        elif isinstance(found, dict):
            node = cast("Node", found)
            if "type" in node:
                yield place, node
            pending.extend(node.items())
