"""Who may ask: names, scopes and tokens, in a file of the data directory."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

FIRST_USER = "grafana"
_TOKEN_BYTES = 32


def users_path(data: Path) -> Path:
    """Return the file of a data directory that lists the users."""
    return data / "sql-users.json"


def token_path(data: Path) -> Path:
    """Return the file of a data directory with the token of the first user."""
    return data / "grafana-token"


class Scope(NamedTuple):
    """The rows that somebody may see: those of an organisation and a project; None for all."""

    org: str | None = None
    project: str | None = None


@dataclass(frozen=True, slots=True)
class User:
    """A user and the hash of their token. A token has 256 random bits, so that one round of SHA-256 is enough."""

    name: str
    token_sha256: str
    org: str | None = None
    project: str | None = None

    @property
    def scope(self) -> Scope:
        """The rows that this user sees."""
        return Scope(self.org, self.project)


class BadUser(Exception):
    """A user that cannot be added or removed, or a file of users that cannot be read; the message says why."""


class Users:
    """The users of a data directory. The file is read again when it changes, so that commands need no restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._users: dict[str, User] = {}

    def authenticate(self, name: str, token: str) -> User | None:
        """Return the user whose token this is. An unknown name takes as long as a wrong token."""
        user = self._read().get(name)
        expected = user.token_sha256 if user else _hash("")
        matches = hmac.compare_digest(_hash(token), expected)
        return user if user is not None and matches else None

    def all(self) -> list[User]:
        """Return all users by name."""
        return sorted(self._read().values(), key=lambda user: user.name)

    @property
    def begun(self) -> bool:
        """Whether there is a file of users, be it empty."""
        return self._path.exists()

    def add(self, name: str, scope: Scope, token: str) -> None:
        """Add a user; of the token, only a hash is kept. Raises `BadUser` when the name is taken or none."""
        users = self._read()
        if not name or ":" in name or not name.isprintable():
            raise BadUser(f"{name!r} cannot be a user's name: it must be printable and without a colon")
        if name in users:
            raise BadUser(f"there is a user {name} already")
        self._write([*users.values(), User(name, _hash(token), scope.org, scope.project)])

    def remove(self, name: str) -> None:
        """Remove a user; raises `BadUser` when there is none of this name."""
        users = self._read()
        if name not in users:
            raise BadUser(f"there is no user {name}")
        self._write(user for user in users.values() if user.name != name)

    def _read(self) -> dict[str, User]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return {}
        seen = (found.st_mtime_ns, found.st_ino)
        if seen != self._seen:
            try:
                entries: list[dict[str, Any]] = orjson.loads(self._path.read_bytes())["users"]
                self._users = {entry["name"]: User(**entry) for entry in entries}
            except (ValueError, KeyError, TypeError) as error:
                raise BadUser(f"{self._path} cannot be read: {error}") from error
            self._seen = seen
        return dict(self._users)

    def _write(self, users: Iterable[User]) -> None:
        write_private(self._path, orjson.dumps({"users": [asdict(user) for user in users]}, option=orjson.OPT_INDENT_2))


def ensure_first_user(users: Users, token_file: Path) -> None:
    """Create the user that Grafana signs in as, with its token in a file, at the first start."""
    if users.begun:  # also when its users were removed
        return
    token = new_token()
    write_private(token_file, token.encode())
    users.add(FIRST_USER, Scope(), token)


def new_token() -> str:
    """Make a token that nobody can guess."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def write_private(path: Path, data: bytes) -> None:
    """Write a file that its owner alone may read, in one step."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    partial.replace(path)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
