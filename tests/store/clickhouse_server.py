"""The embedded engine behind ClickHouse's HTTP protocol: a server for tests where no server package can be had.

It is the real engine and the real protocol as far as the client speaks it; only the listener is ours.

    python clickhouse_server.py DIRECTORY PORT
"""

import contextlib
import re
import sys
import tempfile
from pathlib import Path

import uvicorn
from chdb.session import Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

INSERT = re.compile(r"^\s*INSERT\s.*?\sFORMAT\s+(\w+)\s*$", re.IGNORECASE | re.DOTALL)
TRAILING_FORMAT = re.compile(r"\sFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)


def app(directory: str) -> Starlette:
    """Serve the engine in a directory."""
    session = Session(directory)

    async def query(request: Request) -> Response:
        body = await request.body()
        sql = request.query_params.get("query", "")
        try:
            return Response(_insert(session, sql, body) if INSERT.match(sql) else _select(session, request, sql, body))
        except Exception as error:  # noqa: BLE001 - the engine's message goes to the client, as a server would send it
            return Response(str(error), 500, headers={"X-ClickHouse-Exception-Code": "1"})

    async def ping(_: Request) -> Response:
        return Response("Ok.\n")

    return Starlette(routes=[Route("/ping", ping), Route("/", query, methods=["GET", "POST"])])


def _insert(session: Session, sql: str, body: bytes) -> bytes:
    match = INSERT.match(sql)
    assert match is not None
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        head = sql[: match.start(1)].rsplit("FORMAT", 1)[0]
        session.query(f"{head} FROM INFILE '{file.name}' FORMAT {match.group(1)}")
    return b""


def _select(session: Session, request: Request, sql: str, body: bytes) -> bytes:
    text = f"{sql}\n{body.decode()}".strip()
    output = request.query_params.get("default_format") or "TabSeparated"
    if found := TRAILING_FORMAT.search(text):
        output = found.group(1)
        text = text[: found.start()]
    for name, value in request.query_params.items():
        if name.startswith("param_"):
            quoted = value.replace("\\", "\\\\").replace("'", "\\'")
            session.query(f"SET {name} = '{quoted}'")
    return session.query(text, output).bytes()


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.run(app(sys.argv[1]), port=int(sys.argv[2]), log_level="warning")
