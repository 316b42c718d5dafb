"""Budgets as a page of text: bars, what is left, where it leads."""

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Any, NamedTuple, NotRequired, TypedDict, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmlab.cli.dollars import calls, dollars

_PIPE_WIDTH = 200
_BAR_COLUMNS = (24, 16, 10, 6, 0)
_HOURS_FROM_DAYS = 2
_ADVERBS = {"day": "a day", "week": "a week", "month": "a month"}


class _Signs(NamedTuple):
    full: str
    empty: str
    at_least: str


class Shared(TypedDict):
    """What is said of the parts of several exporters."""

    doubts: list[str]


class Standing(TypedDict):
    """How a budget stands, as `/api/budgets/status` says it."""

    name: str
    period: str
    time_zone: str
    scope: dict[str, str]
    limit: Decimal | int
    thresholds: list[Decimal | int]
    source: str
    spent: Decimal | int
    percentage: Decimal | int
    left: Decimal | int
    alert: bool
    days_left: Decimal | int
    since: NotRequired[str | None]
    requests: int
    unpriced_requests: int
    unattributed_requests: int
    is_lower_bound: bool
    shared: NotRequired["Shared | None"]
    forecast: Decimal | int | None
    projected_exhaustion: str | None


def outcome(answer: dict[str, Any]) -> str:
    """Say what was set, and how it stands."""
    budget: Standing = answer["budget"]
    verb = "set" if answer["created"] else "changed"
    lines = [f"budget {budget['name']} {verb}: {_what(budget)}"]
    if "spent" in budget:
        least = "at least " if budget["is_lower_bound"] else ""
        lines.append(f"spent so far: {least}{dollars(budget['spent'])} ({used(budget)}), {left(budget)} to go")
        if budget["scope"] and not budget["requests"]:
            lines.append("no call of this period counts towards it yet: check the name if there should be some")
        lines += _doubts(budget)
    return "\n".join(lines)


def listed(answer: dict[str, Any]) -> str:
    """Return one line for each budget, and what is wrong with the file."""
    budgets = cast("list[Standing]", answer["budgets"])
    width = max((len(budget["name"]) for budget in budgets), default=0)
    lines = [f"{budget['name']:<{width}}  {_what(budget)}{_source(budget)}" for budget in budgets]
    if answer.get("error"):
        lines.append(f"{answer['file']} cannot be used as it is; what it said before holds:\n{answer['error']}")
    return "\n".join(lines) or "there is no budget; set one: llmlab budget 1000"


def print_standing(answer: dict[str, Any], url: str) -> None:
    """Print how budgets stand to standard output, in colour where it is a terminal."""
    watched = os.isatty(1) or "COLUMNS" in os.environ
    console = Console(width=None if watched else _PIPE_WIDTH, highlight=False)
    budgets = cast("list[Standing]", answer["budgets"])
    as_of = answer["as_of"].replace("T", " ").removesuffix("Z")
    console.print(Text.assemble(("LLMLab ", "bold"), (f"{url}, {as_of} UTC", "dim"), "\n"))
    if not budgets:
        console.print("there is no budget; set one: llmlab budget 1000")
        return
    console.print(table(budgets, console))
    if found := list(notes(budgets)):
        console.print(*(Text(), *found), sep="\n")


def exporters(answer: dict[str, Any]) -> str:
    """Return one line for each exporter that shares budgets, and one below it for each part that it has."""
    if not answer["shared"]:
        return "this exporter shares no budgets: its sums are all there are (llmlab up --redis-url shares them)"
    found = [] if answer["connected"] else ["Redis does not answer; this is what is known"]
    for exporter in answer["exporters"]:
        this = ", this one" if exporter["this"] else ""
        heard = f", last heard of {_moment(exporter['last_heard'])}" if exporter["last_heard"] else ""
        found.append(f"{exporter['id']}  {exporter['name']}{this}: {exporter['state']}{heard}")
        found += map(_part, exporter["parts"])
    return "\n".join(found)


def _part(part: dict[str, Any]) -> str:
    return f"    {part['budget']}: {dollars(part['spent'])} in {calls(part['requests'])}"


def table(budgets: Sequence[Standing], console: Console) -> Table:
    """Return the table with the longest bars that leave room for the names."""
    tables = [_table(budgets, console.encoding, columns) for columns in _BAR_COLUMNS]
    unbounded = console.options.update(width=10 * _PIPE_WIDTH)
    fitting = (each for each in tables if console.measure(each, options=unbounded).maximum <= console.width)
    return next(fitting, tables[-1])


def bar(percentage: Decimal | int, columns: int, encoding: str) -> str:
    """Draw how much is used; a bar is full only when the limit is reached."""
    signs = _signs(encoding)
    full = min(int(columns * Decimal(percentage) / 100), columns)
    return signs.full * full + signs.empty * (columns - full)


