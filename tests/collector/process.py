"""A real collector as a process, with one of our configurations on free loopback ports."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from collector.build import collector_path
from e2e.ports import accepts, free_port
from environments import ROOT

CONFIGS = ROOT / "collector-config"
OWN = (CONFIGS / "collector.yaml", CONFIGS / "llm-spans.yaml", CONFIGS / "extras.yaml")
GATEWAY = (CONFIGS / "gateway.yaml", CONFIGS / "llm-spans.yaml", CONFIGS / "extras.yaml")
OVERLAY = (CONFIGS / "llm-spans.yaml", CONFIGS / "overlay.yaml")
"""Comes after the file of a collector that runs already."""

START_TIMEOUT_S = 60

needs_collector = pytest.mark.skipif(
    not collector_path().exists() and not os.environ.get("CI"), reason="there is no collector: tests/install-servers"
)


def command(verb: Iterable[str], configs: Iterable[Path]) -> list[str]:
    """Return a command line of the collector with configuration files."""
    return [str(collector_path()), *verb, *(part for file in configs for part in ("--config", str(file)))]


class CollectorProcess:
    """A running collector."""

    def __init__(
        self, directory: Path, configs: Iterable[Path], variables: Mapping[str, str], changes: Mapping[str, Any]
    ) -> None:
        """Start it and wait until it accepts spans.

        `changes` is merged over the files, as a user's `extras.yaml` is. Started again in the same directory, it finds
        its queue there.
        """
        self.http_port = free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.grpc_port = free_port()
        self._metrics_port = free_port()
        self._health_port = free_port()
        self.log = directory / "collector.log"
        ports = directory / "ports.json"
        ports.write_text(json.dumps(self._ports()))
        extras = directory / "changes.json"
        extras.write_text(json.dumps(changes))
        chosen = {"LLMLAB_COLLECTOR_HOST": "127.0.0.1", "LLMLAB_COLLECTOR_QUEUE": str(directory / "queue")}
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                command((), (*configs, ports, extras)),
                env={**os.environ, **chosen, **variables},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not accepts(self.http_port):
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the collector did not start:\n{self.log.read_text()}")
            time.sleep(0.05)

    def _ports(self) -> dict[str, Any]:
        reader = {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": self._metrics_port}}}}
        protocols = {
            "grpc": {"endpoint": f"127.0.0.1:{self.grpc_port}"},
            "http": {"endpoint": f"127.0.0.1:{self.http_port}"},
        }
        return {
            "receivers": {"otlp": {"protocols": protocols}},
            "extensions": {"health_check": {"endpoint": f"127.0.0.1:{self._health_port}"}},
            "service": {"telemetry": {"metrics": {"readers": [reader]}}},
        }

    def metrics(self) -> str:
        """Return the collector's own metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def is_healthy(self) -> bool:
        """Ask the port for health checks."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._health_port}", timeout=10) as answer:
            return answer.status == 200

    def stop(self) -> None:
        """Stop it with SIGTERM; raises unless it exits 0."""
        self._process.send_signal(signal.SIGTERM)
        if self._process.wait(60) != 0:
            raise RuntimeError(f"the collector ended with code {self._process.returncode}:\n{self.log.read_text()}")

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait()

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None


@contextmanager
def collecting(
    directory: Path,
    configs: Iterable[Path],
    variables: Mapping[str, str],
    changes: Mapping[str, Any] | None = None,
) -> Generator[CollectorProcess]:
    """Run a collector for a while; at the end it must exit 0, unless it was killed."""
    directory.mkdir(parents=True, exist_ok=True)
    collector = CollectorProcess(directory, configs, variables, changes or {})
    try:
        yield collector
    finally:
        if collector.running:
            collector.stop()


def eventually(claim: Callable[[], bool], timeout_s: float = 90) -> None:
    """Wait until something is so; raises `AssertionError` if it does not come about."""
    deadline = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < deadline, f"still not so after {timeout_s} s"
        time.sleep(0.1)
