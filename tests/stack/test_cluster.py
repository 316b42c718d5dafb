"""What the containers of the profile `cluster` would run: exporters behind a gateway, with Redis between them."""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from collector.process import GATEWAY, CollectorProcess, collecting, eventually, needs_collector
from e2e.ports import free_port
from e2e.traces import metric, post, request, span
from exporter_process import ExporterProcess
from llmlab.cli.budget import budget as command
from redis_server import RedisServer, redis_running
from servers import needs
from stack.programs import MACHINE, ask, prometheus, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), needs_collector, needs("redis-server")]

USD_PER_CALL = Decimal(1)
"""500,000 tokens that gpt-5-mini writes, at $2 per million."""
SOON = {"exporters": {"loadbalancing/llm_cost": {"retry_on_failure": {"max_interval": "2s"}}}}


class Cluster:
    """Two exporters, each on a port that it keeps, and what stands before and between them."""

    def __init__(self, directory: Path, redis: RedisServer) -> None:
        self._directory = directory
        self.redis = redis
        self._ports = {name: (free_port(), free_port()) for name in ("one", "two")}
        self.exporters = {name: self._start(name) for name in self._ports}
        self.sent = 0

    @property
    def one(self) -> ExporterProcess:
        return self.exporters["one"]

    @property
    def two(self) -> ExporterProcess:
        return self.exporters["two"]

    @property
    def grpc_ports(self) -> Iterable[int]:
        return [grpc for grpc, _ in self._ports.values()]

    def restart(self, name: str) -> None:
        """Kill an exporter and start it again."""
        self.exporters[name].kill()
        self.exporters[name] = self._start(name)

    def send(self, gateway: CollectorProcess, traces: int) -> None:
        """Make calls of a dollar, each in a trace of its own."""
        for _ in range(traces):
            self.sent += 1
            usage = {"input_tokens": 0, "output_tokens": 500_000}
            assert post(gateway.url, request([span(self.sent, usage=usage)])).status == 200

    def statuses(self) -> list[Any]:
        """Return how the first budget stands, as each exporter tells it."""
        return [budget(exporter) for exporter in self.exporters.values()]

    def tell(self, usd: int) -> bool:
        """Whether every exporter tells a sum, and has no doubt about it."""
        return all(
            each and each["spent"] == usd and not each["is_lower_bound"] and not each["shared"]["doubts"]
            for each in self.statuses()
        )

    def _start(self, name: str) -> ExporterProcess:
        grpc, http = self._ports[name]
        secret = self._directory / "redis-url"
        secret.write_text(f"{self.redis.url}\n")
        options = ("--grpc-port", str(grpc), "--http-port", str(http), "--redis-url-file", str(secret))
        return ExporterProcess(self._directory / name, options)


def budget(exporter: ExporterProcess) -> Any:
    budgets = json.loads(exporter.get("/api/budgets/status"), parse_float=Decimal)["budgets"]
    return budgets[0] if budgets else None


def llmlab(exporter: ExporterProcess, *arguments: str) -> str:
    ended = CliRunner().invoke(command, [*arguments, "--url", exporter.url])
    assert ended.exit_code == 0, ended.output
    return ended.output


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with ExitStack() as running:
        started = Cluster(tmp_path, running.enter_context(redis_running(tmp_path / "redis")))
        yield started
        for exporter in started.exporters.values():
            if exporter.running:
                exporter.stop()


@pytest.fixture
def gateway(cluster: Cluster, tmp_path: Path) -> Iterator[CollectorProcess]:
    addresses = ", ".join(f"127.0.0.1:{port}" for port in cluster.grpc_ports)
    with collecting(tmp_path / "gateway", GATEWAY, {"LLMLAB_EXPORTERS": f"[{addresses}]"}, SOON) as started:
        yield started


def test_every_exporter_tells_the_whole_through_kills_and_a_redis_that_comes_and_goes(
    cluster: Cluster, gateway: CollectorProcess
) -> None:
    assert "budget monthly set" in llmlab(cluster.one, "100")
    eventually(lambda: "monthly" in llmlab(cluster.two, "list"))
    cluster.send(gateway, 30)
    eventually(lambda: cluster.tell(30))
    parts = [metric(exporter.get("/metrics"), "llm_requests_total") for exporter in cluster.exporters.values()]
    assert all(parts)
    assert sum(parts) == 30

    cluster.restart("two")
    eventually(lambda: cluster.tell(30))
    cluster.redis.stop()
    cluster.send(gateway, 10)
    eventually(lambda: all("Redis has not answered" in str(each["shared"]["doubts"]) for each in cluster.statuses()))
    cluster.redis.start()
    eventually(lambda: cluster.tell(40))
    cluster.redis.forget()
    cluster.send(gateway, 5)
    eventually(lambda: cluster.tell(45))

    llmlab(cluster.two, "rm", "monthly")
    eventually(lambda: "there is no budget" in llmlab(cluster.one, "list"))


def test_an_exporter_that_is_gone_is_listed_with_its_part_and_can_be_given_up(
    cluster: Cluster, gateway: CollectorProcess
) -> None:
    llmlab(cluster.one, "100")
    eventually(lambda: "monthly" in llmlab(cluster.two, "list"))
    cluster.send(gateway, 20)
    eventually(lambda: cluster.tell(20))
    cluster.two.kill()
    gone = [line for line in llmlab(cluster.one, "exporters").splitlines() if ", this one" not in line and "  " in line]
    exporter_id = next(line.split()[0] for line in gone if not line.startswith(" "))
    eventually(lambda: "lost" in llmlab(cluster.one, "exporters"))
    assert "has not been heard of since" in llmlab(cluster.one, "status")
    assert "gone" in llmlab(cluster.one, "exporters", "--gone", exporter_id)
    (status,) = [budget(cluster.one)]
    assert (status["spent"], status["is_lower_bound"]) == (20, False)
    assert exporter_id not in llmlab(cluster.one, "exporters", "--remove", exporter_id)
    assert 0 < budget(cluster.one)["spent"] < 20


def test_a_threshold_that_only_the_sum_reaches_alerts_once(
    cluster: Cluster, gateway: CollectorProcess, tmp_path: Path
) -> None:
    llmlab(cluster.one, "30", "--thresholds", "80")
    eventually(lambda: "monthly" in llmlab(cluster.two, "list"))
    first, *others = [exporter.url.removeprefix("http://") for exporter in cluster.exporters.values()]
    with prometheus(MACHINE, tmp_path, first, others=others) as url:
        wait_for(lambda: value(url, "count(llm_budget_cost_usd_total)") == "2", "both to be scraped")
        cluster.send(gateway, 24)
        parts = [metric(exporter.get("/metrics"), "llm_requests_total") for exporter in cluster.exporters.values()]
        assert max(parts) < 24
        (alert,) = wait_for(lambda: firing(url, "LLMBudgetThreshold"), "the alert")
        assert alert["labels"]["budget"] == "monthly"
        assert Decimal(alert["value"]) == Decimal("0.8")
        wait_for(lambda: value(url, "sum(llm_budget_cost_usd_total)") == "24", "the counters")


def firing(url: str, name: str) -> list[Any]:
    return [alert for alert in ask(f"{url}/api/v1/alerts")["data"]["alerts"] if alert["labels"]["alertname"] == name]


def value(url: str, query: str) -> str:
    result = ask(f"{url}/api/v1/query", query=query)["data"]["result"]
    return result[0]["value"][1] if result else "0"
