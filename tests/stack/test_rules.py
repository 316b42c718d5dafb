"""The rules are valid on old and new Prometheus, every alert is tested both ways, and each has its runbook."""

from typing import Any

import pytest
import yaml

from stack.programs import PROMETHEUS, ROOT, SHIPPED, Release, run

RULES = sorted((SHIPPED / "rules").glob("*.yml"))
TESTS = sorted((SHIPPED / "tests").glob("*.yml"))


def alerts() -> dict[str, Any]:
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


ALERTS = alerts()


@pytest.mark.parametrize("release", PROMETHEUS, ids=repr)
def test_the_rules_are_valid(release: Release) -> None:
    ended = run(release.program("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *RULES)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("release", PROMETHEUS, ids=repr)
def test_the_configuration_is_valid(release: Release) -> None:
    ended = run(release.program("promtool"), "check", "config", SHIPPED / "prometheus.yml")
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("release", PROMETHEUS, ids=repr)
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(path: Any, release: Release) -> None:
    ended = run(release.program("promtool"), "test", "rules", path)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tested_firing_and_not_firing(alert: str) -> None:
    checks = [
        check
        for path in TESTS
        for case in yaml.safe_load(path.read_text())["tests"]
        for check in case["alert_rule_test"]
        if check["alertname"] == alert
    ]
    assert any(check["exp_alerts"] for check in checks)
    assert any(not check["exp_alerts"] for check in checks)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"]
    assert {"summary", "description", "runbook_url", "dashboard_url", "__dashboardUid__"} <= rule["annotations"].keys()
    runbook = ROOT / rule["annotations"]["runbook_url"]
    assert runbook.exists()
    assert alert in runbook.read_text()
    assert rule["annotations"]["dashboard_url"].startswith(f"/d/{rule['annotations']['__dashboardUid__']}")
