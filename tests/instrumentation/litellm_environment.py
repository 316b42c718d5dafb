"""The virtual environment with LiteLLM, made once for each set of requirements and kept in `.cache`."""

import os
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from environments import ROOT, find_uv
from instrumentation.oldest import COMPANIONS, TOOLS, lowest
from llmlab.providers.litellm import PROVIDER

CHECKS = sorted((Path(__file__).parent / "litellm_inside").glob("check_*.py"))
NEWEST = "1.106.2"


def wanted_version() -> str:
    """Return the version to test: the newest known one, or with LLMLAB_OLDEST=1 the lowest that is supported."""
    return lowest(PROVIDER.versions) if os.environ.get("LLMLAB_OLDEST") == "1" else NEWEST


def python_with_litellm() -> Path:
    """Return a Python that has LiteLLM: this one if it does, otherwise that of a cached environment."""
    if find_spec("litellm") is not None:
        return Path(sys.executable)
    wanted = wanted_version()
    requirements = [f"litellm=={wanted}", *COMPANIONS["litellm"], *(f"{tool}=={version(tool)}" for tool in TOOLS)]
    directory = ROOT / ".cache" / "litellm" / wanted
    python, made_of = directory / "bin" / "python", directory / "requirements.txt"
    if not made_of.exists() or made_of.read_text() != "\n".join(requirements):
        uv = [find_uv(), "--quiet"]
        subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, directory], check=True)
        subprocess.run([*uv, "pip", "install", "--python", python, *requirements], check=True)
        made_of.write_text("\n".join(requirements))
    return python
