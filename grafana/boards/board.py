"""A dashboard as a value: sections of panels that flow from left to right, and the JSON of it (Classic schema)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from boards.panel import Panel

SCHEMA_VERSION = 41
"""Grafana 11.6; newer versions migrate it on load. File provisioning refuses the newer v2 schema (grafana#127928)."""

COLUMNS = 24
TAG = "llm-cost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Panels under one heading; "" for none."""

    title: str
    panels: Sequence[Panel | Sequence[Panel]]
    """From left to right, and on into the next line; panels in a sequence of their own stand below each other."""

    @property
    def columns(self) -> list[Sequence[Panel]]:
        """The panels, each with those below it."""
        return [[entry] if isinstance(entry, Panel) else entry for entry in self.panels]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard."""

    uid: str
    title: str
    question: str
    """What it answers, in a sentence or two; its description."""
    since: str
    """Beginning of the range at first, such as `now-30d`."""
    refresh: str
    variables: Sequence[dict[str, Any]]
    sections: Sequence[Section]
    annotations: Sequence[dict[str, Any]] = ()

    def model(self) -> dict[str, Any]:
        """Return the dashboard as Grafana's file provisioning and its import dialogue read it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.question,
            "tags": [TAG],
            "schemaVersion": SCHEMA_VERSION,
            "editable": False,
            "graphTooltip": 1,
            "timezone": "",
            "time": {"from": self.since, "to": "now"},
            "timepicker": {},
            "refresh": self.refresh,
            "links": [_LINKS],
            "templating": {"list": list(self.variables)},
            "annotations": {"list": list(self.annotations)},
            "panels": list(self._placed()),
        }

    def _placed(self) -> Iterator[dict[str, Any]]:
        numbers = count(1)
        y = 0
        for section in self.sections:
            if section.title:
                yield _row(next(numbers), section.title, y)
                y += 1
            x = height = 0
            for column in section.columns:
                if x + column[0].width > COLUMNS:
                    x, y, height = 0, y + height, 0
                top = y
                for panel in column:
                    yield panel.model(next(numbers), x, top)
                    top += panel.height
                x, height = x + column[0].width, max(height, top - y)
            y += height


_LINKS: dict[str, Any] = {
    "type": "dashboards",
    "title": "LLM cost",
    "tags": [TAG],
    "asDropdown": False,
    "includeVars": True,
    "keepTime": True,
    "targetBlank": False,
    "icon": "external link",
    "tooltip": "",
    "url": "",
}


def _row(number: int, title: str, y: int) -> dict[str, Any]:
    place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
    return {"id": number, "type": "row", "title": title, "gridPos": place, "collapsed": False, "panels": []}
