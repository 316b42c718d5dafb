"""A real exporter as a process on a fresh data directory, for benchmarks and tests."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LLMLAB = str(Path(sys.executable).with_name("llmlab"))
"""The console script of this environment."""

START_TIMEOUT_S = 60


class ExporterProcess:
    """A running exporter."""

    def __init__(self, data: Path, options: Sequence[str] = (), under: Sequence[str] = ()) -> None:
        """Start it on free loopback ports and wait until it accepts spans.

        `under` is a command that runs another one in its own process, such as `strace -D`.
        """
        ready = data.with_name(f"{data.name}.ready.json")
        ready.unlink(missing_ok=True)
        self.log = data.with_name(f"{data.name}.log")
        command = [
            *under,
            LLMLAB,
            "up",
            "--data",
            str(data),
            "--ready-file",
            str(ready),
            "--grpc-port",
            "0",
            "--http-port",
            "0",
            "--sql-port",
            "0",
            "--hold-new-series",  # who compares sums does not want to wait for them
            "0",
        ]
        with self.log.open("a") as log:
            self._process = subprocess.Popen([*command, *options], stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the exporter did not start:\n{self.log.read_text()}")
            time.sleep(0.02)
        ports = json.loads(ready.read_text())
        self.grpc_port: int = ports["grpc_port"]
        self.http_port: int = ports["http_port"]
        self.url = f"http://127.0.0.1:{self.http_port}"

    def get(self, path: str) -> str:
        """Return the body of a GET."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:
            return answer.read().decode()

    def pending_rows(self) -> int:
        """Return the calls that are acknowledged and not yet in the store."""
        state: dict[str, Any] = json.loads(self.get("/readyz"))
        return state["store"]["pending_rows"]

    def wait_until_stored(self, timeout_s: float = 600) -> None:
        """Wait until nothing is pending."""
        deadline = time.monotonic() + timeout_s
        while self.pending_rows():
            if time.monotonic() > deadline:
                raise TimeoutError(f"calls were still pending after {timeout_s} s")
            time.sleep(0.05)

    def memory_mib(self, field: str) -> float:
        """Return a memory figure of the process: `VmHWM` is the peak, `VmRSS` what it holds now."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
        raise LookupError(field)

    def stop(self) -> None:
        """Stop it with SIGTERM; raises unless it drains and exits 0."""
        self._process.send_signal(signal.SIGTERM)
        if self._process.wait(60) != 0:
            raise RuntimeError(f"the exporter ended with code {self._process.returncode}:\n{self.log.read_text()}")

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None


@contextmanager
def running(data: Path, *options: str) -> Generator[ExporterProcess]:
    """Run an exporter for a while; at the end it must drain and exit 0, unless it was killed."""
    exporter = ExporterProcess(data, options)
    try:
        yield exporter
    finally:
        if exporter.running:
            exporter.stop()
