"""Other instrumentations of the same SDKs, each in a virtual environment of its own that is made once."""

import hashlib
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from environments import ROOT, find_uv

_CACHE = ROOT / ".cache" / "beside"
_TOOLS = ("opentelemetry-exporter-otlp-proto-common", "packaging", "pytest")
"""What the program needs that makes the calls, whoever else is there."""


class Peer(NamedTuple):
    """One instrumentation that is active beside ours."""

    name: str
    sdk: str
    packages: tuple[str, ...]
    """Pinned, on top of a file in `benchmarks/variants`."""
    base: str
    """The file."""

    def __str__(self) -> str:
        return self.name

    @property
    def requirements(self) -> str:
        """Everything that its environment is made of."""
        tools = [f"{tool}=={version(tool)}" for tool in _TOOLS]
        return "\n".join([f"-r {ROOT / 'benchmarks' / 'variants' / self.base}", *self.packages, *tools]) + "\n"

    def python(self) -> Path:
        """Return the Python of its environment, which is made when the requirements have changed."""
        directory = _CACHE / self.name
        made_of, python = directory / "made-of.txt", directory / "bin" / "python"
        key = hashlib.sha256(_unfolded(self.requirements).encode()).hexdigest()
        if not made_of.exists() or made_of.read_text() != key:
            wanted = directory.with_suffix(".in")
            _CACHE.mkdir(parents=True, exist_ok=True)
            wanted.write_text(self.requirements)
            _uv("venv", "--clear", "--python", sys.executable, str(directory))
            _uv("pip", "install", "--python", str(python), "-r", str(wanted))
            made_of.write_text(key)
        return python


_ANTHROPIC = "anthropic==2.11.0"

PEERS = (
    Peer("openlit", "openai", (), "openlit.txt"),
    Peer("openllmetry-openai", "openai", (), "traceloop.txt"),
    Peer("openinference-openai", "openai", (), "openinference.txt"),
    Peer("openai-v2", "openai", (), "openai-v2.txt"),
    Peer("genai-openai", "openai", (), "genai-openai.txt"),
    Peer(
        "openllmetry-anthropic",
        "anthropic",
        (_ANTHROPIC, "opentelemetry-instrumentation-anthropic==0.62.4"),
        "otel.txt",
    ),
    Peer(
        "openinference-anthropic",
        "anthropic",
        (_ANTHROPIC, "openinference-instrumentation-anthropic==3.1.0"),
        "otel.txt",
    ),
    Peer(
        "genai-anthropic",
        "anthropic",
        (_ANTHROPIC, "opentelemetry-instrumentation-genai-anthropic==1.3b0", "opentelemetry-util-genai==1.3b0"),
        "otel.txt",
    ),
)


def _unfolded(requirements: str) -> str:
    """Return requirements with the files that they refer to."""
    lines: list[str] = []
    for line in requirements.splitlines():
        lines.append(line)
        if line.startswith("-r "):
            file = ROOT / "benchmarks" / "variants" / line.removeprefix("-r ").strip()
            lines.append(_unfolded(file.read_text()))
    return "\n".join(lines)


def _uv(*arguments: str) -> None:
    ended = subprocess.run([find_uv(), "--quiet", *arguments], capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr
