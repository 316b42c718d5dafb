"""The figures as a table, for the terminal and for `docs/performance.md`: one function for both."""

from collections.abc import Mapping
from typing import Any

from page import table

_HEADER = (
    "instrumentation",
    "us per call",
    "x floor",
    "us per 50-chunk stream",
    "x floor",
    "import ms",
    "MiB",
    "cached tokens",
    "reasoning tokens",
)


def render(results: Mapping[str, Any]) -> str:
    """Return all figures as Markdown."""
    variants: Mapping[str, Mapping[str, Any]] = results["variants"]
    failed = [f"Not measured: {name} ({figures['error']})." for name, figures in variants.items() if "error" in figures]
    return "\n\n".join([_setting(results), render_table(variants), *failed])


def render_table(variants: Mapping[str, Mapping[str, Any]]) -> str:
    """Return one row for each variant that could be measured."""
    return table([_HEADER, *(_row(name, figures) for name, figures in variants.items() if "error" not in figures)])


def _setting(results: Mapping[str, Any]) -> str:
    machine = results["machine"]
    measured = [figures for figures in results["variants"].values() if "error" not in figures]
    bare = {
        figures[
            "sdk"
        ]: f"{round(figures['bare_plain_us'])} us per call and {round(figures['bare_stream_us'])} per stream"
        for figures in reversed(measured)  # so that the first of each SDK stays
    }
    return (
        f"{machine['cpus']} CPUs, Python {machine['python']}. Medians over {results['rounds']} processes for each, in "
        f"brackets the lowest and the highest. Without instrumentation: "
        f"{', '.join(f'{cost} ({sdk})' for sdk, cost in sorted(bare.items(), reverse=True))}."
    )


def _row(name: str, figures: Mapping[str, Any]) -> tuple[str, ...]:
    ratio: Mapping[str, float] = figures["ratio_to_floor"]
    return (
        f"{name} {figures['version'] or ''}".strip(),
        f"{round(figures['plain_us'])} ({_range(figures['plain_us_range'])})",
        f"{ratio['plain']:.2f}" if ratio else "",
        f"{round(figures['stream_us'])} ({_range(figures['stream_us_range'])})",
        f"{ratio['stream']:.2f}" if ratio else "",
        f"{round(figures['import_ms'])}",
        f"{figures['rss_mib']:.1f}",
        _arrived(figures, "cached_tokens"),
        _arrived(figures, "reasoning_tokens"),
    )


def _range(ends: tuple[float, float]) -> str:
    return f"{round(ends[0])} to {round(ends[1])}"


def _arrived(figures: Mapping[str, Any], count: str) -> str:
    if not any(figures["spans"].values()):
        return ""
    kinds = [kind for kind, arrived in figures[count].items() if arrived]
    return {0: "no", 1: f"{' '.join(kinds)} only", len(figures[count]): "yes"}[len(kinds)]
