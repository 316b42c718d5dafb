import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from collector.build import RECIPE
from collector.process import CONFIGS, GATEWAY, OVERLAY, OWN, command, needs_collector
from environments import ROOT

EXISTING = Path(__file__).with_name("existing.yaml")
COMBINATIONS: dict[str, tuple[tuple[Path, ...], dict[str, str]]] = {
    "own": (OWN, {}),
    "own, elsewhere": (
        OWN,
        {"LLMLAB_COLLECTOR_HOST": "0.0.0.0", "LLMLAB_EXPORTER_ENDPOINT": "http://exporter:4318"},  # noqa: S104
    ),
    "gateway": (GATEWAY, {"LLMLAB_EXPORTERS": "[exporter-0:4317, exporter-1:4317]"}),
    "overlay": ((EXISTING, *OVERLAY), {}),
    "overlay, another receiver": ((EXISTING, *OVERLAY), {"LLMLAB_RECEIVER": "otlp/second"}),
}

pytestmark = [pytest.mark.e2e, needs_collector]


def validate(configs: tuple[Path, ...], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    unset = {name: value for name, value in os.environ.items() if not name.startswith("LLMLAB_")}
    return subprocess.run(
        command(["validate"], configs),
        env={**unset, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("configs", "variables"), COMBINATIONS.values(), ids=COMBINATIONS)
def test_the_collector_accepts_our_configurations(
    configs: tuple[Path, ...], variables: dict[str, str], tmp_path: Path
) -> None:
    ended = validate(configs, variables | {"LLMLAB_COLLECTOR_QUEUE": str(tmp_path)})
    assert ended.returncode == 0, ended.stderr
    assert "deprecated" not in ended.stderr


@pytest.mark.parametrize(("number", "configs"), [(0, (EXISTING, *OVERLAY)), (1, GATEWAY)], ids=["overlay", "gateway"])
def test_what_the_page_adds_to_them_is_accepted(number: int, configs: tuple[Path, ...], tmp_path: Path) -> None:
    page = (ROOT / "docs" / "collector.md").read_text()
    blocks = [dedent(each) for each in re.findall(r"^ *```yaml\n(.*?)^ *```$", page, re.DOTALL | re.MULTILINE)]
    assert len(blocks) == 2
    addition = tmp_path / "addition.yaml"
    addition.write_text(blocks[number].replace("/var/lib/otelcol", str(tmp_path)))
    ended = validate((*configs, addition), {"LLMLAB_COLLECTOR_QUEUE": str(tmp_path)})
    assert ended.returncode == 0, ended.stderr


def test_it_would_not_accept_a_mistake(tmp_path: Path) -> None:
    mistake = tmp_path / "mistake.yaml"
    mistake.write_text("exporters: {otlp_http/llm_cost: {sending_queue: {queue_sise: 1}}}")
    ended = validate((*OWN, mistake), {"LLMLAB_COLLECTOR_QUEUE": str(tmp_path)})
    assert ended.returncode != 0
    assert "queue_sise" in ended.stderr


def test_a_gateway_without_exporters_does_not_start(tmp_path: Path) -> None:
    ended = validate(GATEWAY, {"LLMLAB_COLLECTOR_QUEUE": str(tmp_path)})
    assert ended.returncode != 0


def test_every_file_is_in_one_of_the_combinations() -> None:
    used = {file for configs, _ in COMBINATIONS.values() for file in configs}
    assert set(CONFIGS.glob("*.yaml")) - {RECIPE} == used - {EXISTING}


def test_the_recipe_pins_one_version_of_everything() -> None:
    recipe = yaml.safe_load(RECIPE.read_text())
    modules = [each["gomod"] for kind, listed in recipe.items() if kind != "dist" for each in listed]
    versions = {module.rpartition(" v")[2] for module in modules}
    stable = {version for version in versions if version.startswith("1.")}  # what is stable counts by itself
    assert versions - stable == {recipe["dist"]["version"]}
    assert len(stable) == 1
    minor = recipe["dist"]["version"].split(".")[1]
    assert stable.pop().split(".")[1] == str(int(minor) - 94)
