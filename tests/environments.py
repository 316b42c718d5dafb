"""Clean virtual environments with the wheel of this checkout in them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


_OURS = ("COLUMNS", "LLMLAB_", "MAKE", "MFLAGS", "OPENAI_", "OTEL_", "PYTEST", "PYTHON", "VIRTUAL_ENV")


def users_environment() -> dict[str, str]:
    """Return the variables of this process that a user's shell would have too: certificates, proxies, indexes."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


def find_uv() -> str:
    """Return uv, as `make` finds it.

    Raises:
        FileNotFoundError: there is none.
    """
    found = shutil.which("uv") or str(ROOT / ".cache/uv/bin/uv")
    if not Path(found).exists():
        raise FileNotFoundError("no uv on PATH or in .cache/uv: `make test` puts one there")
    return found


def build_wheel(directory: Path) -> Path:
    """Build the wheel into a directory."""
    _uv("build", "--wheel", "--quiet", "--out-dir", str(directory), str(ROOT))
    [wheel] = directory.glob("*.whl")
    return wheel


def locked_versions(file: Path) -> Path:
    """Write the versions of uv.lock to a file, as constraints: a clean environment gets what the tests run with."""
    extras = ("export", "--frozen", "--all-extras", "--no-hashes", "--no-emit-project", "--no-annotate", "--no-header")
    file.write_text(_uv(*extras, "--project", str(ROOT)))
    return file


class Environment:
    """A virtual environment of its own."""

    def __init__(self, directory: Path) -> None:
        """Create it, empty."""
        self.bin = directory / "bin"
        self.python = self.bin / "python"
        _uv("venv", "--quiet", "--python", sys.executable, str(directory))

    def install(self, *requirements: str, constraints: Path) -> None:
        """Install requirements."""
        _uv("pip", "install", "--quiet", "--python", str(self.python), "--constraints", str(constraints), *requirements)

    def packages(self) -> set[str]:
        """Return the names of what is installed."""
        listed = json.loads(_uv("pip", "list", "--format", "json", "--python", str(self.python)))
        return {package["name"] for package in listed}

    def run(self, *command: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program of the environment with a text on its standard input, as a user would."""
        program, *arguments = command
        return subprocess.run(
            [self.bin / program, *arguments],
            env=users_environment() | {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"},
            cwd=self.bin,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def _uv(*arguments: str) -> str:
    ended = subprocess.run([find_uv(), *arguments], capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
