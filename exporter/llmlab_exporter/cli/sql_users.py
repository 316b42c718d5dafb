"""`llmlab sql-users` and `llmlab grafana-token`: who may ask the SQL endpoint. A running exporter notices changes."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from platformdirs import user_data_path

from llmlab_exporter.sql.users import (
    FIRST_USER,
    BadUser,
    Scope,
    Users,
    ensure_first_user,
    new_token,
    token_path,
    users_path,
)


def _on_data(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--data`, and turn what goes wrong with the directory or a user into an error message."""

    @click.option("--data", type=click.Path(path_type=Path), envvar="LLMLAB_DATA", help="Directory for the data.")
    @functools.wraps(command)
    def wrapped(data: Path | None, **arguments: Any) -> None:
        directory = data or user_data_path("llmlab")
        try:
            command(directory, **arguments)
        except BadUser as error:
            _fail(str(error), "llmlab sql-users list shows all users")
        except OSError as error:
            _fail(f"{directory} cannot be used: {error.strerror}", "name the exporter's directory with --data DIR")

    return wrapped


@click.group("sql-users", context_settings={"help_option_names": ["-h", "--help"]})
def sql_users() -> None:
    """Say who may read the store with SQL, and which rows."""


@sql_users.command()
@click.argument("name")
@click.option("--org", help="Only the rows of this organisation.")
@click.option("--project", help="Only the rows of this project.")
@_on_data
def add(data: Path, name: str, org: str | None, project: str | None) -> None:
    """Add a user and print the token, which is shown this once."""
    data.mkdir(parents=True, exist_ok=True)
    token = new_token()
    Users(users_path(data)).add(name, Scope(org, project), token)
    click.echo(token)


@sql_users.command("list")
@_on_data
def list_users(data: Path) -> None:
    """List the users and what they see."""
    for user in Users(users_path(data)).all():
        click.echo(f"{user.name}  {_rows(user.scope)}")


@sql_users.command("rm")
@click.argument("name")
@_on_data
def remove(data: Path, name: str) -> None:
    """Remove a user; their token works no longer."""
    Users(users_path(data)).remove(name)
    if name == FIRST_USER:
        token_path(data).unlink(missing_ok=True)


@click.command("grafana-token")
@_on_data
def grafana_token(data: Path) -> None:
    """Print the token that Grafana reads the store with."""
    data.mkdir(parents=True, exist_ok=True)
    ensure_first_user(Users(users_path(data)), token_path(data))
    try:
        click.echo(token_path(data).read_text())
    except FileNotFoundError:
        _fail(f"the user {FIRST_USER} was removed", f"add one: llmlab sql-users add {FIRST_USER}")


def _rows(scope: Scope) -> str:
    named = [f"{kind} {value}" for kind, value in zip(("org", "project"), scope, strict=True) if value is not None]
    return ", ".join(named) or "all rows"


def _fail(message: str, hint: str) -> None:
    click.echo(f"error: {message}\nhint: {hint}", err=True)
    sys.exit(1)
