"""Where calls go, by what is set up, installed and said. Processes of their own, since the choice is the process's."""

import os
import socket
import subprocess
import sys
import time
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import llmlab
from llmlab import sdk
from sdk.scripted_exporter import ScriptedExporter

TRACK = (
    "from llmlab import sdk; sdk.track_call('openai', 'gpt-4', 1000, 500, metadata={'feature': 'f', 'team': 'core'})\n"
)

WITHOUT_SDK = """
import sys
class Blocker:
    def find_spec(self, name, *_):
        if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
"""
"""As a plain `pip install llmlab` would have it."""

SET_UP = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, ConsoleSpanExporter
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=lambda span: span.name)))
trace.set_tracer_provider(provider)
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LLMLAB_"))}
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended


def spans_at(exporter: ScriptedExporter) -> list[tuple[str, dict[str, str]]]:
    """Return the names of the spans that arrived by OTLP, each with the attributes of its resource."""
    found: list[tuple[str, dict[str, str]]] = []
    for received in exporter.received:
        if received.path == "/v1/traces":
            for group in ExportTraceServiceRequest.FromString(received.body).resource_spans:
                resource = {each.key: each.value.string_value for each in group.resource.attributes}
                found += [(span.name, resource) for scope in group.scope_spans for span in scope.spans]
    return found


def test_an_endpoint_gets_spans_when_the_process_ends(exporter: ScriptedExporter) -> None:
    run(f"from llmlab import sdk; sdk.init('llmlab_xxx', '{exporter.url}', service_name='shop')\n{TRACK}")
    ((name, resource),) = spans_at(exporter)
    assert (name, resource["service.name"]) == ("chat gpt-4", "shop")
    assert exporter.received[0].headers["authorization"] == "Bearer llmlab_xxx"


def test_the_environment_can_say_it_all(exporter: ScriptedExporter) -> None:
    run(TRACK, LLMLAB_URL=exporter.url, LLMLAB_API_KEY="llmlab_yyy", OTEL_SERVICE_NAME="shop")
    ((name, resource),) = spans_at(exporter)
    assert (name, resource["service.name"]) == ("chat gpt-4", "shop")
    assert exporter.received[0].headers["authorization"] == "Bearer llmlab_yyy"


def test_without_opentelemetrys_sdk_calls_are_posted(exporter: ScriptedExporter) -> None:
    code = f"{WITHOUT_SDK}from llmlab import sdk; sdk.init('llmlab_xxx', '{exporter.url}')\n{TRACK}"
    run(code, OTEL_SERVICE_NAME="shop")
    (event,) = exporter.events()
    assert {name: event[name] for name in ("provider", "model", "input_tokens", "output_tokens", "metadata")} == {
        "provider": "openai",
        "model": "gpt-4",
        "input_tokens": 1000,
        "output_tokens": 500,
        "metadata": {"feature": "f", "team": "core"},
    }
    assert event["service"] == "shop"
    assert exporter.received[0].headers["authorization"] == "Bearer llmlab_xxx"


def test_without_opentelemetrys_sdk_returned_responses_are_posted(exporter: ScriptedExporter) -> None:
    code = WITHOUT_SDK + (
        "from llmlab import track_cost\n"
        "@track_cost(provider='acme', feature='search')\n"
        "def ask(): return {'id': 'r1', 'model': 'm', 'usage': {'prompt_tokens': 7, 'completion_tokens': 2}}\n"
        "ask(); ask()\n"
    )
    run(code, LLMLAB_URL=exporter.url)
    (event,) = exporter.events()
    assert (event["provider"], event["model"], event["response_id"]) == ("acme", "m", "r1")
    assert (event["input_tokens"], event["output_tokens"]) == (7, 2)
    assert event["metadata"] == {"feature": "search"}


class TestBesideAnApplicationsPipeline:
    def test_calls_take_that_pipeline(self, exporter: ScriptedExporter) -> None:
        code = f"{SET_UP}from llmlab import sdk; sdk.init('llmlab_xxx')\n{TRACK}"
        assert run(code, LLMLAB_URL=exporter.url).stdout == "chat gpt-4"
        assert not exporter.received

    def test_a_named_endpoint_gets_them_all_the_same(self, exporter: ScriptedExporter) -> None:
        code = f"{SET_UP}from llmlab import sdk; sdk.init('llmlab_xxx', '{exporter.url}')\n{TRACK}"
        assert run(code).stdout == ""
        assert [name for name, _ in spans_at(exporter)] == ["chat gpt-4"]

    def test_then_blocks_leave_the_applications_traces_alone(self, exporter: ScriptedExporter) -> None:
        code = SET_UP + (
            f"from llmlab import sdk, track_cost; sdk.init('llmlab_xxx', '{exporter.url}')\n"
            "with trace.get_tracer('app').start_as_current_span('request') as request:\n"
            "    with track_cost(provider='acme') as block:\n"
            "        assert trace.get_current_span().get_span_context() == request.get_span_context()\n"
            "        block.record({'model': 'm', 'usage': {'prompt_tokens': 7}})\n"
        )
        assert run(code).stdout == "request"
        assert [name for name, _ in spans_at(exporter)] == ["embeddings m"]


