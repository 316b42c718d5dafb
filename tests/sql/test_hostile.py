"""Statements that try to see, change or hold up what they should not. None succeeds, and none tells of others' rows."""

from pathlib import Path

import pytest

from sql.endpoint import CALLS, Endpoint

HIDDEN = "what only files of the machine say"
"""What a file holds that no statement may read."""
OTHERS = (b"globex", b"initech", HIDDEN.encode())
"""What a user of `acme` must never be told."""

REFUSED = {
    # several statements, and statements that are no SELECT
    "two": "SELECT 1; SELECT 2",
    "two behind a comment": "SELECT 1 /* ; */ ; DROP TABLE llm_calls",
    "two over lines": "SELECT 1 --\n; SELECT 2",
    "insert": "INSERT INTO llm_calls (org) VALUES ('acme')",
    "insert select": "INSERT INTO llm_calls SELECT * FROM llm_calls",
    "insert into a file": "INSERT INTO FUNCTION file('{out}') SELECT 1",
    "alter": "ALTER TABLE llm_calls DELETE WHERE 1",
    "delete": "DELETE FROM llm_calls WHERE 1",
    "update": "UPDATE llm_calls SET org = 'x' WHERE 1",
    "create": "CREATE TABLE x (a Int8) ENGINE = Memory",
    "create temporary": "CREATE TEMPORARY TABLE x (a Int8)",
    "create view": "CREATE VIEW x AS SELECT 1",
    "create function": "CREATE FUNCTION f AS x -> file(x)",
    "create dictionary": "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(FILE(PATH '{secret}' FORMAT 'CSV'))",
    "create user": "CREATE USER mallory",
    "grant": "GRANT llmlab_owner TO default",
    "drop": "DROP TABLE llm_calls",
    "truncate": "TRUNCATE TABLE llm_calls",
    "detach": "DETACH TABLE llm_calls",
    "rename": "RENAME TABLE llm_calls TO x",
    "optimize": "OPTIMIZE TABLE llm_calls FINAL",
    "set": "SET max_execution_time = 0",
    "set readonly": "SET readonly = 0",
    "set role": "SET ROLE llmlab_owner",
    "set default role": "SET DEFAULT ROLE ALL TO default",
    "execute as": "EXECUTE AS default SELECT 1",
    "use": "USE system",
    "system": "SYSTEM SHUTDOWN",
    "kill": "KILL QUERY WHERE 1",
    "backup": "BACKUP TABLE llm_calls TO File('{out}')",
    "explain": "EXPLAIN SELECT 1",
    "explain ast into a file": "EXPLAIN AST SELECT 1 INTO OUTFILE '{out}'",
    "explain as a table": "SELECT * FROM (EXPLAIN SELECT * FROM llm_calls)",
    "explain estimate": "EXPLAIN ESTIMATE SELECT * FROM llm_calls",
    "show create": "SHOW CREATE TABLE llm_calls",
    "show grants": "SHOW GRANTS",
    "show processlist": "SHOW PROCESSLIST",
    "show settings": "SHOW SETTINGS LIKE '%'",
    "check": "CHECK TABLE llm_calls",
    "watch": "WATCH llm_calls",
    "transaction": "BEGIN TRANSACTION",
    "parallel": "SELECT 1 PARALLEL WITH DROP TABLE llm_calls",
    # files
    "into outfile": "SELECT 1 INTO OUTFILE '{out}'",
    "into outfile with stdout": "SELECT 1 INTO OUTFILE '{out}' AND STDOUT FORMAT CSV",
    "into outfile of a union": "SELECT 1 UNION ALL SELECT 2 INTO OUTFILE '{out}' TRUNCATE",
    "file()": "SELECT file('{secret}')",
    "file() in lines": "SELECT\tfile\n(\n'{secret}')",
    "file() quoted": "SELECT `file`('{secret}')",
    "file() double quoted": "SELECT \"file\"('{secret}')",
    "file() in WHERE": "SELECT 1 WHERE file('{secret}') != ''",
    "file() in ORDER BY": "SELECT 1 AS a ORDER BY file('{secret}')",
    "file() in LIMIT": "SELECT 1 LIMIT length(file('{secret}'))",
    "file() in a CTE": "WITH (SELECT file('{secret}')) AS x SELECT x",
    "file() in an expression CTE": "WITH file('{secret}') AS x SELECT x",
    "file() in a lambda": "SELECT arrayMap(x -> file(x), ['{secret}'])",
    "file by its name": "SELECT arrayMap(file, ['{secret}'])",
    "file by its quoted name": "SELECT arrayMap(`file`, ['{secret}'])",
    "file by a named lambda": "WITH x -> file(x) AS f SELECT f('{secret}')",
    "file by APPLY": "SELECT * APPLY(file) FROM (SELECT '{secret}' AS a)",
    "file by a lambda of APPLY": "SELECT * APPLY(x -> file(x)) FROM (SELECT '{secret}' AS a)",
    "file by REPLACE": "SELECT * REPLACE(file(a) AS a) FROM (SELECT '{secret}' AS a)",
    "file() in a window": "SELECT sum(1) OVER (PARTITION BY file('{secret}'))",
    "file() in a join": "SELECT 1 FROM llm_calls AS a JOIN llm_calls AS b ON file('{secret}') = a.org",
    "file() in values": "SELECT * FROM values('a String', file('{secret}'))",
    "file() in ARRAY JOIN": "SELECT a FROM llm_calls ARRAY JOIN [file('{secret}')] AS a",
    "file() in INTERPOLATE": "SELECT 1 AS a, '' AS b ORDER BY a WITH FILL TO 5 INTERPOLATE (b AS file('{secret}'))",
    "table function file": "SELECT * FROM file('{secret}', 'LineAsString')",
    "table function file in IN": "SELECT 1 IN (SELECT 1 FROM file('{secret}', 'LineAsString', 'a String'))",
    "a file as a table": "SELECT * FROM `{secret}`",
    "a file as a table of default": "SELECT * FROM default.`{secret}`",
    "describe a file": "DESCRIBE file('{secret}', 'LineAsString')",
    "describe a file as a table": "DESCRIBE TABLE default.`{secret}`",
    "reading by format": "SELECT * FROM format(LineAsString, file('{secret}'))",
    # the network, programs, this process
    "url": "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "s3": "SELECT * FROM s3('http://127.0.0.1:1/x', 'CSV')",
    "remote": "SELECT * FROM remote('127.0.0.1', llmlab.llm_calls)",
    "cluster": "SELECT * FROM cluster('default', llmlab.llm_calls)",
    "mysql": "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "executable": "SELECT * FROM executable('ls', 'LineAsString', 'a String')",
    "python": "SELECT * FROM Python(users)",
    "reverse dns": "SELECT reverseDNSQuery('127.0.0.1')",
    "ai": "SELECT aiGenerate('x', 'y')",
    # table functions that would walk around a filter
    "merge": "SELECT * FROM merge('llmlab', '.*')",
    "merge in a CTE": "WITH x AS (SELECT * FROM merge('llmlab', '.*')) SELECT * FROM x",
    "view": "SELECT * FROM view(SELECT * FROM llm_calls)",
    "loop": "SELECT * FROM loop(llmlab.llm_calls) LIMIT 1",
    "index": "SELECT * FROM mergeTreeIndex('llmlab', 'llm_calls')",
    "analyzed index": "SELECT * FROM mergeTreeAnalyzeIndexes('llmlab', 'llm_calls')",
    "dictionary": "SELECT * FROM dictionary('x')",
    "dictGet": "SELECT dictGet('a', 'b', 1)",
    "joinGet": "SELECT joinGet('llm_calls', 'org', 1)",
    "input": "SELECT * FROM input('a Int8')",
    "generateRandom": "SELECT * FROM generateRandom('a Int8')",
    "null": "SELECT * FROM null('a Int8')",
    # tables that are not ours
    "stage": "SELECT * FROM llm_call_stage",
    "migrations": "SELECT * FROM llmlab.llmlab_migrations",
    "processes": "SELECT * FROM system.processes",
    "processes quoted": 'SELECT * FROM "system"."processes"',
    "processes in IN": "SELECT 1 IN system.processes",
    "processes in a parenthesised IN": "SELECT 1 IN (system.processes)",
    "processes in a join": "SELECT * FROM llm_calls JOIN system.processes ON 1 = 1",
    "processes behind ours": "SELECT 1 FROM llm_calls WHERE org IN (SELECT query FROM system.processes)",
    "parts": "SELECT * FROM system.parts",
    "users": "SELECT * FROM system.users",
    "row policies": "SELECT * FROM system.row_policies",
    "server settings": "SELECT * FROM system.server_settings",
    "information schema": "SELECT * FROM information_schema.tables",
    "INFORMATION_SCHEMA": "SELECT * FROM INFORMATION_SCHEMA.TABLES",
    "table by parameter": "SELECT * FROM {{t:Identifier}}",
    "database by parameter": "SELECT * FROM {{d:Identifier}}.processes",
    "column by parameter": "SELECT {{t:Identifier}}",
    # settings
    "limits": "SELECT 1 SETTINGS readonly = 0",
    "filters": "SELECT 1 FROM llm_calls SETTINGS additional_table_filters = {{'llm_calls': 'file(\\'{secret}\\')'}}",
    "filter with a function": "SELECT 1 SETTINGS additional_result_filter = 'file(\\'{secret}\\') != \\'\\''",
    "scope": "SELECT * FROM llm_calls SETTINGS log_comment = 'llmlab:676c6f626578:*'",
    "scope below": "SELECT * FROM (SELECT * FROM llm_calls SETTINGS log_comment = 'llmlab:*:*')",
    "scope in IN": "SELECT 1 IN (SELECT 1 FROM llm_calls SETTINGS log_comment = 'llmlab:*:*')",
    "scope in a union": "SELECT 1 FROM llm_calls SETTINGS log_comment = 'llmlab:*:*' UNION ALL SELECT 1",
    "limits below": "SELECT * FROM (SELECT 1 SETTINGS max_execution_time = 0)",
    "dialect": "SELECT 1 SETTINGS dialect = 'prql'",
    "introspection": "SELECT 1 SETTINGS allow_introspection_functions = 1",
    "schema of a format": "SELECT 1 SETTINGS format_schema = '{secret}'",
    "template of a format": "SELECT 1 FORMAT Template SETTINGS format_template_row = '{secret}'",
    "read setting": "SELECT getSetting('log_comment')",
    "server setting": "SELECT getServerSetting('max_thread_pool_size')",
    # time
    "sleep": "SELECT sleep(3)",
    "sleep for each row": "SELECT sleepEachRow(1) FROM numbers(3)",
    "sleep by its name": "SELECT arrayMap(sleep, [3])",
    # what harms an engine
    "state": "SELECT finalizeAggregation(CAST(unhex('0100'), 'AggregateFunction(uniq, UInt64)'))",
    "state by an operator": "SELECT finalizeAggregation(unhex('0100')::AggregateFunction(uniq, UInt64))",
    "state put together": "SELECT CAST('', concat('Aggregate', 'Function(uniq, UInt64)'))",
    "state by a name": "WITH concat('Aggregate', 'Function(uniq, UInt64)') AS t SELECT CAST('', t)",
    "state in a parameter": "SELECT {{t:AggregateFunction(uniq, UInt64)}}",
    "state in JSON": "SELECT JSONExtract('{{}}', 'a', 'aggregatefunction(uniq, UInt64)')",
    "unfolding": "WITH c0 AS (SELECT 1 AS x), "
    + ", ".join(f"c{n} AS (SELECT a.x FROM c{n - 1} AS a, c{n - 1} AS b)" for n in range(1, 30))
    + " SELECT count() FROM c29",
    "unfolding in IN": "WITH c0 AS (SELECT 1 AS x), "
    + ", ".join(f"c{n} AS (SELECT 1 AS x WHERE 1 IN c{n - 1} AND 2 IN (c{n - 1}))" for n in range(1, 30))
    + " SELECT count() FROM c29",
    # nonsense
    "empty": "",
    "only a comment": "-- nothing",
    "unbalanced": "SELECT 1) UNION ALL (SELECT 2",
    "not closed": "SELECT 'a",
    "not a function": "SELECT nosuchfunction(1)",
    "deep": "SELECT " + "(" * 2000 + "1" + ")" * 2000,
    "long": "SELECT '" + "x" * 300_000 + "'",
    "a NUL": "SELECT 1\0; SELECT 2",
}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text(HIDDEN)
    return path


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("user", ["acme", "all"])
def test_it_is_refused_and_nothing_is_told_or_written(
    name: str, user: str, endpoint: Endpoint, secret: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    statement = REFUSED[name].replace("{secret}", str(secret)).replace("{out}", str(out)).replace("{{", "{")
    answer = endpoint.post(statement.replace("}}", "}"), user, param_t="llm_calls", param_d="system")
    assert answer.status >= 400, answer.data
    assert int(answer.headers["X-ClickHouse-Exception-Code"]) > 0
    assert answer.data.startswith(b"Code: ")
    assert HIDDEN.encode() not in answer.data
    if user == "acme":
        assert not any(other in answer.data for other in OTHERS if other not in statement.encode())
    assert not out.exists()


def test_afterwards_every_row_is_still_there(endpoint: Endpoint) -> None:
    assert endpoint.post("SELECT count(), countIf(org = '') FROM current_calls").data == b"%d\t0\n" % CALLS


def test_the_file_that_was_to_be_read_can_be_read_by_the_owner_of_the_engine(endpoint: Endpoint, secret: Path) -> None:
    assert endpoint.store.query(f"SELECT file('{secret}')") == [(HIDDEN,)]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT count() FROM numbers(1000000000000000)", "159"),
        ("WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x) SELECT max(n) FROM x", "306"),
        ("SELECT number FROM numbers(1000000)", "396"),
        ("SELECT repeat('x', 1000) FROM numbers(19000)", "396"),
        ("SELECT repeat('x', 1000) || toString(number) FROM numbers(19000)", "396"),
        ("SELECT groupArray(repeat('x', 10000)) FROM numbers(1000000)", "241"),
        ("SELECT count() FROM numbers(1000000000000000) SETTINGS max_execution_time = 0", "159"),
        ("SELECT count() FROM numbers(1000000000000000) SETTINGS max_execution_time = 1000", "159"),
        ("SELECT number FROM numbers(1000000) SETTINGS max_result_rows = 0, result_overflow_mode = 'break'", "396"),
    ],
)
def test_a_statement_that_takes_too_much_ends(statement: str, code: str, endpoint: Endpoint) -> None:
    answer = endpoint.post(statement)
    assert answer.headers["X-ClickHouse-Exception-Code"] == code, answer.data


