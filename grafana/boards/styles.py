"""How panels look: one function for each kind, so that the same thing looks the same on every dashboard."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from boards.panel import Panel, override, override_matching, steps
from boards.query import Query

USD = "currencyUSD"
"""Dollars, shortened from a thousand on: for axes."""
DOLLARS = "currency:financial:$"
"""Dollars in full, with commas."""
SHARE = "percentunit"
COUNT = "short"
SECONDS = "s"
TIMES = "suffix:x"
MOMENT = "time:MMM DD HH:mm:ss"
BYTES = "bytes"

GOOD, WARN, BAD, PLAIN = "green", "orange", "red", "text"
ACCENT = "blue"

USED = steps(GOOD, (0.5, "#F2CC0C"), (0.8, WARN), (1, BAD))
"""Of a budget: the alerts' thresholds."""
MUST_BE_ZERO = steps(GOOD, (1e-9, WARN))


def stat(
    title: str,
    question: str,
    query: Query,
    unit: str,
    *,
    width: int = 4,
    height: int = 4,
    decimals: int | None = None,
    colors: dict[str, Any] | None = None,
    spark: bool = False,
    named: bool = False,
    no_value: str = "none",
    is_text: bool = False,
) -> Panel:
    """Show one number. `named`: with the name of its series; `is_text`: the value is a text."""
    defaults: dict[str, Any] = {"unit": unit, "noValue": no_value, "thresholds": colors or steps(PLAIN)}
    defaults["color"] = (
        {"mode": "thresholds"} if colors else {"mode": "fixed", "fixedColor": ACCENT if spark else PLAIN}
    )
    if decimals is not None:
        defaults["decimals"] = decimals
    fields = "/.*/" if is_text else ""
    options = {
        "colorMode": "value",
        "graphMode": "area" if spark else "none",
        "justifyMode": "auto",
        "textMode": "value_and_name" if named else "value",
        "text": {"valueSize": 24, "titleSize": 16} if named or is_text else {"valueSize": 30},
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": fields, "values": False},
    }
    return Panel(
        title=title,
        question=question,
        kind="stat",
        queries=[query],
        width=width,
        height=height,
        options=options,
        defaults=defaults,
    )


