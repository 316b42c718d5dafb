"""A receiver of OTLP/HTTP that keeps what it gets: what is on the wire behind a collector."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Sink:
    """A backend on a free loopback port. While `refusing` is set it answers 503."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.refusing = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="sink", daemon=True)

    @property
    def spans(self) -> list[Span]:
        """All spans so far."""
        return [span for body in self.bodies for span in spans_of(body)]

    def take(self) -> bytes:
        """Return all requests so far as one, and forget them."""
        taken, self.bodies = self.bodies, []
        return b"".join(taken)  # messages of repeated fields: one after the other is the whole

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                if not sink.refusing:
                    sink.bodies.append(body)
                self.send_response(503 if sink.refusing else 200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Be quiet."""

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def spans_of(body: bytes) -> list[Span]:
    """Return the spans of an export request."""
    request = ExportTraceServiceRequest.FromString(body)
    return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]
