"""What pyproject.toml says about the packages is true."""

import subprocess
import sys
from importlib.metadata import EntryPoint, distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_nobody_imports_what_the_layers_forbid() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    ended = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("entry", distribution("llmlab").entry_points, ids=lambda entry: f"{entry.group}:{entry.name}")
def test_every_entry_point_leads_somewhere(entry: EntryPoint) -> None:
    assert callable(entry.load())
