"""A real exporter on a fresh data directory, for the benchmarks."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ExporterProcess:
    """A running exporter."""

    pid: int
    grpc_port: int
    http_port: int

    def pending_rows(self) -> int:
        """Return the calls that are acknowledged and not yet in the store."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/readyz", timeout=30) as answer:
            return json.load(answer)["store"]["pending_rows"]

    def wait_until_stored(self, timeout_s: float = 600) -> None:
        """Wait until nothing is pending."""
        deadline = time.monotonic() + timeout_s
        while self.pending_rows():
            if time.monotonic() > deadline:
                raise TimeoutError(f"calls were still pending after {timeout_s} s")
            time.sleep(0.05)

    def memory_mib(self, field: str) -> float:
        """Return a memory figure of the process: `VmHWM` is the peak, `VmRSS` what it holds now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
        raise LookupError(field)


@contextmanager
def running(data: Path) -> Generator[ExporterProcess]:
    """Start an exporter on free loopback ports; stop it, and see that it drains, at the end."""
    ready = data / "ready.json"
    command = [sys.executable, "-m", "llmlab.cli", "up", "--data", str(data / "data"), "--ready-file", str(ready)]
    with subprocess.Popen([*command, "--grpc-port", "0", "--http-port", "0"], stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"the exporter did not start (exit code {process.poll()})")
            time.sleep(0.05)
        ports = json.loads(ready.read_text())
        try:
            yield ExporterProcess(process.pid, ports["grpc_port"], ports["http_port"])
        finally:
            process.terminate()
            if process.wait(60) != 0:
                raise RuntimeError(f"the exporter ended with code {process.returncode}")
