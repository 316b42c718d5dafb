import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points

import click
import pytest

from cli.prepared import Exporter
from llmlab import __version__
from llmlab.cli.errors import CommandError
from llmlab.cli.group import ENTRY_POINTS, SUMMARIES, llmlab


def test_help_lists_every_command(exporter: Exporter) -> None:
    shown = exporter.run("--help").stdout
    for name, summary in SUMMARIES.items():
        assert f"  {name} " in shown
        assert summary in shown


@pytest.mark.parametrize("entry", entry_points(group=ENTRY_POINTS), ids=lambda entry: entry.name)
def test_the_listed_summary_is_the_commands_own(entry: EntryPoint) -> None:
    command = entry.load()
    assert command.get_short_help_str(limit=200) == SUMMARIES[entry.name]


def test_the_version_is_the_packages(exporter: Exporter) -> None:
    assert exporter.run("--version").stdout == f"llmlab {__version__}\n"


def test_help_imports_no_command() -> None:
    code = """
import sys
from llmlab.cli.group import llmlab
llmlab(["--help"], standalone_mode=False)
print([name for name in sys.modules if name.startswith(("llmlab_exporter", "llmlab.cli.status", "rich", "urllib3"))])
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"


def test_an_unknown_command_is_refused(exporter: Exporter) -> None:
    shown = exporter.run("stauts")
    assert shown.returncode == 2
    assert "No such command 'stauts'" in shown.stderr


def load_without(module: str, package: str, monkeypatch: pytest.MonkeyPatch) -> click.Command | None:
    """Load a command whose module needs a package that is not installed."""

    def refuse(entry: EntryPoint) -> None:
        raise ModuleNotFoundError(f"No module named '{package}'", name=package)

    monkeypatch.setattr(EntryPoint, "load", refuse)
    entry = EntryPoint(name="up", value=f"{module}:up", group=ENTRY_POINTS)

    def found(**_: str) -> list[EntryPoint]:
        return [entry]

    monkeypatch.setattr("llmlab.cli.group.entry_points", found)
    assert isinstance(llmlab, click.Group)
    return llmlab.get_command(click.Context(llmlab), "up")


def test_a_command_of_a_missing_part_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError) as caught:
        load_without("llmlab_exporter.cli.up", "chdb", monkeypatch)
    assert caught.value.message == "'llmlab up' needs the server part (chdb is not installed)"
    assert caught.value.hint == "pip install 'llmlab[server]'"


@pytest.mark.parametrize(
    ("module", "package"), [("llmlab_exporter.cli.up", "llmlab_exporter.lost"), ("somebodys.plugin", "chdb")]
)
def test_a_bug_is_not_mistaken_for_a_missing_part(module: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModuleNotFoundError):
        load_without(module, package, monkeypatch)
