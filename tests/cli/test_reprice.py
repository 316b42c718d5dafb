import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

LLMLAB = Path(sys.executable).with_name("llmlab")
SUMS = {
    "calls": 3,
    "changed": 2,
    "newly_priced": 1,
    "no_longer_priced": 0,
    "still_unpriced": 1,
    "recomputed": 2,
    "old_spend": 1,
    "new_spend": 4.5,
    "difference": 3.5,
}
DAYS = ("--from", "2026-11-01", "--to", "2026-11-30")


class Exporter(ThreadingHTTPServer):
    """A stand-in whose job runs until it is told otherwise."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str]] = []
        self.body: dict[str, Any] = {}
        self.state = "running"
        self.refusal: dict[str, str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def job(self) -> dict[str, Any]:
        named = {"provider": "openai", "model": "gpt-5"} | SUMS
        return {
            "id": "j1",
            "state": self.state,
            "catalogue": "genai-prices 0.2.3",
            "total_calls": 9,
            "error": None,
            "total": SUMS,
            "by_model": [named],
            "by_day": [{"date": "2026-11-03"} | named],
        }


class _Handler(BaseHTTPRequestHandler):
    server: Exporter  # pyright: ignore[reportIncompatibleVariableOverride] - the base class allows any server

    def _answer(self) -> None:
        server = self.server
        server.asked.append((self.command, self.path))
        if self.command == "POST":
            server.body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.command == "DELETE":
            server.state = "cancelled"
        body = json.dumps(server.refusal or server.job()).encode()
        self.send_response(409 if server.refusal else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the base class names them so

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        pass


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    with Exporter() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(exporter: Exporter, *options: str) -> subprocess.CompletedProcess[str]:
    command = [LLMLAB, "reprice", *DAYS, "--url", exporter.url, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def started(exporter: Exporter, stdin: int) -> "subprocess.Popen[str]":
    command = [LLMLAB, "reprice", *DAYS, "--url", exporter.url]
    process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: ("GET", "/api/reprice/j1") in exporter.asked)
    return process


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited 30 s in vain"
        time.sleep(0.02)


def test_the_request_says_what_is_to_be_priced_again(exporter: Exporter) -> None:
    exporter.state = "done"
    run(exporter, "--model", "gpt-5", "--provider", "openai", "--project", "p1", "--dry-run")
    assert exporter.body == {
        "from": "2026-11-01",
        "to": "2026-11-30",
        "model": "gpt-5",
        "provider": "openai",
        "project": "p1",
        "dry_run": True,
    }


def test_old_new_and_difference_are_shown_by_model_and_by_day(exporter: Exporter) -> None:
    exporter.state = "done"
    lines = [" ".join(line.split()) for line in run(exporter, "--dry-run").stdout.splitlines()]
    assert "openai/gpt-5 3 2 1 $1.00 $4.50 +$3.50" in lines
    assert "2026-11-03 openai/gpt-5 3 2 1 $1.00 $4.50 +$3.50" in lines
    assert "2 of 3 calls would change: $1.00 -> $4.50 (+$3.50)" in lines
    assert "nothing was changed (--dry-run)" in lines


def test_json_is_the_answer_of_the_exporter_digit_for_digit(exporter: Exporter) -> None:
    exporter.state = "done"
    assert json.loads(run(exporter, "--json").stdout, parse_float=Decimal)["total"]["new_spend"] == Decimal("4.5")


def test_ctrl_c_cancels_at_once_where_nobody_can_be_asked(exporter: Exporter) -> None:
    process = started(exporter, subprocess.DEVNULL)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert ("DELETE", "/api/reprice/j1") in exporter.asked
    assert "cancelled" in output


@pytest.mark.parametrize(("answer", "is_cancelled"), [(b"y\n", True), (b"n\n", False)])
def test_ctrl_c_asks_first_where_somebody_can_answer(exporter: Exporter, answer: bytes, is_cancelled: bool) -> None:
    terminal, theirs = pty.openpty()
    process = started(exporter, theirs)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    os.write(terminal, answer)
    if not is_cancelled:
        asked = len(exporter.asked)
        until(lambda: len(exporter.asked) > asked + 2)
        exporter.state = "done"
    _, errors = process.communicate(timeout=30)
    os.close(theirs)
    os.close(terminal)
    assert "Stop repricing?" in errors
    assert (("DELETE", "/api/reprice/j1") in exporter.asked) == is_cancelled
    assert process.returncode == int(is_cancelled)


def test_a_refusal_is_told_with_what_to_do(exporter: Exporter) -> None:
    exporter.refusal = {"error": "repricing j0 is running", "hint": "wait for it, or cancel it"}
    ended = run(exporter)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"error: the exporter at {exporter.url} answers: repricing j0 is running",
        "hint: wait for it, or cancel it",
    ]


def test_an_exporter_that_does_not_answer_is_named() -> None:
    command = [LLMLAB, "reprice", *DAYS, "--url", "http://127.0.0.1:9"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (1, "error: no exporter answers at http://127.0.0.1:9")
