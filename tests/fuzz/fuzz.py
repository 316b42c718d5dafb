"""Coverage-guided fuzzing of the exporter with atheris: `make fuzz`, `SECONDS=600` for longer.

It starts from the recordings and from `corpus/`, and adds what reaches new code to the corpus. What crashes is written
to the present directory: mend it, and move the input into `corpus/`, where `test_corpus.py` keeps it from coming back.
"""

import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

atheris: Any = import_module("atheris")  # without types, and only `make fuzz` brings it

with atheris.instrument_imports(include=["llmlab", "llmlab_exporter"]):
    from fuzz.target import take

CORPUS = Path(__file__).parent / "corpus"
RECORDINGS = Path(__file__).parents[1] / "fixtures" / "otlp"


def one_input(data: bytes) -> None:
    """Take one input."""
    take(data)


def main() -> None:
    """Fuzz with the options of libFuzzer that follow on the command line."""
    with tempfile.TemporaryDirectory() as folder:
        for number, recording in enumerate(sorted(RECORDINGS.rglob("*.pb"))):
            (Path(folder) / f"recording-{number}").write_bytes(b"\0" + recording.read_bytes())
        atheris.Setup([sys.argv[0], str(CORPUS), folder, *sys.argv[1:]], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
