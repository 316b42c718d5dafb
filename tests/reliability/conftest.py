from pathlib import Path

import pytest


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A fresh data directory."""
    return tmp_path / "data"
