"""Run the tests of each SDK at the lowest version that its provider module declares (`make test-oldest`).

    python tests/instrumentation/oldest.py [provider ...]

Each version gets an environment of its own in `.cache/oldest`: what the tests need is pinned to the versions of this
environment, and the SDK's dependencies are the newest that fit it. What passed is written to `oldest.json`, from which
the table in `docs/instrumentation.md` has its oldest versions.
"""

# ruff: noqa: T201 - its output is what it is for

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from environments import ROOT, find_uv, users_environment
from instrumentation.calls_table import OLDEST, Proof, read_proofs
from instrumentation.cell_recorder import VARIABLE
from llmlab.providers import Provider, discover

FOLDER = Path(__file__).parent
CACHE = ROOT / ".cache" / "oldest"

TOOLS = (
    "hypothesis",
    "opentelemetry-api",
    "opentelemetry-instrumentation",
    "opentelemetry-sdk",
    "packaging",
    "pytest",
    "pytest-timeout",
    "starlette",
    "uvicorn",
)
"""What the tests need, whatever the SDK."""

COMPANIONS = {
    "anthropic": ("boto3", "google-auth", "requests"),  # its clients for Bedrock and Vertex AI
    "bedrock": ("boto3",),
    "langchain": ("langchain-anthropic", "langchain-openai"),
    "huggingface-hub": ("aiohttp", "numpy"),  # its asynchronous client of old, and embeddings
    # What it imports for Bedrock, for retries, in its caches and its Responses API, without depending on them; and the
    # launcher, because its example cannot run beside the others.
    "litellm": ("boto3", "fastapi", "mcp", "opentelemetry-distro", "orjson", "soundfile", "tenacity"),
}
"""What the tests of one SDK need beside it."""

SINCE = {
    "openai": ("1.66", "1.92", "1.98"),  # the Responses API, `chat.completions.parse`, streams of images
}
"""Further versions that are the lowest for some of an SDK's calls."""


class Target(NamedTuple):
    """One SDK at one version."""

    provider: Provider
    version: str

    @property
    def requirements(self) -> list[str]:
        tools = [f"{tool}=={version(tool)}" for tool in TOOLS]
        return [f"{self.provider.distribution}=={self.version}", *COMPANIONS.get(self.provider.name, ()), *tools]

    @property
    def tests(self) -> list[str]:
        """The files of its tests, which are in a folder of their own when the SDK cannot live beside the others."""
        name = self.provider.name.replace("-", "_")
        files = [*FOLDER.glob(f"{name}_inside/test_*.py")] or [*FOLDER.glob(f"test_{name}*.py")]
        return sorted(map(str, files))


class Outcome(NamedTuple):
    """How the tests of one target ended."""

    target: Target
    proofs: list[Proof]
    failure: str
    """What went wrong, "" when nothing did."""
    summary: str
    """pytest's last line."""

    def __str__(self) -> str:
        verdict = "FAILED" if self.failure else "passed"
        return f"{verdict}  {self.target.provider.distribution:<18} {self.target.version:<10} {self.summary}"


def lowest(versions: str) -> str:
    """Return the lowest version of a range, as the range writes it."""
    (bound,) = (each.version for each in SpecifierSet(versions) if each.operator == ">=")
    return bound


def targets(names: list[str]) -> list[Target]:
    """Return what is to be tested of the providers of these names, or of all."""
    providers = [provider for provider in discover() if not names or provider.name in names]
    return [
        Target(provider, each)
        for provider in providers
        for each in (lowest(provider.versions), *SINCE.get(provider.name, ()))
    ]


def prepare(target: Target) -> Path:
    """Return the Python of the target's environment, which is made once per set of requirements."""
    directory = CACHE / f"{target.provider.name}-{target.version}"
    python, made_of = directory / "bin" / "python", directory / "requirements.txt"
    wanted = "\n".join(target.requirements)
    if not made_of.exists() or made_of.read_text() != wanted:
        uv = [find_uv(), "--quiet"]
        subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, directory], check=True)
        subprocess.run([*uv, "pip", "install", "--python", python, *target.requirements], check=True)
        made_of.write_text(wanted)
    return python


def run(target: Target) -> Outcome:
    """Run the target's tests."""
    if not target.tests:
        return Outcome(target, [], f"no test_{target.provider.name}*.py", "")
    with TemporaryDirectory() as directory:
        cells = Path(directory) / "cells.json"
        ended = subprocess.run(
            [prepare(target), "-m", "pytest", "-q", "-W", "default", *target.tests],
            env=users_environment() | {VARIABLE: str(cells), "PYTHONPATH": str(ROOT / "instrumentation")},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        proofs = sorted(read_proofs(cells)) if cells.exists() else []
    failure = ended.stdout + ended.stderr if ended.returncode else ""
    return Outcome(target, proofs, failure, ended.stdout.strip().rpartition("\n")[2])


def record(outcomes: Sequence[Outcome]) -> None:
    """Write down the ranges that were tested and the lowest version that each cell passed with."""
    recorded: dict[str, Any] = json.loads(OLDEST.read_text()) if OLDEST.exists() else {}
    for provider in {outcome.target.provider.name: outcome.target.provider for outcome in outcomes}.values():
        proofs = [proof for outcome in outcomes if outcome.target.provider is provider for proof in outcome.proofs]
        cells: dict[str, dict[str, dict[str, str]]] = {}
        for proof in sorted(proofs, key=lambda each: Version(each.version), reverse=True):  # the lowest comes last
            cells.setdefault(proof.sdk, {}).setdefault(proof.call, {})[proof.way] = proof.version
        recorded[provider.name] = {"versions": provider.versions, "cells": cells}
    OLDEST.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")


def main(names: list[str]) -> int:
    """Test, report, and record when everything passed."""
    outcomes: list[Outcome] = []
    for target in targets(names):
        outcomes.append(run(target))
        print(outcomes[-1], flush=True)
    for outcome in outcomes:
        if outcome.failure:
            print(f"\n{outcome}\n\n{outcome.failure}")
    if failed := [outcome for outcome in outcomes if outcome.failure]:
        print(f"error: {len(failed)} of {len(outcomes)} versions do not pass, so {OLDEST.name} stays as it is")
        return 1
    record(outcomes)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
