"""The walk of docs/provenance.md, as it stands there."""

import os
import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from environments import ROOT
from exporter_process import LLMLAB, running
from readme.shell import Shell, blocks

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("curl") is None, reason="the page uses curl"),
]

PAGE = blocks((ROOT / "docs" / "provenance.md").read_text())
STEPS = [
    (block.text, following.text)
    for block, following in pairwise(PAGE)
    if block.language == "bash" and following.language == "text"
]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    prices = tmp_path / "prices.yaml"
    prices.write_text("prices: {}\n")
    with running(tmp_path / "data", "--prices", str(prices)) as exporter:
        path = f"{Path(LLMLAB).parent}{os.pathsep}{os.environ['PATH']}"
        yield Shell(tmp_path, {"PATH": path, "HOME": str(tmp_path), "LLMLAB_URL": exporter.url})


def spaced(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_every_command_of_the_walk_prints_what_the_page_shows(shell: Shell) -> None:
    assert len(STEPS) == sum(block.language == "bash" for block in PAGE) == 9
    for command, shown in STEPS:
        printed = spaced(shell.run(command))
        for line in shown.splitlines():
            assert spaced(line).strip() in printed, f"{command}\nprinted\n{printed}"
