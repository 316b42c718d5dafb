"""Calls on their way to an exporter that is slow, full, away, or does not want them."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from llmlab.tracking.event_queue import EventQueue
from llmlab.tracking.exporter_api import ExporterApi
from sdk.scripted_exporter import ScriptedExporter

MakeQueue = Callable[..., EventQueue]


@pytest.fixture
def make_queue(exporter: ScriptedExporter) -> Iterator[MakeQueue]:
    made: list[EventQueue] = []

    def make(url: str = "", **options: int) -> EventQueue:
        made.append(EventQueue(ExporterApi(url or exporter.url), **options))
        return made[-1]

    yield make
    for queue in made:
        queue.close(0)


def event_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "llmlab-events"}


def unused_port() -> int:
    """Return a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def unused_url() -> str:
    return f"http://127.0.0.1:{unused_port()}"


def test_events_arrive_in_order(exporter: ScriptedExporter, make_queue: MakeQueue) -> None:
    queue = make_queue()
    for number in range(20):
        queue.put({"number": number})
    assert queue.flush(5)
    assert [event["number"] for event in exporter.events()] == list(range(20))
    assert queue.dropped == 0


def test_nobody_waits_for_a_slow_exporter(exporter: ScriptedExporter, make_queue: MakeQueue) -> None:
    exporter.pause_s = 0.3
    queue = make_queue()
    began_s = time.perf_counter()
    for number in range(3):
        queue.put({"number": number})
    assert time.perf_counter() - began_s < 0.1
    assert not queue.flush(0.1)
    assert queue.flush(5)
    assert len(exporter.events()) == 3


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_exporter_is_asked_again(exporter: ScriptedExporter, make_queue: MakeQueue, status: int) -> None:
    exporter.statuses = [status]
    queue = make_queue()
    queue.put({"number": 1})
    assert queue.flush(5)
    assert exporter.events() == [{"number": 1}] * 2
    assert queue.dropped == 0


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500])
def test_what_is_refused_is_dropped_and_counted(
    exporter: ScriptedExporter, make_queue: MakeQueue, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    exporter.statuses = [status, status]
    exporter.answer = {"error": "input_tokens is -1", "hint": "..."}
    queue = make_queue()
    for number in range(3):
        queue.put({"number": number})
    assert queue.flush(5)
    assert queue.dropped == 2
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"answers {status}" in record.getMessage()
    assert "input_tokens is -1" in record.getMessage()


def test_events_wait_for_an_exporter_that_is_away(make_queue: MakeQueue) -> None:
    port = unused_port()
    queue = make_queue(f"http://127.0.0.1:{port}")
    queue.put({"number": 1})
    assert not queue.flush(0.2)
    assert queue.dropped == 0
    with ScriptedExporter(port) as exporter:
        assert queue.flush(5)
        assert exporter.events() == [{"number": 1}]


def test_what_does_not_fit_is_dropped_and_counted(make_queue: MakeQueue, caplog: pytest.LogCaptureFixture) -> None:
    queue = make_queue(unused_url(), capacity=5)
    for number in range(20):
        queue.put({"number": number})
    assert 14 <= queue.dropped <= 15  # one may be on its way
    assert caplog.text.count("5 calls wait already") == 1


def test_closing_sends_what_is_queued(exporter: ScriptedExporter, make_queue: MakeQueue) -> None:
    exporter.pause_s = 0.05
    queue = make_queue()
    for number in range(5):
        queue.put({"number": number})
    queue.close()
    assert len(exporter.events()) == 5
    assert queue.dropped == 0


def test_closing_gives_up_on_an_exporter_that_is_away(make_queue: MakeQueue) -> None:
    queue = make_queue(unused_url())
    for number in range(5):
        queue.put({"number": number})
    began_s = time.perf_counter()
    queue.close()
    assert time.perf_counter() - began_s < 2
    assert queue.dropped == 5


def test_the_thread_ends_with_the_queue(make_queue: MakeQueue) -> None:
    before = event_threads()
    queue = make_queue()
    queue.put({"number": 1})
    (thread,) = event_threads() - before
    queue.close()
    thread.join(5)
    assert not thread.is_alive()


def test_the_thread_ends_even_when_the_queue_was_full(make_queue: MakeQueue) -> None:
    before = event_threads()
    queue = make_queue(unused_url(), capacity=1)
    for number in range(3):
        queue.put({"number": number})
    (thread,) = event_threads() - before
    queue.close(0)
    thread.join(5)
    assert not thread.is_alive()
    assert queue.dropped == 3


def test_no_thread_is_started_for_nothing(make_queue: MakeQueue) -> None:
    before = event_threads()
    make_queue()
    assert event_threads() == before


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_sends_its_own_events_and_nobody_elses(
    exporter: ScriptedExporter, make_queue: MakeQueue
) -> None:
    exporter.pause_s = 0.2
    queue = make_queue()
    queue.put({"from": "parent"})
    queue.put({"from": "parent"})
    child = os.fork()
    if child == 0:
        queue.put({"from": "child"})
        os._exit(0 if queue.flush(5) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert queue.flush(5)
    assert sorted(event["from"] for event in exporter.events()) == ["child", "parent", "parent"]


@pytest.mark.parametrize("endpoint", ["", "localhost:4318", "file:///etc/passwd", "ftp://host", "http://"])
def test_an_endpoint_is_a_url(endpoint: str) -> None:
    with pytest.raises(ValueError, match="write it like http://127"):
        ExporterApi(endpoint)
