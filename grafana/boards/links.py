"""Where a click leads."""

from typing import Any

_TRACE_PANES = (
    '{"cost":{"datasource":"${traces}","queries":[{"refId":"A","datasource":{"uid":"${traces}"},'
    '"queryType":"traceql","query":"${__value.raw}"}],"range":{"from":"${__from}","to":"${__to}"}}}'
)


def call_list() -> dict[str, Any]:
    """Lead from a trace id to the calls of that trace."""
    url = "/d/llm-requests?var-trace_id=${__value.raw}&${__url_time_range}"
    return {"title": "Calls of this trace", "url": url, "targetBlank": False}


def trace() -> dict[str, Any]:
    """Lead from a trace id to the trace itself, in the data source of traces."""
    return {"title": "Open the trace", "url": f"/explore?schemaVersion=1&panes={_TRACE_PANES}", "targetBlank": True}


def board(uid: str, title: str, variable: str) -> dict[str, Any]:
    """Lead from a cell to another dashboard with the cell's value chosen there."""
    return {
        "title": title,
        "url": f"/d/{uid}?var-{variable}=${{__value.raw}}&${{__url_time_range}}",
        "targetBlank": False,
    }