class TestNobodySaidAnything:
    @pytest.fixture(autouse=True)
    def nobody_listens(self, monkeypatch: pytest.MonkeyPatch) -> str:
        """Let nothing run at the default endpoint, whatever does on this machine."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setattr("llmlab.tracking.delivery.DEFAULT_ENDPOINT", url)
        return url

    def test_calls_go_nowhere_and_are_counted(self, caplog: pytest.LogCaptureFixture) -> None:
        for _ in range(3):
            sdk.track_call("openai", "gpt-4", 1, 1)
        assert sdk.dropped_calls() == 3
        assert sdk.flush()
        (record,) = caplog.records
        assert "no exporter runs at http://127.0.0.1:" in record.getMessage()
        assert "llmlab.sdk.init()" in record.getMessage()

    def test_an_exporter_on_this_machine_is_found(
        self, exporter: ScriptedExporter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("llmlab.tracking.delivery.DEFAULT_ENDPOINT", exporter.url)
        sdk.track_call("openai", "gpt-4", 1, 1)
        assert sdk.flush()
        assert [name for name, _ in spans_at(exporter)] == ["chat gpt-4"]
        assert sdk.dropped_calls() == 0

    def test_an_exporter_that_is_started_later_is_found(
        self, exporter: ScriptedExporter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sdk.track_call("openai", "gpt-4", 1, 1)
        monkeypatch.setattr("llmlab.tracking.delivery.DEFAULT_ENDPOINT", exporter.url)
        monkeypatch.setattr("llmlab.tracking.delivery._look_again_at_s", time.monotonic())
        sdk.track_call("openai", "gpt-4", 1, 1)
        assert sdk.flush()
        assert len(spans_at(exporter)) == 1
        assert sdk.dropped_calls() == 1


class TestInit:
    def test_it_names_the_wrong_endpoint(self) -> None:
        with pytest.raises(ValueError, match="endpoint 'localhost:4318' is no URL"):
            sdk.init("llmlab_xxx", "localhost:4318")

    def test_a_second_one_sends_what_was_reported_before(self, exporter: ScriptedExporter) -> None:
        with ScriptedExporter() as other:
            sdk.init("llmlab_xxx", exporter.url)
            sdk.track_call("openai", "gpt-4", 1, 1)
            sdk.init("llmlab_xxx", other.url)
            sdk.track_call("openai", "gpt-5", 1, 1)
            assert sdk.flush()
            assert [name for name, _ in spans_at(exporter)] == ["chat gpt-4"]
            assert [name for name, _ in spans_at(other)] == ["chat gpt-5"]

    def test_nobody_waits_for_the_network(self, exporter: ScriptedExporter) -> None:
        exporter.pause_s = 1
        sdk.init("llmlab_xxx", exporter.url)
        sdk.track_call("openai", "gpt-4", 1, 1)  # the first one makes room for the rest
        began_s = time.perf_counter()
        for _ in range(100):
            sdk.track_call("openai", "gpt-4", 1, 1)
        assert time.perf_counter() - began_s < 0.5
        assert not sdk.flush(0.1)
        assert sdk.flush()


class TestRecommendations:
    def test_they_are_the_exporters(self, exporter: ScriptedExporter) -> None:
        advice: list[dict[str, Any]] = [{"title": "Use batch", "savings_percentage": 50, "confidence": 0.9}]
        exporter.answer = advice
        sdk.init("llmlab_xxx", exporter.url)
        assert sdk.get_recommendations() == advice
        assert exporter.received[-1].path == "/api/recommendations"
        assert exporter.received[-1].headers["authorization"] == "Bearer llmlab_xxx"

    @pytest.mark.parametrize("status", [200, 404, 503])
    def test_anything_else_is_none_and_logged_once(
        self, exporter: ScriptedExporter, status: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        exporter.statuses = [status] * 2
        sdk.init("llmlab_xxx", exporter.url)
        for _ in range(2):
            assert sdk.get_recommendations() == []
        assert len(caplog.records) == 1

    def test_an_exporter_that_is_away_has_none(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            monkeypatch.setenv("LLMLAB_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        assert sdk.get_recommendations() == []
        assert "no exporter answers at http://127.0.0.1:" in caplog.text


def test_using_the_package_imports_nothing_before_it_is_asked_for() -> None:
    code = "import sys, llmlab; print(*(name for name in sys.modules if name.startswith(('opentelemetry', 'wrapt'))))"
    assert run(code).stdout.split() == []


def test_what_the_package_offers_is_there() -> None:
    run("import llmlab; assert all(getattr(llmlab, name) for name in llmlab.__all__)")
    run("from llmlab import attribute, carry, sdk, track_cost; assert callable(sdk.track_call)")
    run("from llmlab import *; assert callable(attribute)")
    with pytest.raises(AttributeError, match="module 'llmlab' has no attribute 'no_such_name'"):
        llmlab.no_such_name  # noqa: B018 - looking is what raises
