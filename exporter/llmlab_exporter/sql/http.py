"""ClickHouse's HTTP interface, as far as Grafana and drivers use it: `GET /ping`, and statements on `/`."""

import asyncio
import base64
import binascii
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from llmlab_exporter.receive.body import decompress
from llmlab_exporter.receive.refusal import Refusal
from llmlab_exporter.sql import compression, formats
from llmlab_exporter.sql.failure import Failure
from llmlab_exporter.sql.queries import MAX_STATEMENT_BYTES, Answer, Engine, Queries, Question
from llmlab_exporter.sql.turns import Turns
from llmlab_exporter.sql.users import BadUser, User, Users

_NOT_SETTINGS = frozenset(
    {
        "client_protocol_version",
        "compress",
        "database",
        "decompress",
        "default_format",
        "password",
        "query",
        "query_id",
        "quota_key",
        "readonly",
        "role",
        "session_check",
        "session_id",
        "session_timeout",
        "stacktrace",
        "user",
        "log_comment",
    }
)
"""Parameters of a request that are no settings, or that mean nothing here."""
_PARAMETER = "param_"
_NEWEST_REVISION = 54460
"""Of the blocks that `native` writes; a client that asks for a later one is told this one by `revision()`."""


class SqlEndpoint:
    """Answers requests. Statements run in threads of their own, so that metrics and spans never wait for one."""

    def __init__(self, users: Users, queries: Queries, turns: Turns | None = None) -> None:
        self._users = users
        self._queries = queries
        self._turns = turns or Turns()
        self._threads = ThreadPoolExecutor(self._turns.running, thread_name_prefix="llmlab-sql")
        self._engine: Engine | None = None

    def app(self) -> Starlette:
        """Return the application to serve."""
        return Starlette(
            routes=[
                Route("/ping", _pong, methods=["GET"]),
                Route("/replicas_status", _pong, methods=["GET"]),
                Route("/", self._handle, methods=["GET", "POST"]),
            ]
        )

    def close(self) -> None:
        """Wait for the statements that run."""
        self._threads.shutdown(cancel_futures=True)

    async def _handle(self, request: Request) -> Response:
        if request.method == "GET" and "query" not in request.query_params:
            return _pong(request)
        query_id = request.query_params.get("query_id") or str(uuid.uuid4())
        try:
            user = self._authenticate(request)
            question = await self._question(request, user)
            accepted = request.headers.get("accept-encoding", "")
            async with self._turns.turn():
                ask = partial(self._ask, question, accepted, query_id)
                return await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except Failure as failure:
            return self._failed(failure, query_id)

    def _ask(self, question: Question, accepted: str, query_id: str) -> Response:
        """Answer and encode, which may take a while: in a thread, and not where spans arrive."""
        self._engine = self._engine or self._queries.engine()
        answer = self._queries.ask(question)
        zone = question.settings.get("session_timezone") or self._engine.timezone
        return _answered(answer, accepted, {"X-ClickHouse-Query-Id": _header(query_id), "X-ClickHouse-Timezone": zone})

    def _authenticate(self, request: Request) -> User:
        name, token = _credentials(request)
        try:
            user = self._users.authenticate(name, token)
        except BadUser as error:
            raise Failure(1001, str(error)) from error
        if user is None:
            raise Failure(
                516, f"{name[:100]}: Authentication failed: password is incorrect, or there is no user with such name"
            )
        return user

    async def _question(self, request: Request, user: User) -> Question:
        asked = dict(request.query_params)
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise Failure(48, "External tables and multipart requests are not supported")
        if asked.get("compress", "0") not in {"0", ""} or asked.get("decompress", "0") not in {"0", ""}:
            raise Failure(48, "Blocks of ClickHouse's own compression are not supported: ask for gzip or zstd")
        return Question(
            text=_joined(asked.get("query", ""), await _body(request)),
            scope=user.scope,
            format=asked.get("default_format") or request.headers.get("x-clickhouse-format") or formats.DEFAULT,
            database=asked.get("database") or request.headers.get("x-clickhouse-database") or "",
            settings={name: value for name, value in asked.items() if _is_setting(name)},
            parameters={name.removeprefix(_PARAMETER): asked[name] for name in asked if name.startswith(_PARAMETER)},
            revision=min(_number(asked.get("client_protocol_version", "0")), _NEWEST_REVISION),
        )

    def _failed(self, failure: Failure, query_id: str) -> Response:
        headers = {"X-ClickHouse-Exception-Code": str(failure.code), "X-ClickHouse-Query-Id": _header(query_id)}
        if failure.status == 503:
            headers["Retry-After"] = "1"
        return PlainTextResponse(failure.text(self._engine.version if self._engine else ""), failure.status, headers)


def _pong(_: Request) -> Response:
    return PlainTextResponse("Ok.\n")


def _answered(answer: Answer, accepted: str, headers: dict[str, str]) -> Response:
    result = answer.result
    summary = {
        "read_rows": result.rows_read,
        "read_bytes": result.bytes_read,
        "result_rows": result.rows,
        "result_bytes": len(answer.data),
        "elapsed_ns": round(result.elapsed_s * 1e9),
    }
    headers |= {
        "Content-Type": formats.content_type(answer.format),
        "X-ClickHouse-Format": answer.format,
        "X-ClickHouse-Server-Display-Name": "llmlab",
        "X-ClickHouse-Summary": orjson.dumps({name: str(value) for name, value in summary.items()}).decode(),
    }
    encoding = compression.choose(accepted, len(answer.data))
    if encoding:
        headers["Content-Encoding"] = encoding
    return Response(compression.encode(answer.data, encoding), headers=headers)


def _credentials(request: Request) -> tuple[str, str]:
    """Return a name and a token: from ClickHouse's headers, basic authentication, or the URL."""
    headers, asked = request.headers, request.query_params
    if "x-clickhouse-user" in headers or "x-clickhouse-key" in headers:
        return headers.get("x-clickhouse-user", ""), headers.get("x-clickhouse-key", "")
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, token = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise Failure(516, "Authentication failed: the credentials cannot be read") from None
        return name, token
    return asked.get("user", ""), asked.get("password", "")


async def _body(request: Request) -> str:
    parts: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_STATEMENT_BYTES:
                raise Failure(62, f"The statement is longer than {MAX_STATEMENT_BYTES} bytes")
            parts.append(chunk)
        encoding = request.headers.get("content-encoding", "")
        return decompress(b"".join(parts), encoding, MAX_STATEMENT_BYTES).decode()
    except (ClientDisconnect, Refusal) as error:
        raise Failure(36, f"The request cannot be read: {error}") from error
    except UnicodeDecodeError:
        raise Failure(62, "The statement is not UTF-8") from None


def _joined(query: str, body: str) -> str:
    return f"{query}\n{body}" if query and body else query or body


def _is_setting(name: str) -> bool:
    return name not in _NOT_SETTINGS and not name.startswith(_PARAMETER)


def _number(text: str) -> int:
    try:
        return max(0, int(text))
    except ValueError:
        raise Failure(36, f"client_protocol_version must be a number, not {text[:100]!r}") from None


def _header(text: str) -> str:
    """Make a text fit for a header: what clients send back to themselves may hold anything."""
    return "".join(sign for sign in text[:200] if sign.isascii() and sign.isprintable())
