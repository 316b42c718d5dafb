"""When our own code fails, the caller's call goes on, and we say so once."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openai
import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from instrumentation.spans import Spans
from instrumentation.ways import CHAT, STREAM
from llmlab.capture import attributes, faults, patching
from llmlab.capture.faults import Guard
from llmlab.formats import openai as openai_format
from llmlab.formats.openai import ChatChunks
from llmlab.providers.openai import PROVIDER

pytestmark = pytest.mark.usefixtures("instrumentor")


def fail(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("ours")


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)
    faults.counter.cache_clear()
    yield reader
    faults.counter.cache_clear()
    provider.shutdown()


@pytest.mark.parametrize(
    ("owner", "name", "step"),
    [
        (attributes, "of_request", "begin to record a call of openai"),
        (attributes, "of_outcome", "read a response"),
        (openai_format, "read_counts", "read a response"),
    ],
)
def test_a_plain_call_goes_on(
    owner: Any,
    name: str,
    step: str,
    client: openai.OpenAI,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(owner, name, fail)
    for _ in range(3):
        assert client.chat.completions.create(**CHAT).choices
    (record,) = caplog.records
    assert record.getMessage() == f"llmlab could not {step}; your call is not affected"
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


@pytest.mark.parametrize("name", ["read", "reply"])
def test_a_stream_goes_on(
    name: str, client: openai.OpenAI, spans: Spans, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ChatChunks, name, fail)
    assert len(list(client.chat.completions.create(**STREAM))) > 1
    assert len(caplog.records) == 1
    assert spans.one().end_time is not None


def test_a_reply_that_cannot_be_read_still_ends_the_span(
    client: openai.OpenAI, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_format, "read_counts", fail)
    client.chat.completions.create(**CHAT)
    assert spans.one().end_time is not None
    assert not spans.usage()


def test_every_fault_is_counted(
    client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch, reader: InMemoryMetricReader
) -> None:
    monkeypatch.setattr(attributes, "of_request", fail)
    for _ in range(3):
        client.chat.completions.create(**CHAT)
    data = reader.get_metrics_data()
    assert data is not None
    (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
    (point,) = metric.data.data_points
    assert metric.name == "llmlab.instrumentation.faults"
    assert getattr(point, "value") == 3  # noqa: B009 - only sums have it
    assert dict(point.attributes or {}) == {
        "step": "begin to record a call of openai",
        "error.type": "ZeroDivisionError",
    }


def test_a_failing_patch_does_not_fail_the_import(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(patching, "wrapper", fail)
    imported = tuple(call for call in PROVIDER.calls if call.module in sys.modules)  # the SDK loads the rest when used
    installation = patching.Installation(replace(PROVIDER, calls=imported))
    installation.remove()
    assert imported
    assert len(caplog.records) == len(imported)


def test_a_guard_lets_through_what_is_no_failure_of_ours() -> None:
    with pytest.raises(KeyboardInterrupt), Guard("do anything"):
        raise KeyboardInterrupt
