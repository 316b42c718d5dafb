"""Draws the dashboards as pictures, with the data of the tests.

The program that draws them is not part of this project: it reads a dashboard, asks both data sources, and writes a PNG
and, as JSON, a report of each panel.

    LLMLAB_DASHBOARD_RENDERER=path/to/render.mjs PYTHONPATH=tests:benchmarks python -m grafana.pictures docs/images
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from grafana.boards import FILES, begin_of, load
from grafana.month import END
from grafana.stack import Stack, stack

RENDERER = os.environ.get("LLMLAB_DASHBOARD_RENDERER", "")
_COLORS = 128
"""Of the palette: pictures of graphs have few."""


class Look(NamedTuple):
    """How a picture is drawn."""

    theme: str = "dark"
    width: int = 1600


def draw(board: Path, running: Stack, picture: Path, look: Look) -> tuple[dict[str, Any], int]:
    """Draw one dashboard; returns the report and the exit status."""
    model = load(board)
    begin = begin_of(model, END)
    variables = model["templating"]["list"]
    model["templating"]["list"] = [each for each in variables if each["name"] != "traces"]  # there are none here
    copy = picture.with_suffix(".json")
    copy.write_text(json.dumps(model))
    options = {
        "prometheus": running.prometheus,
        "clickhouse": running.clickhouse,
        "from": f"{begin:%FT%TZ}",
        "to": f"{END:%FT%TZ}",
        "theme": look.theme,
        "width": str(look.width),
        "scrape-interval": str(running.scrape_interval_s),
        "out": str(picture),
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    done = subprocess.run(["node", RENDERER, str(copy), *arguments], capture_output=True, text=True, check=False)
    copy.unlink()
    if not done.stdout:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout), done.returncode


def _shrink(picture: Path) -> None:
    """Make a picture smaller, where there is a program for it."""
    if shutil.which("pngquant"):
        command = ["pngquant", "--force", "--strip", "--output", str(picture), str(_COLORS), str(picture)]
        subprocess.run(command, check=True)


def main() -> None:
    """Draw all dashboards into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    parser.add_argument("--width", type=int, default=1600)
    chosen = parser.parse_args()
    if not RENDERER:
        sys.exit("error: nothing to draw with\nhint: set LLMLAB_DASHBOARD_RENDERER to a program that draws dashboards")
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder), share=1.0, scale=1) as running:
        for board in FILES:
            picture = chosen.folder / f"{board.stem}.png"
            _, status = draw(board, running, picture, Look(chosen.theme, chosen.width))
            _shrink(picture)
            sys.stdout.write(f"{picture}: {picture.stat().st_size:,} bytes, status {status}\n")


if __name__ == "__main__":
    main()