def test_a_limit_in_the_url_only_lowers_it(endpoint: Endpoint) -> None:
    endless = "SELECT count() FROM numbers(1000000000000000)"
    for asked in ("0", "1000", "-1", "nan", "inf"):
        assert endpoint.post(endless, max_execution_time=asked).headers["X-ClickHouse-Exception-Code"] == "159"
    assert endpoint.post("SELECT number FROM numbers(10)", max_result_rows="5").status == 400


@pytest.mark.parametrize("name", ["log_comment", "readonly", "role", "user", "additional_table_filters", "x'; DROP"])
def test_a_scope_cannot_be_left_by_the_url(name: str, endpoint: Endpoint) -> None:
    value = {"user": "all", "role": "llmlab_owner", "readonly": "0"}.get(name, "llmlab:*:*")
    answer = endpoint.post("SELECT DISTINCT org FROM current_calls", "acme", **{name: value})
    assert answer.data == b"acme\n" or answer.status >= 400
    assert not any(other in answer.data for other in OTHERS)


def test_parameters_are_values_and_nothing_else(endpoint: Endpoint) -> None:
    evil = "' OR 1=1; DROP TABLE llm_calls --"
    answer = endpoint.post("SELECT {a:String} AS a, count() FROM current_calls WHERE org = {a:String}", param_a=evil)
    assert answer.data == evil.replace("'", "\\'").encode() + b"\t0\n"
    assert endpoint.post("SELECT {a:UInt8}", param_a="1 OR file('/etc/passwd')").status == 400


def test_a_name_of_python_is_looked_up_by_nobody(endpoint: Endpoint) -> None:
    assert endpoint.post("SELECT 'Python(endpoint)' AS a").data == b"Python(endpoint)\n"
