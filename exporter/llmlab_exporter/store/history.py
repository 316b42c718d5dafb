"""What the store knows of calls that the window has forgotten."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from llmlab_exporter.call import Call
from llmlab_exporter.dedupe.rule import response_of
from llmlab_exporter.store.store import Store

MAX_SECONDS = 5
"""What one question may take: a sender waits for the answer."""

_CALLS_PER_QUESTION = 500
"""A server takes them as part of a URL."""

Span = tuple[str, str, bytes, bytes]
"""Organisation, project, trace id and span id."""


class Known(NamedTuple):
    """What is stored of some calls."""

    spans: set[Span]
    """Those that are stored themselves."""
    responses: dict[tuple[str, str, str], bytes]
    """By organisation, project and response id, the span that is billed for it."""


def known(store: Store, calls: Sequence[Call]) -> Known:
    """Look for calls, and for other records of their responses, within a day of theirs. Raises the driver's errors."""
    found = Known(set(), {})
    for first in range(0, len(calls), _CALLS_PER_QUESTION):
        _look(store, calls[first : first + _CALLS_PER_QUESTION], found)
    return found


def _look(store: Store, calls: Sequence[Call], found: Known) -> None:
    parameters: dict[str, object] = {
        "days": sorted({day for call in calls for day in _days(call)}),
        "responses": sorted({response for call in calls if (response := response_of(call))}),
        "spans": sorted({call.span_id.hex() for call in calls}),
    }
    rows = store.query(
        "SELECT org, project, trace_id, span_id, argMax(response_id, version), argMax(billable, version) "  # noqa: S608
        "FROM {everywhere}.llm_calls WHERE toDate(started_at) IN {days:Array(Date)} "
        "AND (response_id IN {responses:Array(String)} "
        "OR span_id IN (SELECT toFixedString(unhex(arrayJoin({spans:Array(String)})), 8))) "
        f"GROUP BY org, project, trace_id, span_id SETTINGS max_execution_time = {MAX_SECONDS}",
        parameters,
    )
    for org, project, trace_id, span_id, response_id, is_billed in rows:
        found.spans.add((org, project, trace_id, span_id))
        if is_billed and response_id:
            found.responses[org, project, response_id] = span_id


def _days(call: Call) -> list[date]:
    day = datetime.fromtimestamp(call.start_ns // 10**9, tz=UTC).date()
    return [day + timedelta(days=offset) for offset in (-1, 0, 1)]
