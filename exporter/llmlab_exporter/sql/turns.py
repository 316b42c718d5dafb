"""Whose statement runs: a few at once, the others wait a while, and the rest are told to come back."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from llmlab_exporter.sql.failure import Failure


class Turns:
    """Places for statements. A dashboard asks for all of its panels at once, so that many may wait."""

    def __init__(self, running: int = 2, waiting: int = 64, wait_s: float = 20.0) -> None:
        self.running = running
        self._waiting = waiting
        self._wait_s = wait_s
        self._places = asyncio.Semaphore(running)
        self._in_line = 0

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for a place; raises `Failure` 202, as ClickHouse does, when too many wait or it takes too long."""
        if self._places.locked():
            await self._wait()
        else:
            await self._places.acquire()
        try:
            yield
        finally:
            self._places.release()

    async def _wait(self) -> None:
        if self._in_line >= self._waiting:
            raise Failure(202, f"Too many simultaneous queries: {self.running} run and {self._in_line} wait")
        self._in_line += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._places.acquire()
        except TimeoutError:
            raise Failure(202, f"Too many simultaneous queries: no place in {self._wait_s:g} seconds") from None
        finally:
            self._in_line -= 1
