"""LiteLLM needs an older `openai` than the other tests have, so its checks run in an environment of their own."""

import os
import subprocess

import pytest

from environments import ROOT, users_environment
from instrumentation.cell_recorder import VARIABLE
from instrumentation.litellm_environment import CHECKS, python_with_litellm


@pytest.mark.timeout(600)  # the first run installs LiteLLM
def test_litellm_passes_its_checks_in_an_environment_of_its_own() -> None:
    environment = users_environment() | {
        "PYTHONPATH": str(ROOT / "instrumentation"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # LiteLLM would fetch its price list when it is imported
        VARIABLE: os.environ.get(VARIABLE, ""),
    }
    command = [python_with_litellm(), "-m", "pytest", "-q", "-W", "default", "-p", "no:cacheprovider", CHECKS]
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " passed" in ended.stdout
