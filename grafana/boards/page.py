"""The page that documents the panels, written from the panels themselves so that it says what they ask."""

from collections.abc import Iterator, Sequence
from itertools import chain

from boards.board import Board
from boards.calls_sql import WHICH
from boards.panel import Panel

FILTERS = "<filters>"
"""Stands for what the SQL of nearly every panel has in common; it is written out once."""

_BEGIN, _END = "<!-- panels: begin -->", "<!-- panels: end -->"


def page(boards: Sequence[Board], before: str) -> str:
    """Return a page with what it says between the two marks written anew.

    Raises ValueError when the page has no such marks.
    """
    head, rest = before.split(_BEGIN)
    _, tail = rest.split(_END)
    filters = f"\nIn the SQL below, `{FILTERS}` stands for\n\n```sql\n{WHICH}\n```\n"
    return f"{head}{_BEGIN}\n{filters}{''.join(map(_board, boards))}{_END}{tail}"


def _board(board: Board) -> str:
    lines = [f"\n## {board.title}", board.question, f"![{board.title}](images/{board.uid}.png)"]
    return "\n\n".join([*lines, *_panels(board)]) + "\n\n"


def _panels(board: Board) -> Iterator[str]:
    for section in board.sections:
        if section.title:
            yield f"### {section.title}"
        for panel in chain.from_iterable(section.columns):
            yield f"**{_plain(panel.title)}** ({_source(panel)}). {panel.question}"
            yield f"<details><summary>{_languages(panel)}</summary>\n\n{_queries(panel)}\n\n</details>"


def _plain(title: str) -> str:
    """Write a variable in a title as its name."""
    return title.replace("${", "").replace(":text}", "").lstrip("$")


def _source(panel: Panel) -> str:
    return "ClickHouse" if panel.queries[0].is_sql else "Prometheus"


def _languages(panel: Panel) -> str:
    return "SQL" if panel.queries[0].is_sql else "PromQL"


def _queries(panel: Panel) -> str:
    blocks = [
        f"```{'sql' if query.is_sql else 'promql'}\n{query.text.replace(WHICH, FILTERS)}\n```"
        for query in panel.queries
    ]
    return "\n\n".join(blocks)
