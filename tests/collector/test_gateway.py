from collections.abc import Mapping
from pathlib import Path

import clickhouse_connect
import pytest

from collector.process import GATEWAY, collecting, eventually, needs_collector
from e2e.ports import free_port
from e2e.traces import metric, post, request, span
from exporter_process import ExporterProcess, running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), needs_collector]

SOON = {"exporters": {"loadbalancing/llm_cost": {"retry_on_failure": {"max_interval": "2s"}}}}
"""Tries again sooner than it would outside a test."""

TRACES = 20
SPANS_EACH = 3


def send(url: str, traces: range) -> None:
    """Send the spans of each trace in requests of their own, as several services would."""
    for turn in range(SPANS_EACH):
        for number in traces:
            sent = span(number)
            sent.span_id = (number * 10 + turn + 1).to_bytes(8, "big")
            assert post(url, request([sent])).status == 200


def variables(*ports: int) -> Mapping[str, str]:
    return {"LLMLAB_EXPORTERS": f"[{', '.join(f'127.0.0.1:{port}' for port in ports)}]"}


def calls(exporter: ExporterProcess) -> float:
    return metric(exporter.get("/metrics"), "llm_requests_total")


def traces_in(data: Path) -> set[str]:
    """Return the traces in the store of a stopped exporter, all of whose spans must be there."""
    client = clickhouse_connect.get_client(interface="chdb", path=str(data / "clickhouse"))
    rows = client.query("SELECT hex(trace_id), uniqExact(span_id) FROM llmlab.llm_calls GROUP BY 1").result_rows
    client.close()
    assert {spans for _, spans in rows} == {SPANS_EACH}
    return {trace for trace, _ in rows}


def test_each_trace_goes_to_one_exporter_and_both_have_work(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with (
        running(first) as one,
        running(second) as two,
        collecting(tmp_path / "gateway", GATEWAY, variables(one.grpc_port, two.grpc_port), SOON) as gateway,
    ):
        send(gateway.url, range(1, TRACES + 1))
        eventually(lambda: calls(one) + calls(two) == TRACES * SPANS_EACH)
    left, right = traces_in(first), traces_in(second)
    assert left
    assert right
    assert not left & right
    assert len(left | right) == TRACES


def test_an_exporter_that_was_away_gets_all_its_traces_in_the_end(tmp_path: Path) -> None:
    port = free_port()
    with (
        running(tmp_path / "first") as one,
        collecting(tmp_path / "gateway", GATEWAY, variables(one.grpc_port, port), SOON) as gateway,
    ):
        send(gateway.url, range(1, TRACES + 1))
        eventually(lambda: calls(one) > 0)
        with running(tmp_path / "second", "--grpc-port", str(port)) as two:
            eventually(lambda: calls(one) + calls(two) == TRACES * SPANS_EACH)
            assert calls(two) > 0
