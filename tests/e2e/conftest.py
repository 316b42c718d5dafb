from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter_process import ExporterProcess, running


@pytest.fixture(scope="module")
def exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExporterProcess]:
    """One exporter for the tests of a module that do not stop it."""
    with running(tmp_path_factory.mktemp("exporter") / "data") as started:
        yield started


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A fresh data directory."""
    return tmp_path / "data"
