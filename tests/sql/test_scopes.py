"""A user sees the rows of their scope, however they ask; and the engine sees to it, also when nothing else does."""

from collections.abc import Iterator

import pytest

from llmlab_exporter.sql.failure import Failure
from llmlab_exporter.sql.session import Session
from llmlab_exporter.sql.settings import Limits, session_settings
from llmlab_exporter.sql.users import Scope
from sql.endpoint import CALLS, Endpoint

OTHERS = ("globex", "initech")

QUESTIONS = (
    "SELECT DISTINCT org FROM current_calls",
    "SELECT DISTINCT org FROM llm_calls",
    "SELECT DISTINCT org FROM llm_calls FINAL",
    "SELECT DISTINCT c.org FROM llmlab.current_calls AS c",
    "SELECT min(org) FROM llm_calls UNION ALL SELECT max(org) FROM llm_calls",
    "SELECT org FROM llm_calls PREWHERE org != '' LIMIT 1 BY org",
    "SELECT org FROM (SELECT * FROM (SELECT * FROM current_calls)) GROUP BY org",
    "WITH llm_calls AS (SELECT * FROM llmlab.llm_calls) SELECT DISTINCT org FROM llm_calls",
    "WITH current_calls AS (SELECT 'x' AS org) SELECT DISTINCT org FROM llmlab.current_calls",
    "WITH x AS (SELECT * FROM current_calls) SELECT a.org FROM x AS a JOIN x AS b ON a.span_id = b.span_id GROUP BY 1",
    "SELECT a.org FROM llm_calls AS a JOIN llm_calls AS b ON a.started_at = b.started_at GROUP BY 1",
    "SELECT b.org FROM numbers(4000) AS n LEFT JOIN llm_calls AS b ON n.number = b.input_tokens GROUP BY 1",
    "SELECT b.org FROM llm_calls AS a RIGHT JOIN llm_calls AS b ON a.org = 'nobody' GROUP BY 1",
    "SELECT arrayJoin(groupUniqArray(org)) FROM llm_calls",
    "SELECT arrayJoin((SELECT groupUniqArray(org) FROM llm_calls))",
    "SELECT org FROM llm_calls ARRAY JOIN [1, 2] AS n GROUP BY org",
    "SELECT org FROM llm_calls WHERE 1 OR org = 'globex' GROUP BY org",
    "SELECT org FROM llm_calls WHERE NOT (org = 'acme') OR 1 GROUP BY org WITH TOTALS",
    "SELECT org, sum(cost_usd) FROM llm_calls GROUP BY ROLLUP(org)",
    "SELECT first_value(org) OVER (ORDER BY org DESC) FROM llm_calls LIMIT 1",
    "SELECT org FROM llm_calls ORDER BY org DESC LIMIT 1",
    "SELECT org FROM llm_calls LIMIT 1 OFFSET 900",
    "SELECT anyLast(org), argMax(org, started_at), topK(9)(org) FROM llm_calls",
    "SELECT model, user_id FROM llm_calls WHERE started_at = (SELECT max(started_at) FROM llm_calls)",
    "SELECT * EXCEPT (started_at, ended_at) FROM llm_calls LIMIT 10",
    "SELECT COLUMNS('org|user') FROM llm_calls LIMIT 10",
    "SELECT 'globex' IN (SELECT org FROM llm_calls), count() FROM llm_calls WHERE org = 'glo' || 'bex'",
    "SELECT org FROM llm_call_versions",
    "SELECT count() FROM llm_calls WHERE throwIf(org != 'acme', 'rows of ' || 'others') = 0",
    "SELECT count() FROM current_calls WHERE throwIf(org != 'acme') = 0",
    "SELECT toUInt8(replaceAll(model, 'model-of-acme', '1')) FROM llm_calls GROUP BY 1",
    "SELECT toUInt8(replaceOne(user_id, user_id, if(org = 'acme', '1', user_id))) FROM current_calls GROUP BY 1",
    "SELECT sum(1 / (org = 'acme')) FROM llm_calls WHERE intDiv(1, org = 'acme') = 1",
    "SELECT org FROM llm_calls WHERE started_at > '2026-11-01' AND toUInt8(model = 'model-of-acme') GROUP BY 1",
)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("output", ["TabSeparated", "Native", "Arrow", "Parquet", "JSON"])
def test_no_question_shows_the_rows_of_others(question: str, output: str, endpoint: Endpoint) -> None:
    answer = endpoint.post(question, "acme", default_format=output)
    assert answer.status == 200, answer.data
    assert not any(other.encode() in answer.data for other in OTHERS if f"'{other}'" not in question)


