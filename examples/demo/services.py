"""The two servers of the demo, as processes of their own on free ports of the loopback interface."""

import json
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from demo.errors import DemoError

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
EXAMPLES = Path(__file__).parents[1]
PROGRAMS = Path(sys.executable).parent
"""Where this environment has its console scripts."""


@contextmanager
def provider() -> Generator[str]:
    """Run the fake provider; yields its URL."""
    command = [sys.executable, "-m", "fake_provider", "--port", "0"]
    # Ctrl-C is for the demo, which stops its servers in order: hence sessions of their own.
    with subprocess.Popen(command, cwd=EXAMPLES, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            if not url:
                raise DemoError("the fake provider did not start")
            yield url
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)


@contextmanager
def exporter(directory: Path) -> Generator[str]:
    """Run `llmlab up` with its data in a directory; yields its URL. It must drain and exit 0 at the end."""
    log, ready = directory / "exporter.log", directory / "ready.json"
    command = [PROGRAMS / "llmlab", "up", "--grpc-port", "0", "--http-port", "0"]
    command += ["--data", directory / "data", "--ready-file", ready]
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True) as process,
    ):
        try:
            yield f"http://127.0.0.1:{_wait_for_port(process, ready, log)}"
        finally:
            process.terminate()
            code = process.wait(STOP_TIMEOUT_S)
        if code:
            raise DemoError(f"the exporter ended with exit code {code}:\n{log.read_text()}")


def _wait_for_port(process: subprocess.Popen[bytes], ready: Path, log: Path) -> int:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise DemoError(f"the exporter did not start:\n{log.read_text()}")
        time.sleep(0.02)
    return json.loads(ready.read_text())["http_port"]
