"""An HTTP server that gives the answer a test prepared, and the real command run against it."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ANSWERS = Path(__file__).parent / "answers"
LLMLAB = Path(sys.executable).with_name("llmlab")


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, PreparedServer)
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        pass


class PreparedServer(ThreadingHTTPServer):
    """Answers every GET alike."""

    status = 200
    body = b""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@dataclass(frozen=True)
class Exporter:
    """A stand-in for the exporter, and `llmlab` pointed at it by its environment."""

    server: PreparedServer
    environment: dict[str, str] = field(default_factory=dict[str, str])

    def answers(self, name: str, **changes: Any) -> None:
        """Answer with a recorded summary, digit for digit; changes replace top-level fields."""
        text = (ANSWERS / f"{name}.json").read_text()
        self.server.body = (json.dumps(json.loads(text) | changes) if changes else text).encode()

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [LLMLAB, *arguments],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
