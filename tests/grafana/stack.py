"""What dashboards are tested against: calls that a real exporter has priced, the real engine, and a real Prometheus."""

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.ports import free_port
from exporter_process import ExporterProcess, running
from grafana.history import Growth, open_metrics, scrapes
from grafana.month import calls, requests
from llmlab_exporter.sql.users import FIRST_USER, token_path

_START_TIMEOUT_S = 60
_FILES = {
    "prices": "discounts: [{project: platform, percent: 5}]\n",
    "budgets": "budgets: {company: {limit: 1250}, platform: {limit: 450, scope: {project: platform}}}\n",
}
"""Options of the exporter, and what is in the files they name."""

_BLOCK = "162h"
"""Few blocks: promtool reads the whole file for each."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Where the two data sources answer."""

    clickhouse: str
    """The exporter's SQL endpoint, with the name and the token of its first user."""
    prometheus: str
    scrape_interval_s: int = 60
    """Of the last day."""
    exposed: str = ""
    """What the exporter says on `/metrics`."""

    def select(self, sql: str) -> list[dict[str, Any]]:
        """Ask ClickHouse; raises AssertionError with the engine's message."""
        url = urllib.parse.urlsplit(self.clickhouse)
        headers = {"X-ClickHouse-User": url.username or "", "X-ClickHouse-Key": url.password or ""}
        address = f"http://{url.hostname}:{url.port}/"
        request = urllib.request.Request(address, f"{sql}\nFORMAT JSON".encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error.read().decode()}\n{sql}") from error

    def get(self, path: str, **parameters: object) -> Any:
        """Ask Prometheus; raises AssertionError with its message."""
        try:
            query = urllib.parse.urlencode(parameters, doseq=True)
            with urllib.request.urlopen(f"{self.prometheus}/api/v1/{path}?{query}", timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error.read().decode()}\n{parameters}") from error


def send(exporter: ExporterProcess, share: float) -> None:
    """Send the calls, and wait until they are stored."""
    for body in requests(calls(share)):
        request = urllib.request.Request(f"{exporter.url}/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.read() == b"", "spans were rejected"
    exporter.wait_until_stored()


@contextmanager
def stack(folder: Path, share: float, scale: int) -> Generator[Stack]:
    """Fill and run both data sources; `share` and `scale` thin out calls and scrapes."""
    data = folder / "data"
    settings = [part for name, text in _FILES.items() for part in (f"--{name}", _written(folder, name, text))]
    with running(data, "--sql-port", "0", *settings) as exporter:
        send(exporter, share)
        port = json.loads(data.with_name("data.ready.json").read_text())["sql_port"]
        clickhouse = f"http://{FIRST_USER}:{token_path(data).read_text()}@127.0.0.1:{port}"
        _write_history(Stack(clickhouse, ""), folder, share, scale)
        with _prometheus(folder, scale) as prometheus:
            yield Stack(clickhouse, prometheus, 60 * scale, exporter.get("/metrics"))


def _written(folder: Path, name: str, text: str) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return str(path)


def _write_history(clickhouse: Stack, folder: Path, share: float, scale: int) -> None:
    growth = Growth(lambda sql: [tuple(row.values()) for row in clickhouse.select(sql)], scrapes(scale=scale), share)
    history = folder / "history.txt"
    with history.open("w") as file:
        file.writelines(open_metrics(growth))
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", f"--max-block-duration={_BLOCK}"]
    subprocess.run([*command, str(history), str(folder / "prometheus")], check=True, capture_output=True)
    history.unlink()


@contextmanager
def _prometheus(folder: Path, scale: int) -> Generator[str]:
    config = folder / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1h}\n")
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        "--storage.tsdb.retention.time=50y",  # the calls are always those of the same two months
        f"--query.lookback-delta={16 * scale}m",  # the older scrapes lie a quarter of an hour apart
        f"--web.listen-address={address}",
    ]
    with _server(command, f"http://{address}/-/ready", folder / "prometheus.log"):
        yield f"http://{address}"


@contextmanager
def _server(command: list[str], ready: str, log: Path) -> Generator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        _wait(process, ready, log)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: "subprocess.Popen[bytes]", ready: str, log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(ready, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{ready} does not answer:\n{log.read_text()}")
