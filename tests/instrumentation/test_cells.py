"""The table of tested calls cannot lie: a tick is a test that passed, and the oldest versions are those declared."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from environments import ROOT
from instrumentation.calls_table import (
    BEGIN,
    END,
    OLDEST,
    Proof,
    oldest_versions,
    read_oldest,
    render,
    replace,
    ticks,
    versions,
)
from instrumentation.calls_table import PAGE as DOCUMENTATION
from instrumentation.cell_recorder import VARIABLE, compare, installed_version
from llmlab.providers import Provider, discover

SUITE = """
import pytest

def cell(call):
    return pytest.mark.cell("openai", call, "sync")

@cell("passes")
def test_passes():
    pass

@pytest.mark.parametrize("good", [True, pytest.param(False, marks=cell("fails"))])
@cell("passes in one case of two")
def test_passes_in_one_case_of_two(good):
    assert good

@cell("is skipped")
def test_is_skipped():
    pytest.skip("no server")

@pytest.fixture
def breaks():
    yield
    raise RuntimeError

@cell("fails afterwards")
def test_fails_afterwards(breaks):
    pass
"""

PROOFS = {
    Proof("openai", "chat.completions.create", "sync", "3.52.0"),
    Proof("openai", "chat.completions.create", "abandoned", "3.52.0"),
    Proof("openai", "embeddings.create", "async", "3.52.0"),
}
PAGE = f"before\n{BEGIN}\n{render(PROOFS, [])}\n{END}\nafter\n"
CREATE = ("openai", "chat.completions.create")


def row(table: str, call: str) -> list[str]:
    (line,) = (line for line in table.splitlines() if f"`{call}`" in line)
    return [part.strip() for part in line.strip("|").split("|")]


def test_only_what_passed_in_every_case_is_proven(tmp_path: Path) -> None:
    suite, cells = tmp_path / "test_suite.py", tmp_path / "cells.json"
    suite.write_text(SUITE)
    earlier = ["litellm", "completion", "sync", "1.0"]
    cells.write_text(json.dumps([earlier]))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "instrumentation.cell_recorder",
        "-c",
        ROOT / "pyproject.toml",
    ]
    environment = os.environ | {VARIABLE: str(cells), "PYTHONPATH": str(ROOT / "tests")}
    subprocess.run([*command, suite], env=environment, capture_output=True, check=False, timeout=60)
    assert {tuple(proof[:2]) for proof in json.loads(cells.read_text())} == {
        ("litellm", "completion"),
        ("openai", "passes"),
    }


@pytest.mark.parametrize(
    ("arguments", "complaint"), [([], "error: the table lacks openai is on no page sync"), (["-k", "no_page"], "")]
)
def test_a_run_of_everything_is_held_to_the_page(arguments: list[str], complaint: str, tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(
        "import pytest\n"
        "@pytest.mark.cell('openai', 'is on no page', 'sync')\n"
        "def test_is_on_no_page(): pass\n"
        "def test_is_no_cell(): pass\n"
    )
    program = (
        "import pathlib, sys, pytest\n"
        "from instrumentation import cell_recorder\n"
        "cell_recorder.FOLDER = pathlib.Path(sys.argv[1])\n"
        "sys.exit(pytest.main(sys.argv[1:], plugins=[cell_recorder]))\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    ended = subprocess.run(
        [sys.executable, "-c", program, tmp_path, "-c", ROOT / "pyproject.toml", *arguments],
        env=environment | {"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == (1 if complaint else 0), ended.stdout
    assert complaint in ended.stdout
    assert ("error:" in ended.stdout) == bool(complaint)


def test_the_page_gives_back_what_was_written_on_it() -> None:
    assert ticks(PAGE) == {proof[:3] for proof in PROOFS}


def test_writing_the_table_leaves_the_rest_of_the_page() -> None:
    assert replace(PAGE, "another") == f"before\n{BEGIN}\nanother\n{END}\nafter\n"
    assert replace(replace(PAGE, "another"), render(PROOFS, [])) == PAGE


def test_what_cannot_be_is_told_from_what_is_not_proven() -> None:
    marks = row(render(PROOFS, []), "embeddings.create")[2:8]
    assert marks == ["", "✓", "-", "-", "-", ""]


def test_what_cannot_be_is_not_proven_either() -> None:
    with pytest.raises(ValueError, match=r"embeddings\.create: sync stream proven"):
        render({Proof("openai", "embeddings.create", "sync stream", "3.52.0")}, [])


def test_a_row_is_as_old_as_the_youngest_of_its_cells() -> None:
    old = [Proof(*CREATE, "sync", "1.63.0"), Proof(*CREATE, "abandoned", "1.100.0")]
    assert row(render(PROOFS, old), CREATE[1])[-2:] == ["3.52.0", "1.100.0"]
    assert row(render(PROOFS, old[:1]), CREATE[1])[-1] == "-"


def test_the_page_is_held_to_what_passed() -> None:
    first, *others = sorted(PROOFS)
    assert compare(PROOFS, set(), PAGE) == []
    assert compare(set(others), set(), PAGE) == [
        f"error: the table claims {' '.join(first[:3])}, which no test has proven"
    ]
    assert compare(PROOFS, set(), replace(PAGE, render(others, []))) == [
        f"error: the table lacks {' '.join(first[:3])}"
    ]


def test_a_skipped_test_does_not_make_the_page_wrong() -> None:
    first, *others = sorted(PROOFS)
    assert compare(set(others), {first}, PAGE) == []


def test_an_sdk_that_was_not_tested_here_does_not_make_the_page_wrong() -> None:
    elsewhere = Proof("not-installed", "call", "sync", "1.0")
    assert compare(PROOFS, set(), replace(PAGE, render({*PROOFS, elsewhere}, []))) == []


def test_the_versions_on_the_page_are_those_that_were_tested() -> None:
    page = DOCUMENTATION.read_text()
    oldest = oldest_versions(page, read_oldest())
    for row, stated in versions(page).items():
        newest = installed_version(row.sdk) or stated[0]  # tested elsewhere
        assert stated == (newest, oldest[row]), f"{row}: run `make docs-table`"


@pytest.mark.parametrize("provider", tuple(discover()), ids=lambda provider: provider.name)
def test_the_lowest_declared_version_is_the_lowest_tested_one(provider: Provider) -> None:
    recorded = json.loads(OLDEST.read_text())
    assert recorded.get(provider.name, {}).get("versions") == provider.versions, "run `make test-oldest`"
