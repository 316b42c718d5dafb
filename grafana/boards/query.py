"""Queries of panels. Dollars of a range come from ClickHouse, exact; rates and live state from Prometheus."""

from dataclasses import dataclass
from typing import Any

PROMETHEUS = {"type": "prometheus", "uid": "${prometheus}"}
CLICKHOUSE = {"type": "grafana-clickhouse-datasource", "uid": "${clickhouse}"}

_QUERY_VERSION = "4.0.0"
"""Of the ClickHouse plugin; it migrates queries without one as if they were older."""

_TIME_SERIES, _TABLE = 0, 1
"""How the ClickHouse plugin numbers its formats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query of a panel, in the language of its data source."""

    text: str
    is_sql: bool
    legend: str = ""
    as_table: bool = False
    instant: bool = False
    """Prometheus: only the value at the end of the range."""
    exemplars: bool = False

    @property
    def datasource(self) -> dict[str, str]:
        """The variable that stands for the data source."""
        return CLICKHOUSE if self.is_sql else PROMETHEUS

    def target(self, number: int) -> dict[str, Any]:
        """Return the query as Grafana stores it."""
        base = {"refId": chr(ord("A") + number), "datasource": self.datasource}
        if self.is_sql:
            kind = _TABLE if self.as_table else _TIME_SERIES
            query = {"editorType": "sql", "rawSql": self.text, "format": kind, "queryType": self._query_type}
            return base | query | {"pluginVersion": _QUERY_VERSION}
        return base | {
            "expr": self.text,
            "legendFormat": self.legend,
            "format": "table" if self.as_table else "time_series",
            "instant": self.instant,
            "range": not self.instant,
            "exemplar": self.exemplars,
        }

    @property
    def _query_type(self) -> str:
        return "table" if self.as_table else "timeseries"


def table_sql(text: str) -> Query:
    """Ask ClickHouse for rows."""
    return Query(text=text.strip(), is_sql=True, as_table=True)


def series_sql(text: str) -> Query:
    """Ask ClickHouse for time series: a column `time`, numbers, and text columns that tell series apart."""
    return Query(text=text.strip(), is_sql=True)


def promql(text: str, legend: str = "", *, exemplars: bool = False) -> Query:
    """Ask Prometheus for time series."""
    return Query(text=text.strip(), is_sql=False, legend=legend, exemplars=exemplars)


def promql_now(text: str, legend: str = "", *, as_table: bool = False) -> Query:
    """Ask Prometheus for the values at the end of the range."""
    return Query(text=text.strip(), is_sql=False, legend=legend, instant=True, as_table=as_table)
