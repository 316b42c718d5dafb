"""A real Redis as a process on a free loopback port, which tests stop, kill and start again."""

import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import redis

from e2e.ports import free_port

START_TIMEOUT_S = 20


class RedisServer:
    """A Redis with an append-only file in a directory, so that it knows everything again when it comes back."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def client(self) -> redis.Redis:
        """A connection for looking behind the scenes."""
        return redis.Redis.from_url(self.url, decode_responses=True)

    def start(self) -> None:
        """Start it on the same port with what its directory has."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory)]
        with (self._directory / "redis.log").open("a") as log:
            self._process = subprocess.Popen(
                [*command, "--appendonly", "yes", "--appendfsync", "always", "--save", ""], stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if time.monotonic() > deadline:
                raise RuntimeError(f"Redis did not start:\n{(self._directory / 'redis.log').read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def forget(self) -> None:
        """Lose everything, as a Redis does that keeps nothing on disk."""
        with self.client as client:
            client.flushall()

    def _answers(self) -> bool:
        try:
            with self.client as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@contextmanager
def redis_running(directory: Path) -> Generator[RedisServer]:
    """Run a Redis for a while."""
    server = RedisServer(directory)
    try:
        yield server
    finally:
        server.stop()
