"""Figures on the page `docs/performance.md`, between markers, so that the page and the results cannot disagree."""

from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def write_between(marker: str, text: str, page: Path = PAGE) -> None:
    """Replace what stands between `<!-- marker:begin -->` and `<!-- marker:end -->`."""
    begin, end = f"<!-- {marker}:begin -->", f"<!-- {marker}:end -->"
    before, _, rest = page.read_text().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{page.name} has no {begin} ... {end} to write between")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, its columns aligned; the first row is the header."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    ruled = [rows[0], ["-" * width for width in widths], *rows[1:]]
    return "\n".join(f"| {' | '.join(map(str.ljust, row, widths))} |" for row in ruled)