def style(budget: Standing) -> str:
    """Return the colour of a budget: red when it is spent, yellow when that is near."""
    return "red" if budget["percentage"] >= 100 else "yellow" if budget["alert"] else ""


def used(budget: Standing) -> str:
    """Write how much is spent in percent, rounded down: 99.9 is not 100, and `<1%` for what would be nothing."""
    return floored(budget["percentage"], budget["spent"])


def floored(percentage: Decimal | int, spent: Decimal | int | None) -> str:
    """Write a percentage, rounded down."""
    whole = Decimal(percentage).quantize(Decimal(1), ROUND_FLOOR)
    return "<1%" if not whole and spent else f"{whole:,}%"


def left(budget: Standing) -> str:
    """Write how long its period lasts."""
    days = Decimal(budget["days_left"])
    if days >= _HOURS_FROM_DAYS:
        return f"{days:.0f} days"
    hours = days * 24
    return f"{hours:.0f} hours" if hours >= _HOURS_FROM_DAYS else f"{hours * 60:.0f} minutes"


def notes(budgets: Sequence[Standing]) -> Iterator[Text]:
    """Say what the numbers do not: of single budgets, then what holds for several."""
    yield from warnings(budgets)
    doubts: dict[str, list[str]] = {}
    for budget in budgets:
        for doubt in _doubts(budget):
            doubts.setdefault(doubt, []).append(budget["name"])
    for doubt, names in doubts.items():
        yield Text(f"{', '.join(names)}: {doubt}", "yellow")


def warnings(budgets: Sequence[Standing]) -> Iterator[Text]:
    """Say which limits are near or passed, and which will be."""
    for budget in budgets:
        if found := "; ".join(_warnings(budget)):
            yield Text.assemble((budget["name"], "bold"), ": ", (found, style(budget)))


def _warnings(budget: Standing) -> Iterator[str]:
    if budget["percentage"] >= 100:
        over = -Decimal(budget["left"])
        yield f"the limit is passed by {dollars(over)}" if over else "the limit is reached"
    elif budget["alert"]:
        yield f"near its limit, {dollars(budget['left'])} left"
    if moment := budget["projected_exhaustion"]:
        yield f"if things go on like this, it is used up at {_moment(moment)}"


def _doubts(budget: Standing) -> Iterator[str]:
    if count := budget["unpriced_requests"]:
        verb = "call has" if count == 1 else "calls have"
        yield f"{count:,} {verb} no known price, so that more is spent than is known"
    if count := budget["unattributed_requests"]:
        verb = "call" if count == 1 else "calls"
        yield f"{count:,} {verb} may belong to it: there are too many names to tell"
    if since := budget.get("since"):
        yield f"what was spent before {_moment(since)} is not known"
    if shared := budget.get("shared"):
        yield from shared["doubts"]


def _table(budgets: Sequence[Standing], encoding: str, bar_columns: int) -> Table:
    found = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    found.add_column("budget", overflow="fold")
    if bar_columns:
        found.add_column("", width=bar_columns, no_wrap=True)
    for title in ("used", "spent", "limit", "ends in", "forecast"):
        found.add_column(title, justify="right", no_wrap=True)
    for budget in budgets:
        colour = style(budget)
        least = f"{_signs(encoding).at_least} " if budget["is_lower_bound"] else ""
        found.add_row(
            Text(budget["name"], "bold"),
            *([Text(bar(budget["percentage"], bar_columns, encoding), colour or "cyan")] if bar_columns else []),
            Text(used(budget), colour),
            least + dollars(budget["spent"]),
            dollars(budget["limit"]),
            left(budget),
            _forecast(budget),
        )
    return found


def _forecast(budget: Standing) -> Text:
    forecast = budget["forecast"]
    if forecast is None:
        return Text("-")
    return Text(dollars(forecast), "yellow" if forecast > budget["limit"] else "")


def _what(budget: Standing) -> str:
    scope = ", ".join(f"{name} {value}" for name, value in budget["scope"].items()) or "all calls"
    zone = "" if budget["time_zone"] == "UTC" else f" ({budget['time_zone']})"
    alerts = ", ".join(f"{threshold}" for threshold in budget["thresholds"])
    return f"{dollars(budget['limit'])} {_ADVERBS[budget['period']]}{zone}, {scope}, alerts at {alerts} %"


def _source(budget: Standing) -> str:
    return "" if budget["source"] == "api" else f", in {budget['source']}"


def _signs(encoding: str) -> _Signs:
    return _Signs("█", "░", "≥") if encoding.startswith("utf") else _Signs("#", ".", ">=")


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"
