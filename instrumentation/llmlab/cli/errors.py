"""How a command says that it cannot go on."""

from typing import IO, Any

import click
from typing_extensions import override


class CommandError(click.ClickException):
    """What happened, and what to do next. Ends the command with exit code 1."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    @override
    def show(self, file: IO[Any] | None = None) -> None:
        """Print `error: ...` and `hint: ...` to standard error."""
        click.echo(f"error: {self.message}\nhint: {self.hint}", file=file, err=file is None)
