"""The committed dashboards as tests read them, and what Grafana puts in place of variables and macros."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "grafana" / "dashboards"
FILES = sorted(FOLDER.glob("*.json"))
UNITS = {"h": "hours", "d": "days"}


def load(path: Path) -> dict[str, Any]:
    """Read one dashboard."""
    return json.loads(path.read_text())


@dataclass(frozen=True, slots=True)
class Target:
    """One query of a panel."""

    board: str
    panel: dict[str, Any]
    query: dict[str, Any]

    @property
    def is_sql(self) -> bool:
        """Whether ClickHouse is asked."""
        return "rawSql" in self.query

    @property
    def text(self) -> str:
        """The query as it is written."""
        return self.query["rawSql"] if self.is_sql else self.query["expr"]

    def __str__(self) -> str:
        return f"{self.board}/{self.panel['title']}/{self.query['refId']}"


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels of a dashboard, without the headings."""
    yield from (panel for panel in board["panels"] if panel["type"] != "row")


def targets() -> list[Target]:
    """Return every query of every panel."""
    boards = [load(path) for path in FILES]
    return [
        Target(board["uid"], panel, query) for board in boards for panel in panels(board) for query in panel["targets"]
    ]


def begin_of(board: dict[str, Any], end: datetime) -> datetime:
    """Return when the range of a dashboard begins at first."""
    found = re.fullmatch(r"now-(\d+)([hd])", board["time"]["from"])
    assert found
    return end - timedelta(**{UNITS[found[2]]: int(found[1])})


def expand_sql(sql: str, begin: datetime, end: datetime, chosen: Mapping[str, Sequence[str]]) -> str:
    """Put in place what the ClickHouse data source would: its macros, then variables by their format."""
    begin_ms, end_ms = (int(moment.timestamp() * 1000) for moment in (begin, end))
    from_time, to_time = f"fromUnixTimestamp64Milli({begin_ms})", f"fromUnixTimestamp64Milli({end_ms})"
    step_s = max((end_ms - begin_ms) // 1000 // 60, 60)
    sql = re.sub(r"\$__timeFilter_ms\((\w+)\)", rf"\1 >= {from_time} AND \1 <= {to_time}", sql)
    sql = re.sub(r"\$__timeInterval\((\w+)\)", rf"toStartOfInterval(toDateTime(\1), INTERVAL {step_s} second)", sql)
    sql = sql.replace("$__fromTime_ms", from_time).replace("$__toTime_ms", to_time)

    def value(found: re.Match[str]) -> str:
        values = chosen[found[1]]
        if found[2] == "singlequote":
            return ",".join("'" + each.replace("'", "\\'") + "'" for each in values)
        if found[2] == "sqlstring":
            return ",".join("'" + each.replace("'", "''") + "'" for each in values)
        return ",".join(values)

    return re.sub(r"\$\{(\w+):(\w+)\}", value, sql)


def expand_promql(expr: str, begin: datetime, end: datetime, chosen: Mapping[str, Sequence[str]]) -> str:
    """Put in place what the Prometheus data source would: a list of values becomes an alternative."""
    range_s = int((end - begin).total_seconds())
    expr = expr.replace("$__rate_interval", "6h").replace("$__range", f"{range_s}s")

    def value(found: re.Match[str]) -> str:
        values = [re.sub(r"([$^*{}\[\]'+?.()|\\])", r"\\\\\1", each) for each in chosen[found[1]]]
        return values[0] if len(values) == 1 else f"({'|'.join(values)})"

    return re.sub(r"\$(\w+)", value, expr)
