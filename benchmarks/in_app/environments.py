"""One virtual environment for each set of requirements, kept in `.cache/bench` between runs."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "benchmarks" / "variants"
_VENVS = ROOT / ".cache" / "bench"


def python_of(environment: str) -> Path:
    """Return the interpreter of an environment, which need not exist yet."""
    return _VENVS / environment / "bin" / "python"


def prepare(environment: str) -> None:
    """Create an environment, or bring it up to date, which takes no time when it is.

    Raises `subprocess.CalledProcessError` with what uv wrote to its standard error.
    """
    python = python_of(environment)
    if not python.exists():
        _uv("venv", "--python", sys.executable, str(python.parents[1]))
    requirements = REQUIREMENTS / f"{environment}.txt"
    # OpenTelemetry's Python instrumentations exist as pre-releases only.
    options = ("--prerelease", "allow", "--compile-bytecode")
    _uv("pip", "install", *options, "--python", str(python), "--requirements", str(requirements))


def _uv(*arguments: str) -> None:
    # The Makefile puts one into the checkout where the machine has none.
    uv = shutil.which("uv") or ROOT / ".cache" / "uv" / "bin" / "uv"
    subprocess.run([uv, "--quiet", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
