"""From a statement to its answer: parse, check, write anew, check again, lock, run."""

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from llmlab_exporter.sql import catalogue, filters, formats, gate
from llmlab_exporter.sql.access import DATABASE
from llmlab_exporter.sql.failure import Failure
from llmlab_exporter.sql.functions import Functions
from llmlab_exporter.sql.gate import Checked
from llmlab_exporter.sql.native import reencode
from llmlab_exporter.sql.session import Result, Session, open_session
from llmlab_exporter.sql.settings import Limits, refused, session_settings
from llmlab_exporter.sql.users import Scope
from llmlab_exporter.store.store import Store

MAX_STATEMENT_BYTES = 256 * 1024
_OPENING_S = 5.0
_NAME = r"(\w+|`(?:[^`\\]|\\.)+`)"
_DESCRIBE = re.compile(rf"DESCRIBE(?: TABLE)? (?:{_NAME}\.)?{_NAME}(?: FORMAT (\w+))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A statement as it came, and what came with it."""

    text: str
    scope: Scope
    format: str = formats.DEFAULT
    """When the statement names none."""
    database: str = DATABASE
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    """Values of `{name:Type}` in the statement."""
    revision: int = 0
    """The revision of the protocol that blocks of Native are written for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine answered, and in which format."""

    data: bytes
    format: str
    result: Result


class Engine(NamedTuple):
    """What clients are told of the engine."""

    version: str
    timezone: str


class Queries:
    """Asks the embedded engine. Several threads may ask at once."""

    def __init__(self, engine: Path, store: Callable[[], Store | None], limits: Limits | None = None) -> None:
        self._engine = engine
        self._store = store
        self._limits = limits or Limits()
        self._preparing = threading.Lock()
        self._prepared: Store | None = None
        self._functions: Functions | None = None

    def ask(self, question: Question) -> Answer:
        """Answer a question; raises `Failure`."""
        if question.database not in {"", "default", DATABASE}:
            raise Failure(81, f"Database {question.database[:100]} does not exist")
        if len(question.text.encode()) > MAX_STATEMENT_BYTES:
            raise Failure(62, f"The statement is longer than {MAX_STATEMENT_BYTES} bytes", "SYNTAX_ERROR")
        self._prepare()
        with open_session(self._engine) as session:
            statement, checked = self._checked(session, question.text)
            output = formats.find(checked.format or question.format)
            settings = {**question.settings, **checked.settings}
            narrowed = self._filters(session, settings.pop(filters.SETTING, ""), checked.filters)
            session.lock(question.scope, session_settings(settings, self._limits) | narrowed)
            session.set(refused(settings))
            result = session.run(statement, output, question.parameters, self._limits.max_result_bytes)
        data = reencode(result.data, question.revision) if output == "Native" else result.data
        return Answer(data, output, result)

    def engine(self) -> Engine:
        """Say what the engine is."""
        with open_session(self._engine) as session:
            version, timezone = session.run("SELECT version(), timezone()", "TSVRaw", {}, 1000).data.decode().split()
        return Engine(version, timezone)

    def _checked(self, session: Session, text: str) -> tuple[str, Checked]:
        """Return what may run in place of a text, and what else it asks for.

        What runs is written by the engine from the tree that was checked, and its own parse is checked again, so that
        whatever the engine may misspell, nothing runs unchecked.
        """
        functions = self._known_functions(session)
        try:
            tree = session.parse(text)
        except Failure as failure:
            return _described(session, text, failure)
        checked = gate.check(tree, functions)
        statement = session.write(checked.tree)
        again = gate.check(session.parse(statement), functions)
        if again.format or again.settings or again.filters:
            raise Failure(48, "This statement cannot be read twice alike: write it in a simpler way")
        return statement, checked

    def _filters(self, session: Session, in_url: str, in_statement: Mapping[str, str]) -> dict[str, str]:
        """Return the setting for conditions from the URL, the statement, or both."""
        conditions = filters.read(session, in_url) if in_url else {}
        return filters.check(session, conditions | dict(in_statement), self._known_functions(session))

    def _prepare(self) -> None:
        """Create the views of the catalogue, once, when the store is open."""
        store = self._opened_store()
        with self._preparing:
            if self._prepared is not store:
                for statement in catalogue.statements():
                    store.command(statement)
                self._prepared = store

    def _opened_store(self) -> Store:
        """Wait for the store: at its start, an exporter listens a moment before it."""
        deadline = time.monotonic() + _OPENING_S
        while (store := self._store()) is None:
            if time.monotonic() > deadline:
                raise Failure(210, "The store is not open: the exporter's log says why")
            time.sleep(0.02)
        return store

    def _known_functions(self, session: Session) -> Functions:
        if self._functions is None:
            self._functions = session.functions()
        return self._functions


def _described(session: Session, text: str, failure: Failure) -> tuple[str, Checked]:
    """Accept DESCRIBE TABLE, of which the engine writes no tree; its grants decide on which table."""
    if failure.code != 36:  # BAD_ARGUMENTS: a statement of another kind, not one that is misspelt
        raise failure
    found = _DESCRIBE.fullmatch(session.plain(text))
    if found is None:
        raise Failure(164, "Only a single SELECT, SHOW TABLES, SHOW DATABASES or DESCRIBE TABLE is allowed here")
    database, table, output = found.groups()
    return f"DESCRIBE TABLE {database or DATABASE}.{table}", Checked({}, output or "", {}, {})
