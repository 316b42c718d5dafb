"""What `clickhouse_connect` asks over HTTP, and gets."""

import datetime
from decimal import Decimal

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, ProgrammingError

from sql.endpoint import CALLS, Endpoint

DASHBOARDS = (
    """
    SELECT toStartOfInterval(toDateTime(started_at), INTERVAL 3600 second) AS time, model, sum(cost_usd) AS cost
    FROM current_calls WHERE billable AND started_at >= fromUnixTimestamp64Milli(1700000000000) AND started_at <=
    fromUnixTimestamp64Milli(1900000000000) AND org IN ('acme', 'globex') GROUP BY time, model ORDER BY time ASC
    """,
    """
    WITH (SELECT sum(cost_usd) FROM current_calls) AS total SELECT model, toFloat64(sum(cost_usd)) AS cost, cost /
    total AS share, sum(share) OVER (ORDER BY cost DESC) AS cumulative FROM current_calls GROUP BY model ORDER BY
    cost DESC LIMIT 10
    """,
    """
    SELECT quantiles(0.5, 0.95, 0.99)(toFloat64(cost_usd)), uniqExact(user_id), countIf(cost_usd IS NULL),
    avgOrNull(input_tokens), sumMap(map(model, 1)) FROM current_calls
    """,
    """
    SELECT toDayOfWeek(started_at) AS day, toHour(started_at) AS hour, count() FROM current_calls GROUP BY day,
    hour ORDER BY day, hour WITH FILL FROM 0 TO 24
    """,
    """
    SELECT lower(hex(trace_id)) AS trace, dateDiff('second', min(started_at), max(started_at)) AS s FROM
    current_calls GROUP BY trace_id ORDER BY s DESC LIMIT 5
    """,
    """
    SELECT 'All' AS __text, '.*' AS __value UNION ALL SELECT DISTINCT org, org FROM current_calls ORDER BY 1
    """,
    """
    SELECT addMonths(toStartOfMonth(now('Europe/Berlin'), 'Europe/Berlin'), 1) AS ends, if(1 = 1, 'a', 'b'),
    multiIf(1, 2, 3), coalesce(NULL, 1), round(1.234, 2), formatReadableSize(10)
    """,
)


@pytest.mark.parametrize("compress", [True, "gzip", "lz4", "zstd", False])
def test_rows_of_many_types_come_back_however_they_are_compressed(compress: bool | str, endpoint: Endpoint) -> None:
    client = endpoint.client(compress=compress)
    rows = client.query(
        "SELECT number, toString(number), [toString(number)], map('k', number), toDecimal128(number, 24),"
        " toDateTime64(number, 9, 'UTC'), toLowCardinality(toNullable(toString(number % 3))), tuple(number, 'x'),"
        " toFixedString('ab', 2), number % 2 = 0, NULL FROM numbers(3000)"
    ).result_rows
    assert len(rows) == 3000
    assert rows[-1] == (
        2999,
        "2999",
        ["2999"],
        {"k": 2999},
        Decimal(2999),
        datetime.datetime(1970, 1, 1, 0, 49, 59),  # noqa: DTZ001 - the driver's times in UTC name no zone
        "2",
        (2999, "x"),
        b"ab",
        0,
        None,
    )


def test_money_keeps_every_digit(endpoint: Endpoint) -> None:
    assert endpoint.client().query("SELECT sum(cost_usd) FROM current_calls").result_rows == [(Decimal(CALLS) / 2,)]


def test_tables_of_arrow_come_back(endpoint: Endpoint) -> None:
    table = endpoint.client().query_arrow("SELECT org, count() AS calls FROM current_calls GROUP BY org ORDER BY org")
    assert table.column("calls").to_pylist() == [CALLS // 3] * 3


def test_rows_are_streamed_in_blocks(endpoint: Endpoint) -> None:
    with endpoint.client().query_row_block_stream("SELECT number FROM numbers(5000)", settings={}) as blocks:
        assert sum(len(block) for block in blocks) == 5000


def test_parameters_are_bound_by_the_server(endpoint: Endpoint) -> None:
    odd = "it's \\ a\ttab\nand é {x:Int8}"
    rows = endpoint.client().query(
        "SELECT {text:String}, {list:Array(String)}, {day:Date}, {none:Nullable(Int8)}",
        parameters={"text": odd, "list": [odd, ""], "day": datetime.date(2026, 11, 1), "none": None},
    )
    assert rows.result_rows == [(odd, [odd, ""], datetime.date(2026, 11, 1), None)]


def test_settings_that_may_be_changed_take_effect(endpoint: Endpoint) -> None:
    client = endpoint.client(settings={"session_timezone": "Asia/Tokyo"})
    assert client.command("SELECT toString(toDateTime(0))") == "1970-01-01 09:00:00"
    assert client.query("SELECT number FROM numbers(9)", settings={"limit": 2}).result_rows == [(0,), (1,)]


def test_a_client_is_told_which_settings_may_not_be_changed(endpoint: Endpoint) -> None:
    with pytest.raises(ProgrammingError, match="allow_ddl is readonly"):
        endpoint.client().query("SELECT 1", settings={"allow_ddl": 1})


def test_errors_name_their_codes(endpoint: Endpoint) -> None:
    client = endpoint.client()
    with pytest.raises(DatabaseError, match=r"Code: 62\. DB::Exception: Syntax error.*\(SYNTAX_ERROR\)"):
        client.query("SELECT (1")
    with pytest.raises(DatabaseError, match=r"Code: 60\..*nosuchtable.*UNKNOWN_TABLE"):
        client.query("SELECT * FROM nosuchtable")
    with pytest.raises(DatabaseError, match=r"Code: 497\..*ACCESS_DENIED"):
        client.query("SELECT * FROM llm_call_stage")
    with pytest.raises(DatabaseError, match=r"Code: 164\..*READONLY"):
        client.command("DROP TABLE llm_calls")


def test_rows_cannot_be_inserted(endpoint: Endpoint) -> None:
    client = endpoint.client(compress=False)
    with pytest.raises(DatabaseError, match="DB::Exception"):
        client.insert("llm_calls", [["x"]], ["org"])
    assert client.command("SELECT count() FROM current_calls WHERE org = 'x'") == 0


def test_the_schema_can_be_looked_at(endpoint: Endpoint) -> None:
    client = endpoint.client()
    assert client.query("SHOW DATABASES").result_rows == [("llmlab",)]
    tables = [("current_calls",), ("llm_call_versions",), ("llm_calls",)]
    assert client.query('SHOW TABLES FROM "llmlab"').result_rows == tables
    assert client.query("SELECT name FROM system.tables ORDER BY name").result_rows == tables
    assert client.query("SHOW TABLES FROM system").result_rows == []
    described = client.query('DESC TABLE "llmlab"."current_calls"')
    columns = client.query(
        "SELECT name, type FROM system.columns WHERE database = 'llmlab' AND table = 'current_calls' ORDER BY position"
    )
    assert [row[:2] for row in described.result_rows] == columns.result_rows
    assert ("cost_usd", "Nullable(Decimal(38, 24))") in columns.result_rows
    assert client.query("SELECT tables.name FROM system.tables WHERE database = currentDatabase()").row_count == 3
    assert client.query("SELECT count() FROM system.functions WHERE name = 'sum'").result_rows == [(1,)]


@pytest.mark.parametrize("statement", DASHBOARDS)
def test_statements_of_dashboards_run(statement: str, endpoint: Endpoint) -> None:
    assert endpoint.client().query(statement).row_count > 0
