"""How many instructions an instrumentation adds to a call, and how many Python functions the call then goes through.

Valgrind counts the instructions, which no other program can disturb.

    python benchmarks/instructions.py

needs `valgrind` and a Python with its symbols. It counts the instrumentation together with OpenTelemetry's SDK, but
without the LLM's SDK (`in_app/alone.py`), and writes the figures to `docs/performance.md`.

Instructions are not time: code that a program runs seldom waits for memory, and code in a loop does not.
"""

import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from in_app.environments import ROOT, prepare, python_of
from in_app.variants import BY_NAME, Variant
from page import table, write_between

VARIANTS = ("floor", "llmlab", "openai-v2")
KINDS = ("plain", "stream")
CALLS = 50
_COUNTED = "functools_reduce"


class Counted(NamedTuple):
    """What one call of a kind takes."""

    instructions: float
    functions: int
    calls: int

    def beyond(self, other: "Counted") -> "Counted":
        """Return how much more this takes."""
        return Counted(
            self.instructions - other.instructions, self.functions - other.functions, self.calls - other.calls
        )


def counted(variant: Variant) -> dict[str, Counted]:
    """Return what one call of each kind takes.

    Raises:
        RuntimeError: valgrind found nothing to count.
        subprocess.CalledProcessError: the variant or valgrind failed.
    """
    prepare(variant.environment)
    with TemporaryDirectory() as folder:
        output = Path(folder) / "counts"
        options = (f"--toggle-collect={_COUNTED}", f"--dump-after={_COUNTED}", f"--callgrind-out-file={output}")
        python = (str(python_of(variant.environment)), "-m", "in_app.alone", variant.name, str(CALLS))
        completed = subprocess.run(
            ["valgrind", "--tool=callgrind", *options, *python],
            cwd=ROOT / "benchmarks",
            env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0", **variant.environ},
            check=True,
            capture_output=True,
            text=True,
        )
        passed = json.loads(completed.stdout.splitlines()[-1])
        return {
            kind: Counted(_total(Path(f"{output}.{number}")) / CALLS, **passed[kind])
            for number, kind in enumerate(KINDS, 1)
        }


def _total(counts: Path) -> int:
    lines = counts.read_text().splitlines() if counts.exists() else []
    found = next((int(line.split()[1]) for line in lines if line.startswith("totals:")), 0)
    if not found:
        raise RuntimeError(f"valgrind saw no call of {_COUNTED}: this Python has no symbols")
    return found


def _shown(each: Counted, floor: Counted) -> tuple[str, ...]:
    times = each.instructions / floor.instructions
    return f"{each.instructions:,.0f}", f"{times:.2f}", str(each.functions), str(each.calls)


def main() -> None:
    """Count, and write the table."""
    bare = counted(BY_NAME["bare"])
    added = {
        name: {kind: each.beyond(bare[kind]) for kind, each in counted(BY_NAME[name]).items()} for name in VARIANTS
    }
    columns = ("instructions, ", "x floor, ", "functions, ", "calls of them, ")
    header = ("instrumentation", *(f"{column}{kind}" for kind in KINDS for column in columns))
    rows = [
        (name, *(text for kind in KINDS for text in _shown(of[kind], added["floor"][kind])))
        for name, of in added.items()
    ]
    shown = table([header, *rows])
    print(shown)
    write_between("instructions", shown)


if __name__ == "__main__":
    main()
