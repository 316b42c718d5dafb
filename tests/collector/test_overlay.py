"""The overlay beside the pipeline of a collector that runs already."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from collector.process import OVERLAY, CollectorProcess, collecting, eventually, needs_collector
from collector.sink import Sink
from e2e.ports import free_port
from e2e.traces import metric, post, request, span, text
from exporter_process import running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), needs_collector]

CONFIGS = (Path(__file__).with_name("existing.yaml"), *OVERLAY)
KEEP_ALL = {"probabilistic_sampler": {"sampling_percentage": 100}}


def send(collector: CollectorProcess, calls: int) -> list[int]:
    """Send calls with prompts on them, each in a trace of its own, and return the answers' statuses."""
    statuses: list[int] = []
    for number in range(1, calls + 1):
        sent = span(number)
        sent.trace_id = sha256(sent.trace_id).digest()[:16]  # samplers expect that ids are random
        sent.attributes.append(text("gen_ai.input.messages", "a prompt"))
        statuses.append(post(collector.url, request([sent])).status)
    return statuses


@pytest.mark.parametrize("sampler", ["probabilistic_sampler", "tail_sampling"])
def test_we_price_every_call_while_the_existing_pipeline_samples_and_keeps_its_prompts(
    sampler: str, tmp_path: Path, sink: Sink
) -> None:
    calls = 300
    changes = {"service": {"pipelines": {"traces": {"processors": [sampler, "batch"]}}}}
    with running(tmp_path / "data") as exporter:
        variables = {"LLMLAB_EXPORTER_ENDPOINT": exporter.url, "BACKEND": sink.url}
        with collecting(tmp_path / "collector", CONFIGS, variables, changes) as collector:
            assert set(send(collector, calls)) == {200}
            eventually(lambda: metric(exporter.get("/metrics"), "llm_requests_total") == calls)
            eventually(lambda: bool(sink.spans))
    assert 5 < len(sink.spans) < 100
    assert all("gen_ai.input.messages" in {each.key for each in got.attributes} for got in sink.spans)


def test_the_prompts_of_the_existing_pipeline_do_not_come_to_us(tmp_path: Path, sink: Sink) -> None:
    with Sink() as ours:
        variables = {"LLMLAB_EXPORTER_ENDPOINT": ours.url, "BACKEND": sink.url}
        with collecting(tmp_path, CONFIGS, variables, {"processors": KEEP_ALL}) as collector:
            send(collector, 5)
            eventually(lambda: len(ours.spans) == len(sink.spans) == 5)
        assert all(b"a prompt" in body for body in sink.bodies)
        assert not any(b"a prompt" in body for body in ours.bodies)


@pytest.mark.parametrize("isolated", [True, False])
def test_the_existing_pipeline_works_on_while_our_exporter_is_away(isolated: bool, tmp_path: Path, sink: Sink) -> None:
    variables = {"LLMLAB_EXPORTER_ENDPOINT": f"http://127.0.0.1:{free_port()}", "BACKEND": sink.url}
    changes: dict[str, Any] = {
        "processors": KEEP_ALL | {"batch/llm_cost": {"timeout": "1ms", "send_batch_size": 1, "send_batch_max_size": 1}},
        "exporters": {"otlphttp/llm_cost": {"sending_queue": {"queue_size": 2}}},
    }
    if not isolated:  # what would happen without our batch
        bare = {"traces/llm_cost": {"processors": ["filter/llm_cost", "transform/llm_cost"]}}
        changes["service"] = {"pipelines": bare}
    with collecting(tmp_path, CONFIGS, variables, changes) as collector:
        statuses = send(collector, 50)
        eventually(lambda: len(sink.spans) == 50)
        assert set(statuses) == ({200} if isolated else {200, 503})
        if isolated:
            eventually(lambda: lost(collector) > 0)


def lost(collector: CollectorProcess) -> float:
    """Return the spans that our queue had no room for."""
    exposition = collector.metrics()
    names = ("otelcol_exporter_enqueue_failed_spans", "otelcol_exporter_enqueue_failed_spans_total")
    return sum(metric(exposition, name, exporter="otlphttp/llm_cost") for name in names)
