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

RETRY_AFTER_S = 0.5

_TRY_AGAIN = {
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNAVAILABLE,
}
"""Those of OTLP's retryable codes that a server which died or is busy leads to."""


class Sender(threading.Thread):
    """Sends requests until each of them is acknowledged, some of them twice."""

    def __init__(
        self,
        batches: Sequence[Sequence[Made]],
        ports: Callable[[], tuple[int, int]],
        seed: int,
        reach: int = 0,
        rate: float = 0,
    ) -> None:
        """`ports` tells where the exporter listens now: gRPC and HTTP.

        What is sent again because it got no answer, and what is out of order, is at most `reach` requests late; 0 is
        any number. `rate` is that of calls per second; 0 is as fast as it goes.
        """
        super().__init__(daemon=True)
        self._ports = ports
        self._dice = random.Random(seed)  # noqa: S311 - the same behaviour in every run
        self._reach = reach or len(batches)
        self._waiting = deque((batch, False) for batch in self._shuffled(batches))
        self._over_http = seed % 2 == 0
        self._rate = rate
        self.acknowledged = 0
        """Calls that were acknowledged for the first time."""
        self.sent_again = 0
        """Calls that were sent again after that."""
        self.unanswered = 0
        """Requests without an answer, or refused for the moment: they were sent again."""
        self.failure = ""

    def run(self) -> None:
        """Send everything."""
        due = time.monotonic()
        while self._waiting and not self.failure:
            batch, is_repeated = self._waiting.popleft()
            if self._rate:
                time.sleep(max(0.0, due - time.monotonic()))
                due += len(batch) / self._rate
            if not self._send(batch):
                self.unanswered += 1
                self._put_back(batch, is_repeated)
                time.sleep(RETRY_AFTER_S)
            elif is_repeated:
                self.sent_again += len(batch)
            else:
                self.acknowledged += len(batch)
                if self._dice.randrange(RESEND_EVERY) == 0:
                    self._put_back(batch, True)

    def _put_back(self, batch: Sequence[Made], is_repeated: bool) -> None:
        place = self._dice.randrange(min(self._reach, len(self._waiting)) + 1)
        self._waiting.insert(place, (batch, is_repeated))

    def _shuffled(self, batches: Sequence[Sequence[Made]]) -> list[Sequence[Made]]:
        if self._reach >= len(batches):
            return self._dice.sample(batches, len(batches))
        places = sorted((place + self._dice.uniform(0, self._reach), place) for place in range(len(batches)))
        return [batches[place] for _, place in places]

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
