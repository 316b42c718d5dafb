"""Prometheus and Alertmanager of several releases, as processes on free loopback ports."""

import json
import os
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from e2e.ports import free_port

Found = TypeVar("Found")

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "prometheus"
START_TIMEOUT_S = 30

_UNPACKED = ROOT / ".cache" / "debian"


class Release:
    """Where the programs of one release of Debian are: "" for the one that this machine runs."""

    def __init__(self, name: str) -> None:
        self.name = name

    def program(self, name: str) -> Path:
        """Return the path of a program. A test skips where it is missing, and fails there in CI."""
        found = self._find(name)
        if found is None:
            where = f" of Debian {self.name}" if self.name else ""
            reason = f"there is no {name}{where}: run tests/install-servers"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        return found

    def _find(self, name: str) -> Path | None:
        if not self.name:
            found = shutil.which(name)
            return Path(found) if found else None
        path = _UNPACKED / self.name / "root" / "usr" / "bin" / name
        return path if path.exists() else None

    def __repr__(self) -> str:
        return self.name or "machine"


MACHINE, TRIXIE, TESTING = Release(""), Release("trixie"), Release("testing")

PROMETHEUS = (MACHINE, TESTING)
"""2.42 on Debian 12, and 3.x."""
ALERTMANAGER = (TRIXIE, TESTING)
"""0.28, the oldest that is supported, and the newest."""


def run(program: Path, *arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, cwd=cwd, timeout=120)


def ask(url: str, **parameters: str) -> Any:
    """Return the JSON that a GET answers with."""
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    with urllib.request.urlopen(f"{url}{query}", timeout=10) as answer:
        return json.load(answer)


def wait_for(find: Callable[[], Found | None], what: str, timeout_s: float = 60) -> Found:
    """Return what is found as soon as something is."""
    deadline = time.monotonic() + timeout_s
    while not (found := find()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s} s for {what}")
        time.sleep(0.1)
    return found


@contextmanager
def running(command: list[str | Path], ready_url: str, log: Path) -> Generator[None]:
    """Run a server until the block ends."""
    with log.open("a") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while not _answers(ready_url):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()}")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(20)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def hurried(source: Path, target: Path) -> None:
    """Copy rules so that they are evaluated every second and wait for nothing."""
    target.mkdir()
    for path in source.glob("*.yml"):
        rules: Any = yaml.safe_load(path.read_text())
        for group in rules["groups"]:
            group["interval"] = "1s"
            for rule in group["rules"]:
                rule.pop("for", None)
        (target / path.name).write_text(yaml.safe_dump(rules))


@contextmanager
def prometheus(
    release: Release,
    directory: Path,
    exporter: str,
    alertmanager: str = "",
    options: tuple[str, ...] = (),
    others: Sequence[str] = (),
) -> Generator[str]:
    """Run the shipped configuration against an exporter, and others beside it, hurried; yields the URL.

    Addresses are `host:port`.
    """
    config: Any = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    addresses = {"exporter:4318": exporter, "alertmanager:9093": alertmanager}
    config["scrape_configs"] = [_aimed(job, addresses) for job in config["scrape_configs"] if _is_there(job, addresses)]
    config["scrape_configs"][0]["static_configs"][0]["targets"] += others
    del config["scrape_configs"][0]["dns_sd_configs"]  # names of containers
    config["alerting"]["alertmanagers"] = [
        _aimed(each, addresses) for each in config["alerting"]["alertmanagers"] if _is_there(each, addresses)
    ]
    hurried(SHIPPED / "rules", directory / "rules")
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        release.program("prometheus"),
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        *options,
    ]
    url = f"http://127.0.0.1:{port}"
    with running(command, f"{url}/-/ready", directory / "prometheus.log"):
        yield url


def _is_there(configured: Any, addresses: dict[str, str]) -> bool:
    return all(addresses.get(target) for each in configured["static_configs"] for target in each["targets"])


def _aimed(configured: Any, addresses: dict[str, str]) -> Any:
    statics = [{"targets": [addresses[target] for target in each["targets"]]} for each in configured["static_configs"]]
    return {**configured, "static_configs": statics}


@contextmanager
def alertmanager(release: Release, directory: Path, config: Path) -> Generator[str]:
    """Run an Alertmanager; yields its address, `host:port`."""
    address = f"127.0.0.1:{free_port()}"
    command = [
        release.program("prometheus-alertmanager"),
        f"--config.file={config}",
        f"--storage.path={directory / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    with running(command, f"http://{address}/-/ready", directory / "alertmanager.log"):
        yield address
