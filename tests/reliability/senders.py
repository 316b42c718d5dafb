"""Senders that behave like a fleet: out of order, sending some requests twice, and never giving one up."""

import gzip
import random
import threading
import time
import urllib.error
from collections import deque
from collections.abc import Callable, Sequence

import grpc

from e2e.traces import call, post
from reliability.truth import Made, request

RESEND_EVERY = 20
"""One request in so many is sent again although it was acknowledged, because its answer "got lost": 5 %."""

RETRY_AFTER_S = 0.2

_TRY_AGAIN = {
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNAVAILABLE,
}
"""Those of OTLP's retryable codes that a server which died or is busy leads to."""


class Sender(threading.Thread):
    """Sends requests until each of them is acknowledged, some of them twice."""

    def __init__(self, batches: Sequence[Sequence[Made]], ports: Callable[[], tuple[int, int]], seed: int) -> None:
        """`ports` tells where the exporter listens now: gRPC and HTTP."""
        super().__init__(daemon=True)
        self._ports = ports
        self._dice = random.Random(seed)  # noqa: S311 - the same behaviour in every run
        shuffled = list(batches)
        self._dice.shuffle(shuffled)
        self._waiting = deque((batch, False) for batch in shuffled)
        self._over_http = seed % 2 == 0
        self.acknowledged = 0
        """Calls that were acknowledged for the first time."""
        self.sent_again = 0
        """Calls that were sent again after that."""
        self.unanswered = 0
        """Requests without an answer, or refused for the moment: they were sent again."""
        self.failure = ""

    def run(self) -> None:
        """Send everything."""
        while self._waiting and not self.failure:
            batch, is_repeated = self._waiting.popleft()
            if not self._send(batch):
                self.unanswered += 1
                self._waiting.insert(self._dice.randrange(len(self._waiting) + 1), (batch, is_repeated))
                time.sleep(RETRY_AFTER_S)
            elif is_repeated:
                self.sent_again += len(batch)
            else:
                self.acknowledged += len(batch)
                if self._dice.randrange(RESEND_EVERY) == 0:
                    self._waiting.insert(self._dice.randrange(len(self._waiting) + 1), (batch, True))

    def _send(self, batch: Sequence[Made]) -> bool:
        """Send one request; False when it has to be sent again."""
        grpc_port, http_port = self._ports()
        body = request(batch)
        try:
            if self._over_http:
                return self._post(http_port, body)
            answer = call(grpc_port, body)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        except grpc.RpcError as error:
            code = error.code() if isinstance(error, grpc.Call) else None
            if code not in _TRY_AGAIN:
                self.failure = f"gRPC answered {error}"
            return False
        if answer:
            self.failure = f"gRPC accepted only a part: {answer!r}"
        return True

    def _post(self, port: int, body: bytes) -> bool:
        answer = post(f"http://127.0.0.1:{port}", gzip.compress(body, 1), encoding="gzip")
        if answer.status == 200 and not answer.body:
            return True
        if answer.status != 503:
            self.failure = f"HTTP answered {answer.status}: {answer.body!r}"
        return False
