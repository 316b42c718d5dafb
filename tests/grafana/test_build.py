"""The committed files are what the values make."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROVISIONING = ROOT / "grafana" / "provisioning"


def _build(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(folder / "grafana" / "build.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for path in [*(ROOT / "grafana").rglob("*"), ROOT / "docs" / "dashboards.md"]:
        if path.suffix in {".py", ".json", ".md"}:
            target = tmp_path / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return tmp_path


def test_dashboards_and_their_page_are_up_to_date() -> None:
    checked = _build(ROOT, "--check")
    assert checked.returncode == 0, checked.stderr


def test_building_again_changes_nothing(copy: Path) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.suffix in {".json", ".md"}}
    assert _build(copy).returncode == 0
    assert {path: path.read_bytes() for path in before} == before


def test_an_edited_dashboard_is_noticed(copy: Path) -> None:
    board = copy / "grafana" / "dashboards" / "llm-spend.json"
    board.write_text(board.read_text().replace("currencyUSD", "currencyEUR"))
    checked = _build(copy, "--check")
    assert checked.returncode == 1
    assert "llm-spend.json is not up to date" in checked.stderr


def test_a_dashboard_that_nobody_builds_is_noticed(copy: Path) -> None:
    (copy / "grafana" / "dashboards" / "old.json").write_text("{}")
    assert "old.json is not up to date" in _build(copy, "--check").stderr


def test_the_page_names_every_panel_with_its_query() -> None:
    page = (ROOT / "docs" / "dashboards.md").read_text()
    assert page.count("<details>") == page.count("</details>") > 70
    assert page.count("```sql") + page.count("```promql") >= page.count("<details>")


def test_the_panel_of_the_example_can_be_built(copy: Path) -> None:
    page = (ROOT / "docs" / "dashboards.md").read_text()
    example = page.split("```python\n", 1)[1].split("```", 1)[0]
    script = copy / "grafana" / "example.py"
    script.write_text(f"{example}\nprint(USERS.model(1, 0, 0)['targets'][0]['rawSql'])")
    asked = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout
    assert asked.startswith("SELECT uniqExact(user_id)")


def test_rates_follow_the_interval_at_which_prometheus_scrapes() -> None:
    scraped = yaml.safe_load((ROOT / "prometheus" / "prometheus.yml").read_text())["global"]["scrape_interval"]
    (file,) = (PROVISIONING / "datasources").glob("*.yml")
    sources = yaml.safe_load(file.read_text())["datasources"]
    assert [source["jsonData"]["timeInterval"] for source in sources if source["type"] == "prometheus"] == [scraped]


def test_provisioned_data_sources_have_fixed_uids() -> None:
    (file,) = (PROVISIONING / "datasources").glob("*.yml")
    found = {source["uid"]: source for source in yaml.safe_load(file.read_text())["datasources"]}
    assert found.keys() == {"llm-prometheus", "llm-clickhouse", "llm-alertmanager"}
    assert found["llm-clickhouse"]["type"] == "grafana-clickhouse-datasource"
    assert found["llm-prometheus"]["jsonData"]["exemplarTraceIdDestinations"][0]["name"] == "trace_id"
    assert found["llm-prometheus"]["jsonData"]["alertmanagerUid"] == "llm-alertmanager"
    assert found["llm-alertmanager"]["jsonData"]["implementation"] == "prometheus"


def test_provisioned_dashboards_cannot_be_edited_in_place() -> None:
    (file,) = (PROVISIONING / "dashboards").glob("*.yml")
    (provider,) = yaml.safe_load(file.read_text())["providers"]
    assert provider["folderUid"] == "llm-cost"
    assert provider["allowUiUpdates"] is False
