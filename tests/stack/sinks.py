"""Where alerts arrive in tests: HTTP endpoints such as Slack's, and a mail server."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from e2e.ports import free_port


class Received(NamedTuple):
    """A POST."""

    path: str
    headers: dict[str, str]
    body: Any


class Hooks:
    """Takes every POST and answers as Slack and Discord do."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[Received] = []

    def at(self, path: str) -> list[Any]:
        """Return the bodies that arrived at a path."""
        return [each.body for each in self.received if each.path == path]


@contextmanager
def hooks() -> Generator[Hooks]:
    """Run an HTTP server until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            arrived.received.append(Received(self.path, dict(self.headers), json.loads(body)))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class has it so
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        arrived = Hooks(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield arrived
        finally:
            server.shutdown()
            thread.join()


class Mailbox:
    """Takes every mail."""

    def __init__(self) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd calls it so
        """Keep a mail."""
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(message_from_bytes(content, EmailMessage, policy=policy.default))
        return "250 OK"


@contextmanager
def mailbox() -> Generator[Mailbox]:
    """Run a mail server until the block ends."""
    box = Mailbox()
    host, _, port = box.address.partition(":")
    controller = Controller(box, hostname=host, port=int(port))
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
