"""LiteLLM needs an older `openai` than the other tests have, so its checks run in an environment of their own."""

import os
import subprocess
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest

from environments import ROOT, users_environment
from fake_provider.testing import FakeProvider
from instrumentation.cell_recorder import VARIABLE
from instrumentation.litellm_environment import CHECKS, python_with_litellm
from instrumentation.test_example_apps import APPS, TO_CONSOLE, spans_in

ENVIRONMENT = users_environment() | {
    "PYTHONPATH": str(ROOT / "instrumentation"),
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # LiteLLM would fetch its price list when it is imported
}

PATIENCE = 8
EXAMPLE_TIMEOUT_S = 45

pytestmark = pytest.mark.timeout(600)  # the first run installs LiteLLM


def test_litellm_passes_its_checks_in_an_environment_of_its_own() -> None:
    environment = ENVIRONMENT | {VARIABLE: os.environ.get(VARIABLE, "")}
    command = [python_with_litellm(), "-m", "pytest", "-q", "-W", "default", "-p", "no:cacheprovider", *CHECKS]
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " passed" in ended.stdout


def test_every_billed_call_of_the_example_is_one_span(provider: FakeProvider, tmp_path: Path) -> None:
    announce(tmp_path)
    environment = (
        ENVIRONMENT
        | TO_CONSOLE
        | {
            "PYTHONPATH": os.pathsep.join((str(ROOT / "instrumentation"), str(tmp_path))),
            "OPENAI_BASE_URL": provider.openai_url,
            "OPENAI_API_KEY": "fake",
            "ANTHROPIC_API_BASE": provider.anthropic_url,
            "ANTHROPIC_API_KEY": "fake",
        }
    )
    python = python_with_litellm()
    command = [python.with_name("opentelemetry-instrument"), python, APPS / "litellm_app.py"]
    ended = run_to_its_end(command, environment, provider)
    assert ended.returncode == 0, ended.stderr
    attributes = [span["attributes"] for span in spans_in(ended.stdout)]
    assert len(attributes) == len([request for request in provider.requests if request.usage is not None]) == 6
    assert {each["llmlab.usage.source"] for each in attributes} == {"reported"}
    assert {each["gen_ai.provider.name"] for each in attributes} == {"anthropic", "openai"}


def run_to_its_end(
    command: list[Path], environment: dict[str, str], provider: FakeProvider
) -> subprocess.CompletedProcess[str]:
    """Run the example, several times if need be.

    Every other run with LiteLLM 1.80.0 never ends, without us too: when `asyncio.run` cancels its logging worker while
    that waits for a task which is just done, Python 3.11's `wait_for` forgets the cancellation.
    """
    for _ in range(PATIENCE):
        provider.reset()
        with suppress(subprocess.TimeoutExpired):
            return subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False, timeout=EXAMPLE_TIMEOUT_S
            )
    return pytest.fail(f"{PATIENCE} runs of the example did not end within {EXAMPLE_TIMEOUT_S} s")


def announce(directory: Path) -> None:
    """Tell the launcher of our entry point, as an installation of the package would."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    information = directory / "llmlab-0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: llmlab\nVersion: 0\n")
    group = "opentelemetry_instrumentor"
    entries = [f"{name} = {value}" for name, value in project["entry-points"][group].items()]
    (information / "entry_points.txt").write_text("\n".join((f"[{group}]", *entries)))
