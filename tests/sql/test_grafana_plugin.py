"""The driver of Grafana's ClickHouse plugin (clickhouse-go) against the endpoint."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from servers import needs
from sql.endpoint import CALLS, Endpoint

SOURCE = Path(__file__).with_name("go")
CACHE = Path(__file__).parents[2] / ".cache" / "sql-client"

pytestmark = [needs("go"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def client() -> Path:
    """The driver in a program of ours, built once."""
    program = CACHE / "client"
    CACHE.mkdir(parents=True, exist_ok=True)
    go = shutil.which("go") or "go"
    built = subprocess.run([go, "build", "-o", program, "."], cwd=SOURCE, capture_output=True, text=True, check=False)
    if built.returncode and not os.environ.get("CI"):
        pytest.skip(f"the driver cannot be built here: {built.stderr.strip().splitlines()[-1]}")
    assert built.returncode == 0, built.stderr
    return program


def ask(client: Path, endpoint: Endpoint, statement: str, user: str = "all") -> list[Any]:
    command = [client, f"127.0.0.1:{endpoint.port}", user, endpoint.tokens[user], statement]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise LookupError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_driver_reads_calls(client: Path, endpoint: Endpoint) -> None:
    rows = ask(
        client, endpoint, "SELECT org, count(), toFloat64(sum(cost_usd)) FROM current_calls GROUP BY 1 ORDER BY 1"
    )
    third = CALLS // 3
    assert rows == [[org, third, third / 2] for org in ("acme", "globex", "initech")]


def test_the_driver_reads_every_type_of_our_columns(client: Path, endpoint: Endpoint) -> None:
    (row,) = ask(client, endpoint, "SELECT * FROM current_calls ORDER BY input_tokens DESC LIMIT 1")
    assert row[:3] == ["initech", "web", "2026-11-01T00:49:59Z"]
    assert len(row) == endpoint.client().query("DESCRIBE TABLE current_calls").row_count


def test_the_driver_reads_many_blocks_of_nested_types(client: Path, endpoint: Endpoint) -> None:
    rows = ask(
        client,
        endpoint,
        "SELECT number, range(toUInt32(number % 3)), map('k', toString(number)),"
        " toLowCardinality(toNullable(toString(number % 7))),"
        " arrayMap(x -> toLowCardinality(toString(x)), range(number % 2)), NULL FROM numbers(15000)",
    )
    assert rows == [
        [n, list(range(n % 3)), {"k": str(n)}, str(n % 7), [str(x) for x in range(n % 2)], None] for n in range(15000)
    ]


def test_the_driver_is_told_of_errors(client: Path, endpoint: Endpoint) -> None:
    with pytest.raises(LookupError, match="code: 446, message: Function file is not available here"):
        ask(client, endpoint, "SELECT file('/etc/passwd')")


def test_the_driver_sees_the_rows_of_its_user_alone(client: Path, endpoint: Endpoint) -> None:
    assert ask(client, endpoint, "SELECT DISTINCT org FROM current_calls", "acme") == [["acme"]]


def test_the_driver_sees_the_schema(client: Path, endpoint: Endpoint) -> None:
    assert ask(client, endpoint, "SHOW DATABASES") == [["llmlab"]]
    assert ["current_calls"] in ask(client, endpoint, 'SHOW TABLES FROM "llmlab"')
    assert ask(client, endpoint, 'DESC TABLE "llmlab"."current_calls"')[0][:2] == ["org", "LowCardinality(String)"]
