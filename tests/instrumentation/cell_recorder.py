"""A plugin of pytest that notes which cells were proven, and compares them with the table in the documentation.

A run that finds LLMLAB_CELLS_FILE in its environment adds what it proved to that file. Any other run puts the variable
there for the runs that its tests start in environments of their own. If it ran the whole folder, it fails when the page
has a tick that nothing proved, or lacks one.
"""

import json
import os
from collections.abc import Generator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from instrumentation.calls_table import PAGE, Proof, read_proofs, ticks

VARIABLE = "LLMLAB_CELLS_FILE"
FOLDER = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Record the run; a conftest imports this, and a run without one is told `-p instrumentation.cell_recorder`."""
    if not config.pluginmanager.has_plugin(VARIABLE):
        directory = TemporaryDirectory()
        config.add_cleanup(directory.cleanup)
        config.pluginmanager.register(CellRecorder(Path(directory.name) / "cells.json"), VARIABLE)


class CellRecorder:
    """Follows one run of pytest."""

    def __init__(self, inner_file: Path) -> None:
        """`inner_file` is for the runs within this one."""
        self._report_to = os.environ.get(VARIABLE)
        self._inner_file = inner_file
        os.environ.setdefault(VARIABLE, str(inner_file))
        self._passed: set[Proof] = set()
        self._failed: set[Proof] = set()
        self._skipped: set[Proof] = set()
        self._is_partial = False
        self._complaints: list[str] = []

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self._is_partial |= any(item.path.is_relative_to(FOLDER) for item in items)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        proofs = {_proof(*mark.args) for mark in item.iter_markers("cell")}
        if report.failed:
            self._failed |= proofs
        elif report.skipped:
            self._skipped |= proofs
        elif report.when == "call":
            self._passed |= proofs
        return report

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        proven = self._passed - self._failed
        if self._report_to:
            _add(Path(self._report_to), proven)
            return
        del os.environ[VARIABLE]
        if self._inner_file.exists():
            proven |= read_proofs(self._inner_file)
        if session.exitstatus == 0 and self._ran_all(session.config):
            self._complaints = compare(proven, self._skipped, PAGE.read_text())
        if self._complaints:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._complaints:
            terminalreporter.section("docs/instrumentation.md", red=True)
            for complaint in self._complaints:
                terminalreporter.line(complaint)
            terminalreporter.line("hint: `make docs-table` writes the table anew")

    def _ran_all(self, config: pytest.Config) -> bool:
        places = [config.invocation_params.dir / argument for argument in config.args]
        option = config.option
        return not (self._is_partial or option.collectonly or option.ignore or option.ignore_glob) and any(
            FOLDER.is_relative_to(place.resolve()) for place in places
        )


def compare(proven: set[Proof], skipped: set[Proof], page: str) -> list[str]:
    """Return what the table on the page claims although no test proved it, and what it lacks.

    Nothing is missed of a test that was skipped, nor of an SDK that is tested elsewhere and was not tested in this run.
    """
    cells, claimed = {proof[:3] for proof in proven}, ticks(page)
    tested = {proof.sdk for proof in proven}
    missed = {cell for cell in claimed - cells if cell[0] in tested or installed_version(cell[0])}
    return [
        *(
            f"error: the table claims {' '.join(cell)}, which no test has proven"
            for cell in sorted(missed - {proof[:3] for proof in skipped})
        ),
        *(f"error: the table lacks {' '.join(cell)}" for cell in sorted(cells - claimed)),
    ]


def _proof(sdk: str, call: str, way: str) -> Proof:
    return Proof(sdk, call, way, installed_version(sdk))


def installed_version(distribution: str) -> str:
    """Return the installed version, "" where the SDK is tested in an environment of its own."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _add(file: Path, proofs: set[Proof]) -> None:
    known = read_proofs(file) if file.exists() else set[Proof]()
    file.write_text(json.dumps(sorted(known | proofs)))
