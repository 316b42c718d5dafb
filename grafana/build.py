"""Writes the dashboards in `dashboards/` and the page that documents them from the values in `boards/`.

    python grafana/build.py            writes them
    python grafana/build.py --check    fails when they are not up to date

The standard library is enough for it. Classic JSON is what Grafana's file provisioning and its import dialogue read.
"""

import argparse
import json
import sys
from pathlib import Path

from boards import budgets, models, pipeline, requests, savings, spend
from boards.page import page

HERE = Path(__file__).parent
BOARDS = (spend.BOARD, budgets.BOARD, models.BOARD, requests.BOARD, savings.BOARD, pipeline.BOARD)
PAGE = HERE.parent / "docs" / "dashboards.md"


def built() -> dict[Path, str]:
    """Return the text of each file."""
    files = {
        HERE / "dashboards" / f"{board.uid}.json": json.dumps(board.model(), indent=2, ensure_ascii=False) + "\n"
        for board in BOARDS
    }
    return files | {PAGE: page(BOARDS, PAGE.read_text())}


def stale(files: dict[Path, str]) -> list[Path]:
    """Return the files that are not as they would be written, and dashboards that nobody builds."""
    left_over = set((HERE / "dashboards").glob("*.json")) - files.keys()
    return sorted({path for path, text in files.items() if not path.exists() or path.read_text() != text} | left_over)


def main() -> int:
    """Write the files, or check them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, and fail when something would change")
    files = built()
    if not parser.parse_args().check:
        for path, text in files.items():
            path.write_text(text)
        return 0
    for path in stale(files):
        sys.stderr.write(f"error: {path.relative_to(HERE.parent)} is not up to date\nhint: python grafana/build.py\n")
    return 1 if stale(files) else 0


if __name__ == "__main__":
    sys.exit(main())
