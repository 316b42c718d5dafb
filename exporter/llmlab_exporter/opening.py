"""Opens what an exporter needs and a person may have set up wrong: each failure says what is wrong and what to do."""

import importlib
import sqlite3
from pathlib import Path

from llmlab_exporter.budgets.registry import Budgets, UnusableFile
from llmlab_exporter.budgets.shared.board import Board
from llmlab_exporter.config import StartupError
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.ledger.recent import Limits
from llmlab_exporter.ledger.schema import LedgerTooNew
from llmlab_exporter.ledger.writer import Writer

_UNUSABLE = {
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
}
"""What SQLite says of a file, and not of a statement of ours."""


def open_budgets(path: Path | None, book: Book, writer: Writer) -> Budgets:
    """Read the budgets of a file, if there is one, and those of the ledger. Raises `StartupError`."""
    try:
        return Budgets(path, book, writer)
    except UnusableFile as error:
        raise StartupError(str(error), "correct the file, or start without --budgets") from error


def open_board(url: str) -> Board:
    """Return the Redis over which budgets are shared; it is connected to later. Raises `StartupError`."""
    try:
        # Not imported above: Redis is an extra, which those do not have who run one exporter.
        module = importlib.import_module("llmlab_exporter.budgets.shared.redis_board")
    except ImportError as error:
        raise StartupError(
            f"sharing budgets needs the Redis client ({error})", "pip install 'llmlab[server,redis]'"
        ) from error
    try:
        return module.RedisBoard(url)
    except ValueError as error:
        raise StartupError(
            f"the URL of Redis cannot be used: {error}", "write redis://:password@host:6379/0, or rediss:// for TLS"
        ) from error


def open_ledger(path: Path, remembered: Limits) -> Book:
    """Open or begin a ledger. Raises `StartupError`."""
    try:
        return Book(path, remembered)
    except LedgerTooNew as error:
        raise StartupError(
            f"{path} was written by a later LLMLab: {error}",
            "start that one, or name another directory with --data DIR",
        ) from error
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in _UNUSABLE:  # the lower byte is the kind of error
            raise
        raise StartupError(
            f"the ledger {path} cannot be opened: {error}",
            "repair its disk or restore it from a backup; moved away, sums begin anew, and stored calls stay",
        ) from error
