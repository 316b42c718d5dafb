"""A SQL endpoint over an embedded engine of its own, with the rows of three organisations."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import clickhouse_connect
import urllib3
import uvicorn
from clickhouse_connect.driver.client import Client

from llmlab_exporter.sql.access import write_engine_config
from llmlab_exporter.sql.http import SqlEndpoint
from llmlab_exporter.sql.queries import Queries
from llmlab_exporter.sql.settings import Limits
from llmlab_exporter.sql.turns import Turns
from llmlab_exporter.sql.users import Scope, Users, new_token, users_path
from llmlab_exporter.store.store import Store, open_embedded

CALLS = 3000
"""Of them, a third is each organisation's, half of that each project's."""
_MIB = 1024 * 1024
LIMITS = Limits(max_execution_time=1.5, max_result_rows=20_000, max_result_bytes=8 * _MIB, max_memory_usage=256 * _MIB)
SCOPES = {
    "all": Scope(),
    "acme": Scope("acme"),
    "acme-web": Scope("acme", "web"),
    "every-web": Scope(None, "web"),
    "nameless": Scope(""),
    "quoted": Scope("o'\\ro\n"),
}
_ROWS = f"""
INSERT INTO {{database}}.llm_calls
    (org, project, started_at, trace_id, span_id, model, user_id, billable, cost_usd, input_tokens, version)
SELECT ['acme', 'globex', 'initech'][number % 3 + 1] AS org, if(number % 2, 'web', 'ops') AS project,
    toDateTime64('2026-11-01 00:00:00', 9, 'UTC') + number, toString(number), 's', 'model-of-' || org,
    'user-of-' || org || '-' || toString(number), true, toDecimal128('0.5', 24), number, {{version:UInt32}}
FROM numbers({CALLS})
"""


@dataclass(frozen=True)
class Endpoint:
    """An endpoint that listens."""

    port: int
    data: Path
    store: Store
    tokens: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def client(self, user: str = "all", **options: object) -> Client:
        """Connect as a client of ClickHouse."""
        return clickhouse_connect.get_client(
            host="127.0.0.1",
            port=self.port,
            username=user,
            password=self.tokens[user],
            autogenerate_session_id=False,
            query_retries=0,
            **options,  # pyright: ignore[reportArgumentType]
        )

    def post(self, statement: str | bytes, user: str = "all", /, **parameters: str) -> urllib3.BaseHTTPResponse:
        """Post a statement; the answer comes as it is, whatever its status."""
        headers = {"X-ClickHouse-User": user, "X-ClickHouse-Key": self.tokens[user]}
        return urllib3.request(
            "POST", f"{self.url}?{urlencode(parameters)}", body=statement, headers=headers, retries=False, timeout=60
        )


@contextmanager
def running(data: Path, limits: Limits = LIMITS, turns: Turns | None = None) -> Generator[Endpoint]:
    """Run an endpoint on a free port."""
    config = data / "access.xml"
    write_engine_config(config)
    store = open_embedded(data / "clickhouse", config)
    store.migrate()
    for version in (1, 2):
        store.command(_ROWS, {"version": version})
    users = Users(users_path(data))
    tokens = {name: new_token() for name in SCOPES}
    for name, scope in SCOPES.items():
        users.add(name, scope, tokens[name])
    endpoint = SqlEndpoint(users, Queries(data / "clickhouse", lambda: store, limits), turns)
    server = uvicorn.Server(uvicorn.Config(endpoint.app(), port=0, log_config=None, lifespan="off"))
    serving = threading.Thread(target=server.run)
    serving.start()
    try:
        yield Endpoint(_port(server), data, store, tokens)
    finally:
        server.should_exit = True
        serving.join()
        endpoint.close()
        store.close()


def _port(server: uvicorn.Server) -> int:
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline, "the endpoint does not start"
        time.sleep(0.01)
    return server.servers[0].sockets[0].getsockname()[1]
