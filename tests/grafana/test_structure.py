"""What a dashboard must be before anybody looks at it."""

import itertools
import re
from typing import Any

import pytest

from grafana.boards import FILES, Target, load, panels, targets

_BOARDS = [load(path) for path in FILES]
_EACH_BOARD = pytest.mark.parametrize("board", [pytest.param(board, id=board["uid"]) for board in _BOARDS])
_EACH_PANEL = pytest.mark.parametrize(
    ("board", "panel"),
    [pytest.param(board, panel, id=f"{board['uid']}/{panel['title']}") for board in _BOARDS for panel in panels(board)],
)
_PROMQL = [target for target in targets() if not target.is_sql]
_SQL = [target for target in targets() if target.is_sql]
_EACH_PROMQL = pytest.mark.parametrize("target", [pytest.param(target, id=str(target)) for target in _PROMQL])
_EACH_SQL = pytest.mark.parametrize("target", [pytest.param(target, id=str(target)) for target in _SQL])

_LABELS = {
    *("org", "project", "service_name", "environment", "provider", "model", "operation", "outcome", "token_type"),
    *("budget", "period", "threshold", "reason", "result", "transport", "le", "exporter"),
    *("__name__", "alertname", "alertstate", "severity"),
}
"""What our metrics, and those of a collector and of alerts, are labelled by."""


def test_there_are_six_dashboards() -> None:
    assert [board["uid"] for board in _BOARDS] == [
        "llm-budgets",
        "llm-models",
        "llm-pipeline",
        "llm-requests",
        "llm-savings",
        "llm-spend",
    ]


@_EACH_BOARD
def test_a_dashboard_says_what_it_is_for_and_leads_to_the_others(board: dict[str, Any]) -> None:
    assert board["title"]
    assert board["description"].endswith((".", "?"))
    assert board["tags"] == ["llm-cost"]
    (links,) = board["links"]
    assert links["type"] == "dashboards"
    assert links["tags"] == ["llm-cost"]
    assert links["keepTime"]
    assert board["editable"] is False


@_EACH_BOARD
def test_a_dashboard_can_be_provisioned_and_imported(board: dict[str, Any]) -> None:
    assert "__inputs" not in board
    assert "__requires" not in board
    assert "id" not in board
    assert board["schemaVersion"] <= 42, "file provisioning refuses the schema of dynamic dashboards"
    text = str(board)
    assert "DS_" not in text


@_EACH_BOARD
def test_panels_have_numbers_of_their_own_and_do_not_overlap(board: dict[str, Any]) -> None:
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
    for one, other in itertools.combinations(places, 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        ), (one, other)


@_EACH_BOARD
def test_variables_are_asked_anew_when_the_range_changes(board: dict[str, Any]) -> None:
    for variable in board["templating"]["list"]:
        assert variable["label"]
        if variable["type"] == "query":
            assert variable["refresh"] == 2, variable["name"]
            assert variable["datasource"]["uid"] in {"${prometheus}", "${clickhouse}"}
        if variable.get("multi"):
            assert variable["includeAll"], variable["name"]
            assert "allValue" not in variable, variable["name"]


@_EACH_BOARD
def test_every_variable_is_used_and_every_used_one_is_there(board: dict[str, Any]) -> None:
    declared = {variable["name"] for variable in board["templating"]["list"]}
    text = str(board["panels"]) + str(board["annotations"]) + str(board["templating"])
    used = {name for name in re.findall(r"\$\{?(\w+)", text) if not name.startswith("_") and not name.isdigit()}
    assert used == declared


@_EACH_PANEL
def test_a_panel_has_a_title_a_question_and_a_unit(board: dict[str, Any], panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert len(panel["description"]) > 40 or panel["type"] == "stat"
    assert panel["description"].endswith((".", "?")), panel["description"]
    if panel["type"] != "table":
        assert panel["fieldConfig"]["defaults"]["unit"]


@_EACH_PANEL
def test_a_panel_asks_data_sources_that_the_reader_chooses(board: dict[str, Any], panel: dict[str, Any]) -> None:
    sources = {"${prometheus}": "prometheus", "${clickhouse}": "grafana-clickhouse-datasource"}
    for asked in (panel, *panel["targets"]):
        assert sources[asked["datasource"]["uid"]] == asked["datasource"]["type"]


@_EACH_PANEL
def test_the_fields_that_a_panel_describes_are_in_its_queries(board: dict[str, Any], panel: dict[str, Any]) -> None:
    text = "".join(Target(board["uid"], panel, query).text for query in panel["targets"])
    text += str(panel.get("transformations", "")) + "".join(each.get("legendFormat", "") for each in panel["targets"])
    for override in panel["fieldConfig"]["overrides"]:
        name = override["matcher"]["options"]
        if override["matcher"]["id"] == "byName" and panel["title"] != "Spans by what became of them":
            assert name in text, name


@_EACH_PROMQL
def test_counters_stand_only_inside_of_rates(target: Target) -> None:
    for counter in re.finditer(r"\b\w+_(total|bucket)\b", target.text):
        before = target.text[: counter.start()]
        if before.endswith(("count(", '{__name__=~"', ")?")):
            continue
        assert re.search(r"(rate|increase)\([^()]*$", before), counter[0]


@_EACH_PROMQL
def test_windows_follow_the_range_or_are_named(target: Target) -> None:
    panel = target.panel
    said = f"{panel['title']} {panel['description']}".lower() + str(panel.get("transformations", "")).lower()
    names = {"10m": "delay", "1h": "hour", "6h": "6 hours", "1d": "24 h"}
    for window in re.findall(r"\[([^\]]+)\]", re.sub(r'"[^"]*"', "", target.text)):
        assert window in {"$__rate_interval", "$__range"} or names[window] in said, window


@_EACH_PROMQL
def test_nothing_is_filtered_by_what_only_one_vendor_sends(target: Target) -> None:
    matchers = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", target.text)
    assert set(matchers) <= _LABELS


@_EACH_SQL
def test_sql_reads_the_current_calls_in_the_range(target: Target) -> None:
    tables = set(re.findall(r"\b(?:FROM|JOIN)\s+([a-z_]\w*)", target.text))
    assert tables == {"current_calls"}
    assert re.search(r"\$__timeFilter_ms\(started_at\)|\$__toTime_ms", target.text)
    assert target.text.startswith("SELECT")
    assert ";" not in target.text


@_EACH_SQL
def test_sql_leaves_second_records_of_a_call_out(target: Target) -> None:
    if target.panel["title"] != "Recorded more than once":
        assert "duplicate_of IS NULL AND (billable OR outcome = 'error')" in target.text


@_EACH_SQL
def test_money_is_summed_up_exactly_and_rounded_last(target: Target) -> None:
    assert not re.search(r"sum\w*\(toFloat", target.text)
    assert not re.search(r"(ifNull|coalesce)\(cost_usd", target.text), "a call without a price does not cost 0"
