"""`kill -9` around acknowledgements, again and again, while two instrumentations tell of every call."""

import json
import random
import threading
import urllib.error
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import clickhouse_connect
import pytest

from e2e.test_late_duplicates import FRAMEWORK, SDK, record
from e2e.traces import metric, post
from exporter_process import ExporterProcess

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

KILLS = 6
DELAYS_S = (0, 0, 0.001, 0.01, 0.3, 0.5, 0.6)
"""From an acknowledgement to the kill: in the middle of a commit, of an insert, of the next request."""


class Sent(NamedTuple):
    """One record of a call."""

    number: int
    scope: str

    @property
    def body(self) -> bytes:
        return record(self.number, self.scope, f"response-{self.number:020}")


def records(dice: random.Random) -> Iterator[Sent]:
    """Make both records of call after call, in either order."""
    number = 0
    while True:
        number += 1
        yield from (Sent(number, scope) for scope in dice.sample((SDK, FRAMEWORK), 2))


def send_until_killed(
    exporter: ExporterProcess, waiting: list[Sent], more: Iterator[Sent], dice: random.Random
) -> set[Sent]:
    """Send records, some of them twice, until nobody answers; `waiting` keeps the one without an answer."""
    acknowledged: set[Sent] = set()
    killer = threading.Timer(dice.choice(DELAYS_S), exporter.kill)
    kill_after = dice.randint(2, 24)
    while True:
        if not waiting:
            waiting.append(next(more))
        try:
            for _ in range(dice.choice((1, 1, 2))):
                assert post(exporter.url, waiting[0].body).status == 200
        except (urllib.error.URLError, OSError):
            killer.join()
            return acknowledged
        acknowledged.add(waiting.pop())
        if len(acknowledged) == kill_after:
            killer.start()


def test_kills_leave_store_sums_metrics_and_history_in_agreement(data: Path) -> None:
    dice = random.Random(5)  # noqa: S311 - the same order in every run
    more = records(dice)
    waiting: list[Sent] = []
    acknowledged: set[Sent] = set()
    for _ in range(KILLS):
        acknowledged |= send_until_killed(ExporterProcess(data), waiting, more, dice)
    exporter = ExporterProcess(data)
    for each in waiting:
        assert post(exporter.url, each.body).status == 200
    acknowledged.update(waiting)
    exporter.wait_until_stored(60)
    summary = json.loads(exporter.get("/api/costs/summary"), parse_float=Decimal)
    page = exporter.get("/metrics")
    exporter.stop()
    calls = len({each.number for each in acknowledged})
    duplicates = summary["pipeline"]["duplicates"]
    assert duplicates.pop("redelivered") > 0
    client = clickhouse_connect.get_client(interface="chdb", path=str(data / "clickhouse"))
    try:
        [row] = client.query(
            "SELECT count(), uniqExact(trace_id), countIf(billable), sum(cost_usd), sum(version - 1) "
            "FROM llmlab.current_calls"
        ).result_rows
        by_reason = client.query(
            "SELECT duplicate_reason, count() FROM llmlab.current_calls WHERE duplicate_of IS NOT NULL GROUP BY 1"
        ).result_rows
        [(kept,)] = client.query("SELECT count() FROM llmlab.llm_call_versions FINAL").result_rows
    finally:
        client.close()
    assert row == (len(acknowledged), len(acknowledged), calls, summary["total_spend"], kept)
    assert {(row[0], row[1]) for row in by_reason} == set(duplicates.items())
    assert summary["pipeline"]["corrections"] == kept
    assert summary["periods"]["all_time"]["requests"] == calls
    assert metric(page, "llm_requests_total") - metric(page, "llmlab_exporter_held_back_requests") == calls
