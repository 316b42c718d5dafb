"""An exporter's HTTP API that answers as it is told, so that failures can be had on demand."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self


class Received(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class ScriptedExporter:
    """A server in a thread of this process, on the loopback interface."""

    def __init__(self, port: int = 0) -> None:
        """Take a port, 0 for a free one."""
        self.received: list[Received] = []
        self.statuses: list[int] = []
        """Of the next answers; afterwards 200."""
        self.answer: Any = {}
        self.pause_s = 0.0
        """How long every answer takes."""
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                exporter.received.append(Received(self.path, headers, body))
                time.sleep(exporter.pause_s)
                answer = json.dumps(exporter.answer).encode()
                self.send_response(exporter.statuses.pop(0) if exporter.statuses else 200)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST  # noqa: N815 - the base class calls it so

            def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - the base class calls it so
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def events(self) -> list[dict[str, Any]]:
        """Return the calls that were posted."""
        return [each.json() for each in self.received if each.path == "/api/events/track"]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
