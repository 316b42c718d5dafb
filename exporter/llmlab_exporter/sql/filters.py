"""Grafana's ad-hoc filters: the plugin sends them as `additional_table_filters`, a setting that holds conditions."""

from collections.abc import Mapping

from llmlab_exporter.sql import gate
from llmlab_exporter.sql.failure import Failure
from llmlab_exporter.sql.functions import Functions
from llmlab_exporter.sql.gate import Node
from llmlab_exporter.sql.session import Session
from llmlab_exporter.sql.settings import quoted

SETTING = gate.FILTERS


def read(session: Session, value: str) -> dict[str, str]:
    """Read conditions by table from the setting as it stands in a URL: `{'current_calls': 'model = \\'x\\''}`."""
    tree = session.parse(f"SELECT 1 SETTINGS {SETTING} = {value}")
    return gate.take_filters(tree)


def check(session: Session, conditions: Mapping[str, str], functions: Functions) -> dict[str, str]:
    """Return the setting with conditions that were checked and written anew, like statements; raises `Failure`."""
    if not conditions:
        return {}
    checked = {table: _checked(session, condition, functions) for table, condition in conditions.items()}
    return {SETTING: "{" + ", ".join(f"{quoted(table)}: {quoted(text)}" for table, text in checked.items()) + "}"}


def _checked(session: Session, condition: str, functions: Functions) -> str:
    tree = _parse(session, condition, functions)
    written = session.write(tree).removeprefix("SELECT ")
    _parse(session, written, functions)
    return written


def _parse(session: Session, condition: str, functions: Functions) -> Node:
    # What is one expression alone is the same one in parentheses; what is more than one cannot be closed by them.
    checked = gate.check(session.parse(f"SELECT (\n{condition}\n)"), functions)
    match checked.tree["list_of_selects"]["children"]:
        case [{"select": {"children": [{"type": "Function" | "Identifier" | "Literal"}]}, **rest}] if rest.keys() == {
            "type"
        } and not gate.asks_again(checked.tree):
            return checked.tree
        case _:
            raise Failure(164, "A filter must be a single condition on the columns of its table")