@pytest.mark.parametrize(
    ("user", "calls"),
    [
        ("all", CALLS),
        ("acme", CALLS // 3),
        ("acme-web", CALLS // 6),
        ("every-web", CALLS // 2),
        ("nameless", 0),
        ("quoted", 0),
    ],
)
def test_a_scope_is_an_organisation_or_a_project_or_both(user: str, calls: int, endpoint: Endpoint) -> None:
    assert endpoint.client(user).query("SELECT count() FROM current_calls").result_rows == [(calls,)]
    # Every call of these rows is there in two versions.
    assert endpoint.client(user).query("SELECT count() FROM llm_calls").result_rows == [(2 * calls,)]


def test_the_metadata_that_a_scoped_user_sees_has_no_sizes(endpoint: Endpoint) -> None:
    columns = {row[0] for row in endpoint.client("acme").query("DESCRIBE TABLE llmlab_catalogue.tables").result_rows}
    assert columns == {"database", "name", "engine", "comment"}
    assert endpoint.client("acme").query("SHOW TABLES").result_rows == [
        ("current_calls",),
        ("llm_call_versions",),
        ("llm_calls",),
    ]


@pytest.fixture
def locked(endpoint: Endpoint) -> Iterator[Session]:
    """A session of the engine as `acme`, past the gate: whatever is asked here is asked of the engine alone."""
    with Session(endpoint.data / "clickhouse") as session:
        session.lock(Scope("acme"), session_settings({}, Limits()))
        yield session


@pytest.mark.parametrize(
    "statement",
    [
        *(question for question in QUESTIONS),
        "SELECT DISTINCT org FROM merge('llmlab', '^llm_calls$')",
        "SELECT DISTINCT org FROM merge('llmlab', '^current_calls$')",
        "SELECT DISTINCT org FROM view(SELECT * FROM llmlab.llm_calls)",
        "SELECT DISTINCT org FROM (SELECT * FROM llm_calls SETTINGS log_comment = 'llmlab:*:*', readonly = 0)",
        "SELECT DISTINCT org FROM llm_calls WHERE org IN (SELECT org FROM merge('llmlab', '^llm_calls$'))",
        "SELECT lowCardinalityKeys(org), lowCardinalityKeys(model) FROM llm_calls GROUP BY 1, 2",
    ],
)
def test_the_engine_alone_keeps_others_rows_back(statement: str, locked: Session) -> None:
    data = locked.run(statement, "TabSeparated", {}, 10**6).data
    assert not any(other.encode() in data for other in OTHERS if f"'{other}'" not in statement)


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT * FROM mergeTreeIndex('llmlab', 'llm_calls')", 497),
        ("SELECT * FROM llm_calls SETTINGS log_comment = 'llmlab:*:*'", 164),
        ("SET log_comment = 'llmlab:*:*'", 164),
        ("SET readonly = 0", 164),
        ("SET max_execution_time = 0", 164),
        ("SELECT * FROM llm_call_stage", 497),
        ("SELECT * FROM file('/etc/hostname', 'LineAsString')", 497),
        ("SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')", 497),
        ("SELECT * FROM remote('127.0.0.1', llmlab.llm_calls)", 497),
        ("INSERT INTO llm_calls (org) VALUES ('x')", 497),
        ("ALTER TABLE llm_calls DELETE WHERE 1", 497),
        ("DROP TABLE llm_calls", 497),
        ("CREATE TABLE x (a Int8) ENGINE = Memory", 497),
        ("CREATE TEMPORARY TABLE x (a Int8)", 497),
        ("CREATE USER mallory", 497),
        ("SYSTEM SHUTDOWN", 497),
        ("SELECT * FROM system.users", 497),
        ("SELECT addressToLine(1)", 497),
    ],
)
def test_the_engine_alone_refuses_what_readers_may_not(statement: str, code: int, locked: Session) -> None:
    with pytest.raises(Failure) as refused:
        locked.run(statement, "TabSeparated", {}, 10**6)
    assert refused.value.code == code


def test_a_session_that_nobody_gave_a_scope_sees_nothing(endpoint: Endpoint) -> None:
    with Session(endpoint.data / "clickhouse") as session:
        assert session.run("SELECT count() FROM llm_calls", "TabSeparated", {}, 10**6).data == b"0\n"


def test_the_owner_of_the_engine_sees_all(endpoint: Endpoint) -> None:
    assert endpoint.store.query("SELECT count() FROM {calls}") == [(CALLS,)]
