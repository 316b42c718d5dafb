"""Several exporters' ledgers that share budgets over a real Redis, by a clock that tests turn."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from budgets.lab import NOON, Lab
from llmlab.budgets import Budget, read_budget
from llmlab_exporter.budgets.shared.board import Look
from llmlab_exporter.budgets.shared.others import Others
from llmlab_exporter.budgets.shared.redis_board import RedisBoard
from llmlab_exporter.budgets.shared.sharing import Sharing, presence_of
from llmlab_exporter.budgets.status import Status
from redis_server import RedisServer, redis_running


class Cluster:
    """Members and their Redis, whose clock is this one's."""

    def __init__(self, directory: Path, redis: RedisServer) -> None:
        self.directory = directory
        self.redis = redis
        self.now: float = NOON
        self.members: dict[str, Member] = {}

    def join(self, name: str, budgets_file: Path | None = None, ahead_s: float = 0) -> "Member":
        """Start an exporter on the ledger that it had before, if it had one."""
        self.members[name] = Member(self, name, budgets_file, ahead_s)
        return self.members[name]

    def two(self) -> "tuple[Member, Member]":
        return self.join("one"), self.join("two")

    def settle(self) -> None:
        """Let everybody publish and read until all know all."""
        for _ in range(3):
            for member in self.members.values():
                member.share()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        for member in self.members.values():
            member.lab.now += seconds


class SharedClock(RedisBoard):
    """A board whose clock is that of the tests."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster.redis.url)
        self._cluster = cluster

    def look(self) -> Look:
        return super().look()._replace(now=self._cluster.now)


class Member:
    """One exporter's ledger, its budgets, and what it shares."""

    def __init__(self, cluster: Cluster, name: str, budgets_file: Path | None, ahead_s: float) -> None:
        self.name = name
        self._cluster = cluster
        self.directory = cluster.directory / name
        self.directory.mkdir(exist_ok=True)
        self.others = Others(self.directory / "other-exporters.json", lambda: cluster.now + ahead_s)
        self.lab = Lab(self.directory / "ledger.sqlite", cluster.now + ahead_s, budgets_file, self.others)
        self.sharing = Sharing(
            SharedClock(cluster),
            presence_of(self.lab.book.ledger_id, name),
            self.lab.budgets,
            self.lab.tracker,
            self.others,
            monotonic=lambda: cluster.now,
        )

    @property
    def exporter_id(self) -> str:
        return self.lab.book.ledger_id

    def share(self) -> None:
        self.sharing.share()

    def set(self, limit: float = 100, **written: object) -> Budget:
        budget = read_budget({"limit": limit, **written})
        self.lab.budgets.put(budget)
        return budget

    def status(self, name: str = "monthly") -> Status:
        return self.lab.statuses()[name]

    def doubts(self, name: str = "monthly") -> str:
        heard = self.status(name).heard
        assert heard is not None
        return "; ".join(heard.doubts)

    def stop(self) -> None:
        """End in order."""
        self.sharing.stop()
        self.kill()

    def kill(self) -> None:
        """End without a word, as `kill -9` does."""
        del self._cluster.members[self.name]
        self.lab.writer.stop()

    def copy_to(self, name: str) -> None:
        """Copy the ledger of an exporter that has ended."""
        shutil.copytree(self.directory, self._cluster.directory / name)


@contextmanager
def cluster(directory: Path) -> Generator[Cluster]:
    """Run a Redis for exporters that join."""
    with redis_running(directory / "redis") as redis:
        opened = Cluster(directory, redis)
        try:
            yield opened
        finally:
            for member in list(opened.members.values()):
                member.kill()
