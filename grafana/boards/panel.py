"""A panel as a value, and how a dashboard stores it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from boards.query import Query

PLUGIN_VERSION = "11.6.0"
"""The oldest Grafana whose panels are meant; newer ones migrate on load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel: the question it answers, what it asks, and how it looks."""

    title: str
    question: str
    """What a reader learns from it, and what to do about it; the panel's description."""
    kind: str
    queries: Sequence[Query]
    width: int
    """Of 24 columns."""
    height: int
    """Of cells of 30 pixels and a gap."""
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    defaults: dict[str, Any] = field(default_factory=dict[str, Any])
    """Properties of every field: unit, thresholds, colour."""
    overrides: Sequence[dict[str, Any]] = ()
    transformations: Sequence[dict[str, Any]] = ()
    max_data_points: int | None = None
    repeat: str = ""
    """The variable of which each chosen value gets a panel of its own."""

    def model(self, number: int, x: int, y: int) -> dict[str, Any]:
        """Return the panel as Grafana stores it."""
        model: dict[str, Any] = {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.question,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "datasource": self.queries[0].datasource,
            "pluginVersion": PLUGIN_VERSION,
            "fieldConfig": {"defaults": self.defaults, "overrides": list(self.overrides)},
            "options": self.options,
            "targets": [query.target(place) for place, query in enumerate(self.queries)],
        }
        if self.transformations:
            model["transformations"] = list(self.transformations)
        if self.repeat:
            model |= {"repeat": self.repeat, "repeatDirection": "h", "maxPerRow": 24 // self.width}
        if self.max_data_points:
            model["maxDataPoints"] = self.max_data_points
        return model


def override(name: str, **properties: object) -> dict[str, Any]:
    """Set properties of the field with a name. A name of a custom property begins with `custom_`."""
    pairs = [
        {"id": key.replace("custom_", "custom.", 1) if key.startswith("custom_") else key, "value": value}
        for key, value in properties.items()
    ]
    return {"matcher": {"id": "byName", "options": name}, "properties": pairs}


def override_matching(pattern: str, **properties: object) -> dict[str, Any]:
    """Set properties of all fields whose name matches a regular expression."""
    return override(pattern, **properties) | {"matcher": {"id": "byRegexp", "options": pattern}}


def steps(base: str, *above: tuple[float, str]) -> dict[str, Any]:
    """Colour values: `base` to begin with, and another colour from each bound on."""
    found: list[dict[str, Any]] = [{"color": base, "value": None}]
    return {"mode": "absolute", "steps": found + [{"color": color, "value": value} for value, color in above]}
