"""How many instructions an instrumentation adds to a call, counted by valgrind, which no other program can disturb.

    python benchmarks/instructions.py

needs `valgrind` and a Python with its symbols. It counts the instrumentation together with OpenTelemetry's SDK, but
without the LLM's SDK (`in_app/alone.py`), and writes the figures to `docs/performance.md`.

Instructions are not time: code that a program runs seldom waits for memory, and code in a loop does not.
"""

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from in_app.environments import ROOT, prepare, python_of
from in_app.variants import BY_NAME, Variant
from page import table, write_between

VARIANTS = ("floor", "llmlab", "openai-v2")
KINDS = ("plain", "stream")
CALLS = 50
_COUNTED = "functools_reduce"


def counted(variant: Variant) -> dict[str, float]:
    """Return the instructions of one call of each kind.

    Raises:
        RuntimeError: valgrind found nothing to count.
        subprocess.CalledProcessError: the variant or valgrind failed.
    """
    prepare(variant.environment)
    with TemporaryDirectory() as folder:
        output = Path(folder) / "counts"
        options = (f"--toggle-collect={_COUNTED}", f"--dump-after={_COUNTED}", f"--callgrind-out-file={output}")
        python = (str(python_of(variant.environment)), "-m", "in_app.alone", variant.name, str(CALLS))
        subprocess.run(
            ["valgrind", "--tool=callgrind", *options, *python],
            cwd=ROOT / "benchmarks",
            env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0", **variant.environ},
            check=True,
            capture_output=True,
        )
        return {kind: _total(Path(f"{output}.{number}")) / CALLS for number, kind in enumerate(KINDS, 1)}


def _total(counts: Path) -> int:
    lines = counts.read_text().splitlines() if counts.exists() else []
    found = next((int(line.split()[1]) for line in lines if line.startswith("totals:")), 0)
    if not found:
        raise RuntimeError(f"valgrind saw no call of {_COUNTED}: this Python has no symbols")
    return found


def main() -> None:
    """Count, and write the table."""
    bare = counted(BY_NAME["bare"])
    added = {name: {kind: count - bare[kind] for kind, count in counted(BY_NAME[name]).items()} for name in VARIANTS}
    header = ("instrumentation", *(f"{of}{kind}" for kind in KINDS for of in ("instructions, ", "x floor, ")))
    rows = [
        (name, *(text for kind in KINDS for text in (f"{of[kind]:,.0f}", f"{of[kind] / added['floor'][kind]:.2f}")))
        for name, of in added.items()
    ]
    shown = table([header, *rows])
    print(shown)
    write_between("instructions", shown)


if __name__ == "__main__":
    main()
