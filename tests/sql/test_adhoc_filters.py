"""Conditions that Grafana's ad-hoc filters send beside a statement: they narrow it, and are checked as it is."""

import pytest

from sql.endpoint import CALLS, Endpoint

COUNT = "SELECT org, count() FROM current_calls GROUP BY org ORDER BY org"


def as_the_plugin_sends(statement: str, table: str, condition: str) -> str:
    inner = condition.replace("\\", "\\\\").replace("'", "\\'")
    return f"{statement}\nsettings additional_table_filters={{'{table}' : '{inner}'}}"


@pytest.mark.parametrize("table", ["current_calls", "llmlab.current_calls"])
def test_a_filter_narrows_a_statement(table: str, endpoint: Endpoint) -> None:
    statement = as_the_plugin_sends(COUNT, table, " org = 'globex' AND project IN ('web', 'it''s') ")
    assert endpoint.post(statement).data == b"globex\t%d\n" % (CALLS // 6)
    assert endpoint.post(f"{statement} FORMAT CSV").data == b'"globex",%d\n' % (CALLS // 6)


def test_a_filter_comes_in_the_url_too(endpoint: Endpoint) -> None:
    answer = endpoint.post(COUNT, additional_table_filters="{'current_calls' : ' model REGEXP \\'acme$\\' '}")
    assert answer.data == b"acme\t%d\n" % (CALLS // 3)


def test_a_filter_widens_nothing(endpoint: Endpoint) -> None:
    for condition in ("1 OR org = 'globex'", "1", "org != 'acme' OR 1"):
        answer = endpoint.post(as_the_plugin_sends(COUNT, "current_calls", condition), "acme")
        assert answer.data == b"acme\t%d\n" % (CALLS // 3)
    told = endpoint.post(as_the_plugin_sends(COUNT, "llm_calls", "throwIf(org != 'acme') = 0"), "acme")
    assert told.data == b"acme\t%d\n" % (CALLS // 3)


@pytest.mark.parametrize(
    "condition",
    [
        "file('/etc/passwd') != ''",
        "arrayMap(file, ['/etc/passwd']) != ['']",
        "1) AND (file('/etc/passwd') != ''",
        "1, file('/etc/passwd')",
        "1) UNION ALL (SELECT 1",
        "1) FROM system.processes WHERE (1",
        "1) INTO OUTFILE '/x' FORMAT CSV SETTINGS a = (1",
        "1 AS a FROM system.processes",
        "1 /*",
        "org IN (SELECT query FROM system.processes)",
        "org IN system.processes",
        "org IN (SELECT org FROM llm_calls)",
        "sleep(3) = 0",
        "nosuch = 1",
        "{x:Identifier} = 1",
        "*",
        "",
        ";",
        "'",
    ],
)
def test_a_filter_that_is_no_simple_condition_is_refused(condition: str, endpoint: Endpoint) -> None:
    escaped = condition.replace("'", "\\'")
    in_url = f"{{'current_calls': '{escaped}'}}"
    answers = [
        endpoint.post(as_the_plugin_sends(COUNT, "current_calls", condition)),
        endpoint.post(COUNT, additional_table_filters=in_url),
    ]
    for answer in answers:
        assert answer.status >= 400, answer.data
        assert b"root:" not in answer.data


@pytest.mark.parametrize("value", ["", "1", "'x'", "{'a': 1}", "{}", "{'a': '1'}, readonly = 0", "[1]"])
def test_a_setting_that_is_no_map_filters_nothing(value: str, endpoint: Endpoint) -> None:
    answer = endpoint.post("SELECT count() FROM current_calls", additional_table_filters=value)
    assert answer.status >= 400 or answer.data == b"%d\n" % CALLS
