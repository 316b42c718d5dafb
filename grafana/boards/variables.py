"""What the reader chooses at the top of a dashboard.

Data sources are variables, never inputs of the import dialogue: file provisioning does not resolve those. A filter has
no value of its own for "All": it stands for the list of everything there is in the range, an empty name included, so
that the same filter is right in SQL (`IN (...)`) and in PromQL (`=~`).
"""

# ruff: noqa: S608 - the queries are put together from constants of this folder

from typing import Any

from boards.query import CLICKHOUSE, PROMETHEUS

_ON_TIME_CHANGE = 2
_BY_NAME = 5
"""Sorted by name, ignoring case."""

DIMENSIONS = {
    "org": "Organisation",
    "project": "Project",
    "service_name": "Service",
    "environment": "Environment",
    "provider": "Provider",
    "model": "Model",
}
"""The labels that metrics and stored calls have in common."""

_WITHIN = {"project": ("org",), "service_name": ("org", "project"), "model": ("provider",)}
"""Choices that depend on other choices."""


def datasource(name: str, label: str, plugin: str) -> dict[str, Any]:
    """Let the reader choose a data source of one kind."""
    return {
        "type": "datasource",
        "name": name,
        "label": label,
        "query": plugin,
        "current": {},
        "options": [],
        "multi": False,
        "includeAll": False,
        "regex": "",
        "refresh": 1,
        "hide": 0,
    }


PROMETHEUS_SOURCE = datasource("prometheus", "Prometheus", "prometheus")
CLICKHOUSE_SOURCE = datasource("clickhouse", "ClickHouse", "grafana-clickhouse-datasource")
TRACES_SOURCE = datasource("traces", "Traces", "tempo")


def stored_filters() -> list[dict[str, Any]]:
    """Filter by what ClickHouse has stored in the range."""
    return [_filter(name, label, CLICKHOUSE, _distinct(name)) for name, label in DIMENSIONS.items()]


def measured_filter(name: str, label: str, metric: str) -> dict[str, Any]:
    """Filter by the values that a label of a metric has in the range."""
    text = f"label_values({metric}, {name})"
    return _filter(name, label, PROMETHEUS, {"query": text, "qryType": 1, "refId": "variable"}) | {"definition": text}


def choice(name: str, label: str, options: dict[str, str]) -> dict[str, Any]:
    """Choose one of fixed texts; the first one to begin with."""
    entries = [
        {"text": text, "value": value, "selected": not place} for place, (value, text) in enumerate(options.items())
    ]
    return {
        "type": "custom",
        "name": name,
        "label": label,
        "query": ", ".join(f"{text} : {value}" for value, text in options.items()),
        "options": entries,
        "current": entries[0],
        "multi": False,
        "includeAll": False,
        "hide": 0,
    }


def stored_choice(name: str, label: str, sql: str) -> dict[str, Any]:
    """Choose one of what ClickHouse answers."""
    query = {"editorType": "sql", "rawSql": sql}
    return _filter(name, label, CLICKHOUSE, query) | {"multi": False, "includeAll": False, "current": {}, "sort": 0}


def text_box(name: str, label: str, value: str = "") -> dict[str, Any]:
    """Let the reader type a text."""
    current = {"text": value, "value": value, "selected": True}
    return {
        "type": "textbox",
        "name": name,
        "label": label,
        "query": value,
        "options": [current],
        "current": current,
        "hide": 0,
    }


def _distinct(name: str) -> dict[str, str]:
    within = "".join(f" AND {outer} IN (${{{outer}:singlequote}})" for outer in _WITHIN.get(name, ()))
    sql = f"SELECT DISTINCT {name} FROM current_calls WHERE $__timeFilter_ms(started_at){within} ORDER BY {name}"
    return {"editorType": "sql", "rawSql": sql}


def _filter(name: str, label: str, source: dict[str, str], query: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": source,
        "query": query,
        "definition": query.get("rawSql", ""),
        "current": {"text": ["All"], "value": ["$__all"], "selected": True},
        "options": [],
        "multi": True,
        "includeAll": True,
        "refresh": _ON_TIME_CHANGE,
        "sort": _BY_NAME,
        "regex": "",
        "hide": 0,
    }
