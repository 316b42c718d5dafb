"""Hosts that say less than the fake provider does: no counts, no thinking tokens, no `stream_options`."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

THOUGHT = "The user greets, so a greeting is what fits here, and nothing else is asked for."


class SparseHost(ThreadingHTTPServer):
    """Answers by the path of the request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.bodies: list[dict[str, Any]] = []
        """What was asked."""


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        body: dict[str, Any] = json.loads(raw) if raw.startswith(b"{") else {}
        cast("SparseHost", self.server).bodies.append(body)
        if self.path.endswith("/messages"):
            self._send(_message(), "application/json")
        elif self.path.endswith("/chat/completions") and "stream_options" in body:
            self._send({"error": {"message": "unknown field stream_options"}}, "application/json", 400)
        elif self.path.endswith("/chat/completions"):
            self._send(b"".join(map(_event, _chunks())) + b"data: [DONE]\n\n", "text/event-stream")
        else:
            self._send({"ok": True, "outputs": "hello, it is a fine day"}, "application/json")

    def _send(self, content: Any, kind: str, status: int = 200) -> None:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base class calls it
        """Keep quiet."""


def _message() -> dict[str, Any]:
    """Write an answer of Anthropic's that was thought over, as before thinking tokens were reported."""
    content = [{"type": "thinking", "thinking": THOUGHT, "signature": "x"}, {"type": "text", "text": "Hello!"}]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": content,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 211, "output_tokens": 389},
    }


def _chunks() -> list[dict[str, Any]]:
    deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": "Hello!"}, None), ({}, "stop")]
    return [
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
        }
        for delta, reason in deltas
    ]


def _event(chunk: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(chunk)}\n\n".encode()


@contextmanager
def sparse_host() -> Generator[SparseHost]:
    """Run one in a thread of this process."""
    host = SparseHost()
    thread = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        host.shutdown()
        thread.join()
        host.server_close()
