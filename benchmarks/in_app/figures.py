"""From the measurements of single processes to the figures of a variant."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, TypedDict

Kind = str
"""`plain` or `stream`."""


class Cost(TypedDict):
    """CPU time of one kind of call in one process, in microseconds: medians over blocks of calls."""

    bare_us: float
    """A call without the instrumentation, in the caller's thread."""
    added_us: float
    """What the instrumentation adds, in the caller's thread."""
    added_process_us: float
    """What it adds in all threads, handing the span to the exporter included."""


class Startup(TypedDict):
    """What instrumenting adds to a process that has imported the SDK and OpenTelemetry and has made its first calls.

    The first instrumented calls are included, so what is imported late counts too.
    """

    import_ms: float
    rss_mib: float
    modules: int


class Content(TypedDict):
    """What the spans of one call carried."""

    spans: int
    attributes: list[str]
    cached_tokens: bool
    reasoning_tokens: bool


class Run(TypedDict):
    """What one process reports."""

    sdk: str
    version: str | None
    """Of the measured package, None for those that are part of the benchmark."""
    startup: Startup
    cost: dict[Kind, Cost]
    content: dict[Kind, Content]


def summarise(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the figures of a variant: medians over its processes."""
    first = runs[0]
    figures: dict[str, Any] = {"sdk": first["sdk"], "version": first["version"]}
    for kind in first["cost"]:
        costs = [run["cost"][kind] for run in runs]
        added = [cost["added_us"] for cost in costs]
        figures[f"{kind}_us"] = round(median(added), 1)
        figures[f"{kind}_us_range"] = [round(min(added), 1), round(max(added), 1)]
        figures[f"{kind}_process_us"] = round(median(cost["added_process_us"] for cost in costs), 1)
        figures[f"bare_{kind}_us"] = round(median(cost["bare_us"] for cost in costs), 1)
    startups = [run["startup"] for run in runs]
    figures["import_ms"] = round(median(startup["import_ms"] for startup in startups), 1)
    figures["rss_mib"] = round(median(startup["rss_mib"] for startup in startups), 1)
    figures["modules"] = first["startup"]["modules"]
    for fact in ("spans", "cached_tokens", "reasoning_tokens"):
        figures[fact] = {kind: content[fact] for kind, content in first["content"].items()}
    return figures


def ratios(runs: Sequence[Run], floor: Sequence[Run]) -> dict[Kind, float]:
    """Return the added time as a multiple of the floor's.

    Each is taken as a share of the bare calls of its own process, which cancels out that the machine was slower
    for one of them.
    """
    return {kind: round(_share(runs, kind) / _share(floor, kind), 2) for kind in runs[0]["cost"]}


def _share(runs: Sequence[Run], kind: Kind) -> float:
    return median(run["cost"][kind]["added_us"] / run["cost"][kind]["bare_us"] for run in runs)


def differing_attributes(runs: Mapping[str, Sequence[Run]]) -> list[str]:
    """Say where llmlab and the floor do not record the same, which would make their ratio meaningless."""
    if not {"llmlab", "floor"} <= runs.keys():
        return []
    ours, floor = (runs[name][0]["content"] for name in ("llmlab", "floor"))
    return [
        f"{kind}: {attribute}"
        for kind in ours
        for attribute in sorted(set(ours[kind]["attributes"]) ^ set(floor[kind]["attributes"]))
    ]
