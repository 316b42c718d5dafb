"""What an instrumentation adds to a call inside the application, ours and others', measured in one run.

The real SDK `openai` talks to an API in memory, so that the network does not drown the figures. In each process, calls
with and without the instrumentation take turns in short blocks, and CPU time is what counts: both see the same state
of the machine. Each variant gets several fresh processes, one at a time.

    python benchmarks/overhead.py --only floor,llmlab --rounds 15

writes nothing; without `--only`, the figures go to `benchmarks/results/overhead.json` and `docs/performance.md`.
The exit code is 1 when a part of this project could not be measured, not when another package could not.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from in_app.environments import ROOT, prepare, python_of
from in_app.figures import Run, differing_attributes, ratios, summarise
from in_app.report import render
from in_app.variants import BY_NAME, VARIANTS, Variant
from page import write_between

RESULTS = ROOT / "benchmarks" / "results" / "overhead.json"
PROCESS_TIMEOUT_S = 120


class Measurements:
    """The processes of all variants so far. A variant that failed once is not tried again."""

    def __init__(self, variants: Sequence[Variant], calls: int) -> None:
        self.variants = variants
        self.runs: dict[str, list[Run]] = {}
        self.errors: dict[str, str] = {}
        self._calls = calls

    def prepare(self) -> None:
        """Make all environments before anything is measured."""
        for variant in self.variants:
            try:
                prepare(variant.environment)
            except subprocess.CalledProcessError as error:
                self._note(variant, "it cannot be installed", error.stderr)

    def run_round(self) -> None:
        """Run one process of each variant."""
        for variant in self.variants:
            if variant.name in self.errors:
                continue
            try:
                self.runs.setdefault(variant.name, []).append(_run(variant, self._calls))
            except subprocess.CalledProcessError as error:
                self._note(variant, error.stderr.strip().rpartition("\n")[2], error.stderr)
            except subprocess.TimeoutExpired:
                self._note(variant, f"no result after {PROCESS_TIMEOUT_S} s")

    def results(self) -> dict[str, Any]:
        """Return what goes into the JSON file."""
        rounds = max((len(runs) for runs in self.runs.values()), default=0)
        return {
            "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
            "rounds": rounds,
            "streams_per_process": self._calls,
            "variants": {variant.name: self._figures(variant) for variant in self.variants},
        }

    def _figures(self, variant: Variant) -> dict[str, Any]:
        if variant.name in self.errors:
            return {"error": self.errors[variant.name]}
        runs, floor = self.runs[variant.name], self.runs.get(variant.floor, [])
        comparable = floor and variant.floor not in self.errors and not variant.is_bare
        return {
            **summarise(runs),
            "compared_with": variant.bare,
            "ratio_to_floor": ratios(runs, floor) if comparable else {},
        }

    def _note(self, variant: Variant, reason: str, output: str = "") -> None:
        """Keep the reason, without a machine's paths, and show all that is known about it."""
        self.errors[variant.name] = reason.replace(str(ROOT), ".")
        print(f"error: {variant.name} could not be measured: {reason}\n{output}", file=sys.stderr)


def _run(variant: Variant, calls: int) -> Run:
    """Measure a variant once, in a fresh process that sees no setting of this one."""
    completed = subprocess.run(
        [python_of(variant.environment), "-m", "in_app.child", variant.name, str(calls)],
        cwd=ROOT / "benchmarks",
        env={"PATH": os.environ["PATH"], **variant.environ},
        check=True,
        capture_output=True,
        text=True,
        timeout=PROCESS_TIMEOUT_S,
    )
    return json.loads(completed.stdout.splitlines()[-1])


def _chosen(names: str | None) -> Sequence[Variant]:
    if names is None:
        return VARIANTS
    wanted = names.split(",")
    if unknown := set(wanted) - BY_NAME.keys():
        raise SystemExit(f"error: no variant named {', '.join(sorted(unknown))}\nhint: there are {', '.join(BY_NAME)}")
    return [BY_NAME[name] for name in wanted]


def _measure(variants: Sequence[Variant], calls: int, rounds: int) -> Measurements:
    measurements = Measurements(variants, calls)
    measurements.prepare()
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}", file=sys.stderr)
        measurements.run_round()
        if differing := differing_attributes(measurements.runs):
            raise SystemExit(
                f"error: llmlab and the floor do not record the same: {', '.join(differing)}\n"
                "hint: bring benchmarks/in_app/floor.py up to date, otherwise their ratio means nothing"
            )
    return measurements


def main() -> None:
    """Run the benchmark and write its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=75, help="instrumented streams in each process (default: 75)")
    parser.add_argument("--rounds", type=int, default=7, help="processes for each variant (default: 7)")
    parser.add_argument("--only", metavar="A,B", help="measure these variants and write nothing")
    options = parser.parse_args()
    measurements = _measure(_chosen(options.only), options.calls, options.rounds)
    results = measurements.results()
    print(render(results))
    if options.only is None:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
        write_between("overhead", render(results))
    if any(variant.is_ours for variant in measurements.variants if variant.name in measurements.errors):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
