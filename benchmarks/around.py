"""What llmlab takes around the SDK's own work, against its hand-written floor.

    python benchmarks/around.py

`benchmarks/overhead.py` finds what an instrumentation adds by comparing whole calls, which take a hundred times as
long: it sees everything, and needs many calls to see anything. Here only what is around the SDK's own work is timed
(`in_app/around.py`), which is steadier, and leaves out how much slower the SDK becomes when others use its caches. The
figures go to `benchmarks/results/around.json` and `docs/performance.md`.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from in_app.environments import ROOT, prepare, python_of
from page import table, write_between

RESULTS = ROOT / "benchmarks" / "results" / "around.json"
ENVIRONMENT = "llmlab"
KINDS = {"plain": "us per call", "stream": "us per 50-chunk stream"}
VARIANTS = ("floor", "llmlab")
PROCESS_TIMEOUT_S = 120

Run = Mapping[str, Mapping[str, float]]
"""Microseconds by kind of call and variant."""


def measure(processes: int, calls: int) -> dict[str, Any]:
    """Return what goes into the JSON file: the figures of each process, one after the other."""
    return {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "streams_per_process": calls,
        "processes": [_run(calls) for _ in range(processes)],
    }


def _run(calls: int) -> Run:
    completed = subprocess.run(
        [str(python_of(ENVIRONMENT)), "-m", "in_app.around", str(calls)],
        cwd=ROOT / "benchmarks",
        env={"PATH": os.environ["PATH"]},
        check=True,
        capture_output=True,
        text=True,
        timeout=PROCESS_TIMEOUT_S,
    )
    return json.loads(completed.stdout.splitlines()[-1])


def render(results: Mapping[str, Any]) -> str:
    """Return the figures as Markdown."""
    machine, runs = results["machine"], results["processes"]
    header = ["around the SDK's own work", *(text for unit in KINDS.values() for text in (unit, "x floor"))]
    rows = [[name, *(text for kind in KINDS for text in _shown(runs, kind, name))] for name in VARIANTS]
    setting = (
        f"{machine['cpus']} CPUs, Python {machine['python']}. Medians over {len(runs)} processes, in brackets the "
        "lowest and the highest; ratios within each process."
    )
    return f"{setting}\n\n{table([header, *rows])}"


def _shown(runs: Sequence[Run], kind: str, name: str) -> tuple[str, str]:
    took = [run[kind][name] for run in runs]
    ratios = [run[kind][name] / run[kind]["floor"] for run in runs]
    return (
        f"{median(took):.0f} ({min(took):.0f} to {max(took):.0f})",
        f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if name != "floor" else "1.00",
    )


def main() -> None:
    """Run the benchmark and write its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=180, help="streams of each variant in each process (default: 180)")
    parser.add_argument("--processes", type=int, default=10, help="fresh processes (default: 10)")
    options = parser.parse_args()
    prepare(ENVIRONMENT)
    try:
        results = measure(options.processes, options.calls)
    except subprocess.CalledProcessError as error:
        print(f"error: it could not be measured\n{error.stderr}", file=sys.stderr)
        raise SystemExit(1) from None
    print(render(results))
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    write_between("around", render(results))


if __name__ == "__main__":
    main()