def series(
    title: str,
    question: str,
    queries: Query | Sequence[Query],
    unit: str,
    *,
    width: int = 12,
    height: int = 9,
    stacked: str = "none",
    bars: bool = False,
    fill: int = 0,
    decimals: int | None = None,
    lowest: float | None = 0,
    highest: float | None = None,
    lines_at: dict[str, Any] | None = None,
    legend: Sequence[str] = (),
    overrides: Sequence[dict[str, Any]] = (),
    max_data_points: int | None = None,
    no_value: str = "",
    joined: bool = False,
    is_logarithmic: bool = False,
    broken_after_s: int | None = None,
    repeat: str = "",
) -> Panel:
    """Draw lines or bars over time. `legend` names calculations to show; `lines_at` draws thresholds;
    `joined` lines go on where a value is missing; others end where none came for `broken_after_s`.
    """
    custom: dict[str, Any] = {
        "drawStyle": "bars" if bars else "line",
        "lineWidth": 0 if bars else 2,
        "fillOpacity": 85 if bars else fill,
        "barWidthFactor": 0.8,
        "showPoints": "never",
        "spanNulls": joined,
        "stacking": {"mode": stacked, "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if lines_at else "off"},
    }
    if broken_after_s:
        custom["insertNulls"] = 1000 * broken_after_s
    if is_logarithmic:
        custom["scaleDistribution"] = {"type": "log", "log": 10}
        lowest = None
    defaults: dict[str, Any] = {
        "unit": unit,
        "color": {"mode": "palette-classic"},
        "custom": custom,
        "min": lowest,
        "max": highest,
        "decimals": decimals,
        "thresholds": lines_at,
        "noValue": no_value or None,
    }
    shown = {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []}
    if legend:
        order = {"sortBy": "Total" if "sum" in legend else "Last *", "sortDesc": True}
        shown |= {"displayMode": "table", "placement": "right", "calcs": list(legend)} | order
    return Panel(
        title=title,
        question=question,
        kind="timeseries",
        queries=[queries] if isinstance(queries, Query) else list(queries),
        width=width,
        height=height,
        options={"legend": shown, "tooltip": {"mode": "multi", "sort": "desc", "hideZeros": True}},
        defaults=_without_none(defaults),
        overrides=overrides,
        max_data_points=max_data_points,
        repeat=repeat,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table, by the name that its query gives it."""

    name: str
    unit: str = ""
    decimals: int | None = None
    width: int | None = None
    """Pixels; None shares what is left."""
    gauge: bool = False
    highest: float | None = None
    """Where the gauge is full."""
    colors: dict[str, Any] | None = None
    heat: bool = False
    """Colour the cell by its value among the others, in a narrow column."""
    link: dict[str, Any] | None = None
    hidden: bool = False

    def override(self) -> dict[str, Any]:
        """Return what the table says of the column."""
        properties: dict[str, Any] = {
            "unit": self.unit or None,
            "decimals": self.decimals,
            "custom_width": self.width,
            "max": self.highest,
            "thresholds": self.colors,
            "links": [self.link] if self.link else None,
            "custom_hidden": self.hidden or None,
        }
        if self.gauge:
            properties |= {
                "min": 0,
                "custom_cellOptions": {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"},
            }
            properties["color"] = {"mode": "thresholds"} if self.colors else {"mode": "fixed", "fixedColor": ACCENT}
        elif self.heat:
            properties["custom_cellOptions"] = {"type": "color-background", "mode": "basic"}
            properties |= {"color": {"mode": "continuous-blues"}, "custom_minWidth": 50}
        elif self.colors:
            properties["custom_cellOptions"] = {"type": "color-text"}
            properties["color"] = {"mode": "thresholds"}
        return override(self.name, **_without_none(properties))


_EMPTY_CELLS = override_matching("/.*/", noValue=" ")
"""The text for a table without rows must not stand in each cell without a value."""

_LEGIBLE = (
    override_matching("/^(Model|Session)$/", custom_minWidth=140),
    override_matching("/^(Service|Budget|Name)$/", custom_minWidth=100),
)
"""Names that are cut cannot be told apart; a narrow table scrolls instead."""


def table(
    title: str,
    question: str,
    queries: Query | Sequence[Query],
    columns: Sequence[Column],
    *,
    width: int = 12,
    height: int = 9,
    sort: str = "",
    no_value: str = "",
    transformations: Sequence[dict[str, Any]] = (),
    overrides: Sequence[dict[str, Any]] = (),
) -> Panel:
    """Show rows. `sort` names the column to sort by, the greatest first."""
    return Panel(
        title=title,
        question=question,
        kind="table",
        queries=[queries] if isinstance(queries, Query) else list(queries),
        width=width,
        height=height,
        options={
            "cellHeight": "sm",
            "showHeader": True,
            "sortBy": [{"displayName": sort, "desc": True}] if sort else [],
        },
        defaults=_without_none(
            {
                "noValue": no_value or None,
                "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "minWidth": 85},
            }
        ),
        overrides=[_EMPTY_CELLS, *_LEGIBLE, *(column.override() for column in columns), *overrides],
        transformations=transformations,
    )


def bars(
    title: str,
    question: str,
    query: Query,
    unit: str,
    *,
    width: int = 8,
    height: int = 9,
    decimals: int | None = None,
    colors: dict[str, Any] | None = None,
    highest: float | None = None,
    each_row: bool = False,
) -> Panel:
    """Compare values by the length of a bar. `each_row`: every row of the first query is one."""
    color = {"mode": "thresholds"} if colors else {"mode": "fixed", "fixedColor": ACCENT}
    limits = {"min": 0, "max": highest, "decimals": decimals, "thresholds": colors}
    return Panel(
        title=title,
        question=question,
        kind="bargauge",
        queries=[query],
        width=width,
        height=height,
        options={
            "displayMode": "basic",
            "orientation": "horizontal",
            "valueMode": "color" if colors else "text",
            "namePlacement": "top",
            "showUnfilled": True,
            "minVizHeight": 16,
            "text": {"titleSize": 13, "valueSize": 14},
            "maxVizHeight": 60,
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": each_row},
        },
        defaults=_without_none({"unit": unit, "color": color, **limits}),
    )


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
