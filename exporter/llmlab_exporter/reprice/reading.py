"""Fetches the calls to price again, chunk by chunk, each with a cursor behind it."""

import json
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

import pyarrow as pa

from llmlab.usage import Usage
from llmlab_exporter.reprice.request import Request
from llmlab_exporter.rows import KEY, usage_column
from llmlab_exporter.store.store import Store

CHUNK_ROWS = 50_000
"""Calls that are read, priced and changed together: about a second of work, between which new calls are stored."""

_INPUTS = (
    "service_name",
    "environment",
    "ended_at",
    "provider",
    "model",
    "request_model",
    "response_model",
    "operation",
    "outcome",
    "tier",
    "batch",
    "usage_source",
    "usage_spoiled",
    "flaws",
    "sampling_threshold",
    "provider_cost_usd",
    "feature",
)
_OLD = (
    "cost_usd",
    "cost_source",
    "cost_reason",
    "price_provider",
    "price_model",
    "rate_start",
    "discount",
    "computed_cost_usd",
)
COLUMNS = (*KEY, *_INPUTS, *_OLD, "version", *map(usage_column, Usage._fields))


class Cursor(NamedTuple):
    """The last call of a chunk; the next chunk begins behind it."""

    day: str = ""
    """ISO date, UTC, of the start; "" before the first call."""
    org: str = ""
    project: str = ""
    trace_id: str = ""
    """Hexadecimal, like the span's."""
    span_id: str = ""

    def dump(self) -> str:
        """Write it as JSON."""
        return json.dumps(self)


def load_cursor(text: str) -> Cursor:
    """Read a cursor back."""
    return Cursor(*json.loads(text))


class Calls:
    """The billed calls of one ledger that a request means."""

    def __init__(self, store: Store, ledger_id: str, request: Request) -> None:
        self._store = store
        condition, self._parameters = request.condition()
        ours = "billable AND startsWith(batch_id, {own:String})"
        self._condition = f"{condition} AND {ours}"
        self._parameters["own"] = f"{ledger_id}-"

    def count(self) -> int:
        """Count them, roughly: a call with a newer version may count twice."""
        question = f"SELECT count() FROM {{database}}.llm_calls WHERE {self._condition}"  # noqa: S608 - our own names
        ((count,),) = self._store.query(question, self._parameters)
        return count

    def chunks(self, after: Cursor, rows: int = CHUNK_ROWS) -> Iterator[tuple[pa.Table, Cursor]]:
        """Fetch the calls behind a cursor, in the order of the table's key."""
        for day in self._days(after):
            behind = after if after.day == day.isoformat() else Cursor(day.isoformat())
            while True:
                table = self._read(day, behind, rows)
                if not table.num_rows:
                    break
                behind = _last(table, day)
                yield table, behind
                if table.num_rows < rows:
                    break

    def _days(self, after: Cursor) -> list[date]:
        question = (
            "SELECT DISTINCT toDate(started_at) AS day FROM {database}.llm_calls "  # noqa: S608 - our own names
            f"WHERE {self._condition} AND day >= {{since:Date}} ORDER BY day"
        )
        found = self._store.query(question, self._parameters | {"since": after.day or "1970-01-01"})
        return [day for (day,) in found]

    def _read(self, day: date, behind: Cursor, rows: int) -> pa.Table:
        key = "(org, project, trace_id, span_id)"
        start = "({org:String}, {behind_project:String}, unhex({trace_id:String}), unhex({span_id:String}))"
        further = f"AND {key} > {start}" if behind.trace_id else ""
        question = (
            f"SELECT {', '.join(COLUMNS)} FROM {{database}}.llm_calls FINAL "  # noqa: S608 - our own names
            f"WHERE toDate(started_at) = {{day:Date}} AND {self._condition} {further} "
            f"ORDER BY org, project, trace_id, span_id LIMIT {rows}"
        )
        position = behind._asdict()
        position["behind_project"] = position.pop("project")
        return self._store.query_arrow(question, self._parameters | position | {"day": day})


def _last(table: pa.Table, day: date) -> Cursor:
    last = table.slice(table.num_rows - 1).select(["org", "project", "trace_id", "span_id"]).to_pylist()[0]
    return Cursor(day.isoformat(), last["org"], last["project"], last["trace_id"].hex(), last["span_id"].hex())
