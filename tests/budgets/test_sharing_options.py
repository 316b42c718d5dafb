"""What `llmlab up` says of settings with which budgets cannot be shared."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

START = "from llmlab_exporter.cli.up import up; up()"


def refused(tmp_path: Path, *options: str, program: str = START) -> str:
    """Start an exporter that must not start, and return what it says."""
    command = [sys.executable, "-c", program, "--data", str(tmp_path / "data"), "--http-port", "0", *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_a_url_that_is_none_of_redis_is_refused(tmp_path: Path) -> None:
    said = refused(tmp_path, "--redis-url", "https://redis.example.com")
    assert "error: the URL of Redis cannot be used" in said
    assert "hint: write redis://" in said


def test_without_the_client_the_extra_is_named(tmp_path: Path) -> None:
    program = f"import sys; sys.modules['redis'] = None; {START}"
    said = refused(tmp_path, "--redis-url", "redis://127.0.0.1:1", program=program)
    assert "hint: pip install 'llmlab[server,redis]'" in said


def test_a_file_with_the_url_that_is_missing_is_named(tmp_path: Path) -> None:
    said = refused(tmp_path, "--redis-url-file", str(tmp_path / "nothing"))
    assert f"--redis-url-file: {tmp_path / 'nothing'} cannot be read" in said


def test_of_a_url_and_a_file_with_one_only_one_is_taken(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://127.0.0.1:1")
    said = refused(tmp_path, "--redis-url", "redis://127.0.0.1:2", "--redis-url-file", str(tmp_path / "url"))
    assert "both --redis-url and --redis-url-file are given" in said


def test_a_cluster_needs_a_server(tmp_path: Path) -> None:
    said = refused(tmp_path, "--clickhouse-cluster", "llmlab")
    assert "--clickhouse-cluster names no server" in said
