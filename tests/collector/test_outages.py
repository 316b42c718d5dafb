import json
import threading
import urllib.error
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest

from collector.process import OWN, CollectorProcess, collecting, eventually, needs_collector
from collector.sink import Sink, spans_of
from e2e.launched import book_total, run_app
from e2e.ports import free_port
from e2e.traces import JSON, call, metric, post, request, span
from exporter_process import ExporterProcess, running
from fake_provider.testing import FakeProvider

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), needs_collector]

SOON = {"exporters": {"otlp_http/llm_cost": {"retry_on_failure": {"max_interval": "2s"}}}}
"""Tries again sooner than it would outside a test."""


def total(exporter: ExporterProcess) -> Decimal:
    return json.loads(exporter.get("/api/costs/summary"), parse_float=Decimal)["total_spend"]


def test_what_an_application_spent_arrives_whole_after_an_outage_and_a_killed_collector(tmp_path: Path) -> None:
    port = free_port()
    endpoint = {"LLMLAB_EXPORTER_ENDPOINT": f"http://127.0.0.1:{port}"}
    with FakeProvider() as provider:
        with collecting(tmp_path / "collector", OWN, endpoint, SOON) as collector:
            run_app(provider.openai_url, collector.url)
            collector.kill()
        with collecting(tmp_path / "collector", OWN, endpoint, SOON) as collector:
            run_app(provider.openai_url, collector.url)
            with running(tmp_path / "data", "--http-port", str(port)) as exporter:
                run_app(provider.openai_url, collector.url)
                spent = book_total(provider.book.bills())
                assert spent > 0
                eventually(lambda: total(exporter) == spent)
                calls = json.loads(exporter.get("/api/costs/summary"))["periods"]["all_time"]["requests"]
                assert calls == len([each for each in provider.requests if each.path.startswith("/v1/")])


def test_kills_of_the_collector_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    acknowledged = 0
    sent = 0
    with running(tmp_path / "data") as exporter:
        endpoint = {"LLMLAB_EXPORTER_ENDPOINT": exporter.url}
        for _ in range(3):
            with collecting(tmp_path / "collector", OWN, endpoint, SOON) as collector:
                killer = threading.Timer(1.5, collector.kill)
                killer.start()
                done, tried = send_until_killed(collector, sent)
                killer.join()
            acknowledged += done
            sent += tried
        with collecting(tmp_path / "collector", OWN, endpoint, SOON):
            eventually(lambda: stored(exporter) >= acknowledged)
        assert acknowledged <= stored(exporter) <= sent
        assert acknowledged > 100


def send_until_killed(collector: CollectorProcess, first: int) -> tuple[int, int]:
    """Send spans in batches of ten; return how many were accepted, and how many were sent."""
    accepted = 0
    while True:
        numbers = range(first + accepted + 1, first + accepted + 11)
        try:
            assert post(collector.url, request(span(number) for number in numbers)).status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return accepted, accepted + len(numbers)
        accepted += len(numbers)


def stored(exporter: ExporterProcess) -> int:
    return json.loads(exporter.get("/api/costs/summary"))["periods"]["all_time"]["requests"]


def test_a_full_queue_turns_spans_back_and_keeps_what_it_accepted(tmp_path: Path, sink: Sink) -> None:
    small = {"queue_size": 20, "num_consumers": 1, "batch": {"min_size": 1, "max_size": 10}}
    changes = {"exporters": {"otlp_http/llm_cost": {"sending_queue": small}}}
    sink.refusing = True
    with collecting(tmp_path, OWN, {"LLMLAB_EXPORTER_ENDPOINT": sink.url}, changes) as collector:
        statuses = [post(collector.url, request([span(number)])).status for number in range(1, 61)]
        assert set(statuses) == {200, 503}
        assert metric(collector.metrics(), "otelcol_receiver_refused_spans", receiver="otlp") == statuses.count(503)
        sink.refusing = False
        accepted = {number for number, status in enumerate(statuses, 1) if status == 200}
        eventually(lambda: numbers(sink) == accepted)


def test_spans_come_by_grpc_too_and_the_collector_tells_of_itself(tmp_path: Path, sink: Sink) -> None:
    with collecting(tmp_path, OWN, {"LLMLAB_EXPORTER_ENDPOINT": sink.url}) as collector:
        assert collector.is_healthy()
        call(collector.grpc_port, request([span(1)]))
        eventually(lambda: numbers(sink) == {1})
        told = collector.metrics()
    for name in ("otelcol_exporter_queue_size", "otelcol_exporter_queue_capacity", "otelcol_exporter_sent_spans"):
        assert f"\n{name}{{" in told or f"\n{name}_total{{" in told


def test_metrics_and_logs_are_taken_and_go_nowhere(tmp_path: Path, sink: Sink) -> None:
    with collecting(tmp_path, OWN, {"LLMLAB_EXPORTER_ENDPOINT": sink.url}) as collector:
        assert [post(collector.url, b"", path=path).status for path in ("/v1/metrics", "/v1/logs")] == [200, 200]
        log = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "a prompt"}}]}]}]}
        assert post(collector.url, json.dumps(log).encode(), JSON, path="/v1/logs").status == 200
    assert sink.bodies == []


def numbers(sink: Sink) -> set[int]:
    return {int.from_bytes(each.trace_id, "big") for each in sink.spans}


def test_prompts_do_not_reach_the_exporter_and_every_cent_does(tmp_path: Path, sink: Sink) -> None:
    content = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_AND_EVENT"}
    secret = b"What does a token cost?"
    with FakeProvider() as provider, running(tmp_path / "data") as exporter:
        run_app(provider.openai_url, sink.url, **content)
        assert secret in sink.take()
        provider.reset()
        with collecting(tmp_path / "first", OWN, {"LLMLAB_EXPORTER_ENDPOINT": sink.url}) as collector:
            run_app(provider.openai_url, collector.url, **content)
            eventually(lambda: len(calls_of(sink.bodies)) == len(provider.requests))
        body = sink.take()
        assert secret not in body
        assert post(exporter.url, body).status == 200
        assert total(exporter) == book_total(provider.book.bills())


def calls_of(bodies: Iterable[bytes]) -> set[bytes]:
    return {each.span_id for body in bodies for each in spans_of(body)}
