"""One session of the engine for one statement: its role, its scope and its limits are set, then locked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import chdb
import orjson

from llmlab_exporter.sql import functions
from llmlab_exporter.sql.access import DATABASE, READER, scope_setting
from llmlab_exporter.sql.failure import Failure, of_engine
from llmlab_exporter.sql.gate import Node
from llmlab_exporter.sql.settings import set_statement
from llmlab_exporter.sql.users import Scope

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})

_OWN_BYTES = 64 * 1024 * 1024
"""Of answers to our own questions: trees of statements, and what there is of functions."""


@dataclass(frozen=True, slots=True)
class Result:
    """An answer of the engine, and what it read for it."""

    data: bytes
    rows: int
    rows_read: int
    bytes_read: int
    elapsed_s: float


class Session:
    """A handle of an engine that is open already. It reads what readers may, from its first statement on.

    Opening one takes 1.5 ms, so that no statement finds anything of an earlier one. Not for use by several threads.
    """

    def __init__(self, engine: Path) -> None:
        self._connection: Any = chdb.connect(str(engine.resolve()))
        try:
            self._ask(f"USE {DATABASE}")
            self._ask(f"SET ROLE {READER}")
        except Failure:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def parse(self, statement: str) -> Node:
        """Return the engine's parse of one statement; raises `Failure`."""
        return orjson.loads(self._ask("SELECT parseQueryToJSON({text:String})", statement))

    def write(self, tree: Node) -> str:
        """Return the statement that a tree stands for."""
        return self._ask("SELECT formatQueryFromJSON({text:String})", orjson.dumps(tree).decode()).decode().strip()

    def plain(self, statement: str) -> str:
        """Return a statement in the engine's own spelling, on one line, without comments."""
        return self._ask("SELECT formatQuerySingleLine({text:String})", statement).decode().strip()

    def functions(self) -> functions.Functions:
        """Read which functions the engine has."""
        rows = orjson.loads(self._run(functions.QUERY, "JSONCompact", {}).data)["data"]
        return functions.read(functions.Entry(*row) for row in rows)

    def lock(self, scope: Scope, settings: Mapping[str, str]) -> None:
        """Set the scope and the settings and lock them: from here on, ClickHouse refuses to change any."""
        scoped = {"log_comment": scope_setting(scope.org, scope.project), "readonly": "1"}
        self._ask(set_statement(dict(settings) | scoped))

    def set(self, settings: Mapping[str, str]) -> None:
        """Ask a locked session for settings: the engine refuses those that would change something."""
        if settings:
            self._ask(set_statement(settings))

    def run(self, statement: str, output: str, parameters: Mapping[str, str], max_bytes: int) -> Result:
        """Run a statement that was checked; raises `Failure`, also for an answer of more bytes.

        The engine counts a constant once, however many rows have it, so its own limit does not bound the answer.
        """
        return self._run(statement, output, parameters, max_bytes)

    def _ask(self, statement: str, text: str | None = None) -> bytes:
        parameters = {} if text is None else {"text": text.translate(_ESCAPES)}
        return self._run(statement, "TSVRaw", parameters).data

    def _run(self, statement: str, output: str, parameters: Mapping[str, str], max_bytes: int = _OWN_BYTES) -> Result:
        try:
            result = self._connection.query(statement, output, params=dict(parameters))
        except Exception as error:  # the engine raises its own class, and a plain RuntimeError for some
            raise of_engine(error) from error
        if len(result) > max_bytes:
            raise Failure(396, f"Limit for result exceeded, max bytes: {max_bytes}, current bytes: {len(result)}")
        return Result(
            bytes(result.bytes()),
            result.rows_read(),
            result.storage_rows_read(),
            result.storage_bytes_read(),
            result.elapsed(),
        )


def open_session(engine: Path) -> Session:
    """Open a session; raises `Failure`."""
    try:
        return Session(engine)
    except RuntimeError as error:
        raise Failure(1001, f"the embedded engine cannot be asked: {error}") from error
