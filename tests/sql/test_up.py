"""`llmlab up` as a user starts it: spans go in over OTLP, and SQL comes out."""

import json
import socket
import subprocess
import threading
from pathlib import Path

import clickhouse_connect
import pytest
import urllib3
from clickhouse_connect.driver.client import Client

from e2e.traces import post_spans
from exporter_process import LLMLAB, running
from llmlab_exporter.sql.users import token_path

pytestmark = pytest.mark.e2e


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def sql_port(data: Path) -> int:
    return json.loads(data.with_name(f"{data.name}.ready.json").read_text())["sql_port"]


def connect(data: Path) -> Client:
    return clickhouse_connect.get_client(
        host="127.0.0.1",
        port=sql_port(data),
        username="grafana",
        password=token_path(data).read_text(),
        database="llmlab",
        autogenerate_session_id=False,
    )


def test_calls_come_out_as_rows_also_after_a_restart(data: Path) -> None:
    question = "SELECT count(), countIf(cost_usd > 0), any(model) FROM current_calls"
    with running(data, "--sql-port", "0") as exporter:
        post_spans(exporter.url, range(1, 101))
        exporter.wait_until_stored()
        assert connect(data).query(question).result_rows == [(100, 100, "gpt-5-mini-2025-08-07")]
        assert f"http://127.0.0.1:{sql_port(data)}, user grafana" in exporter.log.read_text()
    with running(data, "--sql-port", "0"):
        assert connect(data).query(question).result_rows == [(100, 100, "gpt-5-mini-2025-08-07")]
        assert connect(data).query("SHOW TABLES").row_count == 3


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [LLMLAB, "up", "--data", str(data), "--grpc-port", "0", "--http-port", "0", "--sql-port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert f"error: port {port} on 127.0.0.1 cannot be used" in ended.stderr
    assert "--sql-port 0 picks a free one" in ended.stderr


def test_without_a_wish_two_exporters_find_a_port_each(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with running(first), running(second):
        assert sql_port(first) != sql_port(second)
        assert connect(first).command("SELECT 1") == connect(second).command("SELECT 1") == 1


def test_beside_a_clickhouse_server_there_is_no_endpoint(data: Path) -> None:
    with running(data, "--clickhouse-url", "http://127.0.0.1:1"):
        assert sql_port(data) is None
        assert not token_path(data).exists()


def test_a_statement_that_runs_does_not_keep_the_exporter_from_stopping(data: Path) -> None:
    with running(data, "--sql-port", "0") as exporter:
        asking = threading.Thread(target=_ask_endlessly, args=(data,))
        asking.start()
        _until_it_runs(data)
        exporter.stop()
        asking.join(30)
    assert not asking.is_alive()


def _ask_endlessly(data: Path) -> None:
    headers = {"X-ClickHouse-User": "grafana", "X-ClickHouse-Key": token_path(data).read_text()}
    url = f"http://127.0.0.1:{sql_port(data)}/"
    urllib3.request("POST", url, body="SELECT count() FROM numbers(1e15)", headers=headers, timeout=60)


def _until_it_runs(data: Path) -> None:
    """A statement after the slow one has begun: two run at once."""
    assert connect(data).command("SELECT 1") == 1
