"""A disk that fills up: a small one of its own, filled to the brim by somebody else and tidied up later."""

import json
import os
import subprocess
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from e2e.traces import call, metric, post, request, span
from exporter_process import ExporterProcess, running

pytestmark = pytest.mark.e2e

MIB = 1024 * 1024
DISK_MIB = 96
MIN_FREE_MIB = 24


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 96 MiB."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(mounted)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a file system cannot be mounted: this needs root")
    yield mounted
    subprocess.run(["umount", "--lazy", str(mounted)], check=True)


def fill(disk: Path, *, leave: int) -> None:
    """Write a file so that so many MiB stay free."""
    found = os.statvfs(disk)
    rest = found.f_bavail * found.f_frsize - leave * MIB
    with (disk / "somebody-elses").open("ab") as file:
        for _ in range(rest // MIB):
            file.write(bytes(MIB))


def free(disk: Path) -> None:
    (disk / "somebody-elses").unlink()


def readiness(exporter: ExporterProcess) -> tuple[bool, dict[str, Any]]:
    try:
        return True, json.loads(exporter.get("/readyz"))
    except urllib.error.HTTPError as error:
        with error:
            return error.code != 503, json.loads(error.read())


def test_a_disk_that_is_nearly_full_is_refused_with_and_recovers_by_itself(disk: Path) -> None:
    with running(disk / "data", "--min-free-mib", str(MIN_FREE_MIB)) as exporter:
        assert post(exporter.url, request([span(1)])).status == 200
        fill(disk, leave=MIN_FREE_MIB - 4)
        answer = post(exporter.url, request([span(2)]))
        assert (answer.status, answer.headers.get("retry-after")) == (503, "1")
        assert f"{MIN_FREE_MIB} MiB must stay free".encode() in answer.body
        with pytest.raises(grpc.RpcError) as refused:
            call(exporter.grpc_port, request([span(2)]))
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE  # pyright: ignore[reportAttributeAccessIssue]
        ready, state = readiness(exporter)
        assert not ready
        assert "must stay free" in state["reason"]
        text = exporter.get("/metrics")
        for transport in ("http", "grpc"):
            name = "llmlab_exporter_refused_requests_total"
            assert metric(text, name, transport=transport, reason="disk_full") == 1
        assert metric(text, "llmlab_exporter_free_bytes") < MIN_FREE_MIB * MIB
        free(disk)
        assert post(exporter.url, request([span(2)])).status == 200
        assert readiness(exporter)[0]
        exporter.wait_until_stored(30)
        assert metric(exporter.get("/metrics"), "llm_requests_total") == 2


def test_a_disk_filled_to_the_last_byte_loses_nothing_that_was_acknowledged(disk: Path) -> None:
    with running(disk / "data", "--min-free-mib", "0") as exporter:
        accepted = 0
        fill(disk, leave=1)
        deadline = time.monotonic() + 60
        while (answer := post(exporter.url, request(span(accepted * 100 + n) for n in range(1, 101)))).status == 200:
            accepted += 1
            assert time.monotonic() < deadline, "the disk takes more than it can hold"
        assert (answer.status, answer.headers.get("retry-after")) == (503, "1")
        free(disk)
        while post(exporter.url, request(span(accepted * 100 + n) for n in range(1, 101))).status != 200:
            assert time.monotonic() < deadline, "there is room, and nothing is accepted"
            time.sleep(0.1)
        exporter.wait_until_stored(60)
        assert metric(exporter.get("/metrics"), "llm_requests_total") == (accepted + 1) * 100
        assert json.loads(exporter.get("/api/costs/summary"))["window"]["requests"] == (accepted + 1) * 100
