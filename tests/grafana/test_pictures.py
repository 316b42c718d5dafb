"""Every panel is drawn by Grafana's own components, where there is a program that does it."""

import shutil
from pathlib import Path

import pytest

from grafana.boards import FILES
from grafana.pictures import RENDERER, Look, draw
from grafana.stack import Stack
from servers import needs

_CAN_DRAW = bool(RENDERER) and shutil.which("node") is not None

pytestmark = [
    pytest.mark.e2e,
    needs("prometheus"),
    pytest.mark.skipif(not _CAN_DRAW, reason="there is no Node, or LLMLAB_DASHBOARD_RENDERER names no program"),
]

_MAY_BE_EMPTY = {"Out of the ordinary", "Most expensive calls", "Duration, 95 % of calls", "Next to run out"}
"""In a small sample of the calls, there may be nothing to show in the range that the dashboard begins with."""


@pytest.mark.parametrize("look", [Look("dark", 1600), Look("light", 1100)], ids=str)
@pytest.mark.parametrize("board", FILES, ids=lambda path: path.stem)
def test_every_panel_is_drawn_with_rows(loaded: Stack, board: Path, look: Look, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    report, status = draw(board, loaded, picture, look)
    assert status == 0, report
    assert report["variableErrors"] == []
    assert {panel["title"]: panel["error"] for panel in report["panels"] if panel.get("error")} == {}
    assert [panel["title"] for panel in report["panels"] if panel.get("warnings")] == []
    drawn = [panel for panel in report["panels"] if panel["type"] != "row"]
    assert {panel["title"] for panel in drawn if not panel["rows"]} <= _MAY_BE_EMPTY
    assert report["problems"] == []
    assert picture.stat().st_size > 50_000
