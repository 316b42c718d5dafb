"""The fake provider inside a test process."""

import threading
from types import TracebackType
from typing import Self

from fake_provider import anthropic
from fake_provider.book import Book, Exchange
from fake_provider.server import PAUSE_S, create_app, create_server, listen


class FakeProvider:
    """A provider in a thread of this process, on a free port of the loopback interface.

    with FakeProvider() as provider:
        client = openai.OpenAI(base_url=provider.openai_url, api_key="fake")
    """

    def __init__(self, *, pause_s: float = PAUSE_S) -> None:
        """`pause_s` is how long the model `slow` waits before each chunk."""
        self.book = Book()
        self._server = create_server(create_app(self.book, pause_s))
        self._socket = listen()
        port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.openai_url = f"{self.url}/v1"
        self.anthropic_url = self.url
        self.anthropic_bedrock_url = f"{self.url}{anthropic.BEDROCK_PREFIX}"
        self.anthropic_vertex_url = f"{self.url}{anthropic.VERTEX_PREFIX}"
        self.bedrock_url = f"{self.url}/bedrock"
        self.groq_url = f"{self.url}/groq"
        self.mistral_url = f"{self.url}/mistral"
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="fake-provider", daemon=True
        )

    @property
    def requests(self) -> list[Exchange]:
        """What was asked so far, in the order of arrival."""
        return list(self.book.requests)

    def reset(self) -> None:
        """Forget all requests."""
        self.book.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
