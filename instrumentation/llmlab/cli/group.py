"""Finds the commands by their entry points and imports only the one that was asked for.

A command belongs to a part of LLMLab that may not be installed; it is listed all the same, and says what it needs.
"""

from importlib.metadata import EntryPoint, entry_points

import click
from typing_extensions import override

from llmlab._version import __version__
from llmlab.cli.errors import CommandError

ENTRY_POINTS = "llmlab.commands"

SUMMARIES = {
    "status": "Show what was spent: by period, provider and model.",
    "budget": "Set budgets, and see how much of them is spent.",
    "up": "Receive spans, price them and store them, until Ctrl-C.",
    "inspect": "Show how spans are read, and which dialect reads them.",
    "reprice": "Price past calls again by the prices that are known now.",
    "prune": "Forget old calls.",
    "dead-letters": "List, retry or discard calls that the store refused.",
    "prices": "Show, compare and update the prices that calls are priced by.",
    "grafana-token": "Print the token that Grafana reads the store with.",
    "sql-users": "Say who may read the store with SQL, and which rows.",
}
"""The first line of each command's own help, so that `llmlab --help` need not import them all."""

_PARTS = {"llmlab": "cli", "llmlab_exporter": "server"}
"""Our import packages, and the extra that brings what their commands import."""


class CommandGroup(click.Group):
    """A group whose commands are entry points, loaded on demand."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, ours first."""
        found = set(entry_points(group=ENTRY_POINTS).names)
        return [name for name in SUMMARIES if name in found] + sorted(found - SUMMARIES.keys())

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None when there is none of that name."""
        return next((_load(entry) for entry in entry_points(group=ENTRY_POINTS, name=cmd_name)), None)

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with a line of help each."""
        rows = [(name, SUMMARIES.get(name) or self._summary(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _summary(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str() if command else ""


def _load(entry: EntryPoint) -> click.Command:
    try:
        return entry.load()
    except ModuleNotFoundError as error:
        part = _PARTS.get(entry.module.partition(".")[0])
        ours = (error.name or "").partition(".")[0] in _PARTS
        if part is None or ours:
            raise
        raise CommandError(
            f"'llmlab {entry.name}' needs the {part} part ({error.name} is not installed)",
            f"pip install 'llmlab[{part}]'",
        ) from error


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="llmlab %(version)s")
def llmlab() -> None:
    """Know and control what your LLM calls cost."""
