"""The routes lead where they should, and the snippet fits into somebody else's configuration."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from stack.programs import ALERTMANAGER, ROOT, SHIPPED, Release, run

BUDGET = "alertname=LLMBudgetThreshold budget=platform org=default period=month"


def placed(config: Path, directory: Path) -> Path:
    """Return a copy of a configuration that finds its templates here."""
    copy = directory / config.name
    copy.write_text(config.read_text().replace("/etc/alertmanager/templates", str(SHIPPED / "templates")))
    return copy


@pytest.mark.parametrize("release", ALERTMANAGER, ids=repr)
def test_the_configuration_is_valid(release: Release, tmp_path: Path) -> None:
    ended = run(release.program("amtool"), "check-config", placed(SHIPPED / "alertmanager.yml", tmp_path))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 templates" in ended.stdout


@pytest.mark.parametrize("release", ALERTMANAGER, ids=repr)
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (f"{BUDGET} threshold=100 severity=critical", "oncall"),
        (f"{BUDGET} threshold=80 severity=warning", "team"),
        (f"{BUDGET} threshold=50 severity=info", "team"),
        ("alertname=LLMExporterDown severity=critical", "oncall"),
        ("alertname=SomethingElse severity=critical", "team"),
    ],
)
def test_alerts_go_to_who_must_act(labels: str, receiver: str, release: Release) -> None:
    config = SHIPPED / "alertmanager.yml"
    routed = [f"--config.file={config}", f"--verify.receivers={receiver}", *labels.split()]
    ended = run(release.program("amtool"), "config", "routes", "test", *routed)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def merged(theirs: Any, ours: Any) -> Any:
    """Do what the snippet's comment says."""
    theirs["route"]["routes"] = [*ours["route"]["routes"], *theirs["route"].get("routes", [])]
    for section in ("receivers", "inhibit_rules"):
        theirs[section] = [*theirs.get(section, []), *ours[section]]
    return theirs


@pytest.mark.parametrize("release", ALERTMANAGER, ids=repr)
def test_the_snippet_leaves_other_alerts_as_they_are(release: Release, tmp_path: Path) -> None:
    theirs: dict[str, Any] = {
        "route": {"receiver": "theirs", "routes": [{"receiver": "dba", "matchers": ['team="db"']}]}
    }
    theirs["receivers"] = [{"name": "theirs"}, {"name": "dba"}]
    snippet = yaml.safe_load((ROOT / "examples/alertmanager/route.snippet.yml").read_text())
    config = tmp_path / "alertmanager.yml"
    config.write_text(yaml.safe_dump(merged(theirs, snippet)))
    amtool = release.program("amtool")
    assert run(amtool, "check-config", config).returncode == 0
    for labels, receiver in (
        ("alertname=LLMSpendSpike", "llmlab"),
        ("alertname=LLMSpendSpike team=db", "llmlab"),
        ("alertname=HighLoad team=db", "dba"),
        ("alertname=HighLoad", "theirs"),
    ):
        routed = [f"--config.file={config}", f"--verify.receivers={receiver}", *labels.split()]
        ended = run(amtool, "config", "routes", "test", *routed)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_no_secret_is_in_a_file() -> None:
    written = yaml.safe_load((SHIPPED / "alertmanager.yml").read_text())
    for receiver in written["receivers"]:
        for kind, channels in receiver.items():
            for channel in channels if kind.endswith("_configs") else ():
                assert any(name.endswith("_file") for name in _keys(channel)), receiver["name"]


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [key for name, held in value.items() for key in (name, *_keys(held))]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return [key for each in value for key in _keys(each)] if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]
