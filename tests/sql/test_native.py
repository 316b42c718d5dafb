"""Blocks of Native as newer revisions of the protocol have them."""

import pytest

from llmlab_exporter.sql.failure import Failure
from llmlab_exporter.sql.native import reencode
from sql.endpoint import Endpoint

INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
EXPRESSIONS = (
    "number",
    "toInt8(number)",
    "toInt16(number)",
    "toInt32(number)",
    "toInt128(number)",
    "toUInt256(number)",
    "toFloat32(number)",
    "toFloat64(number)",
    "toBFloat16(number)",
    "number > 1",
    "true",
    "toString(number)",
    "repeat('x', number * 100)",
    "''",
    "toFixedString('abc', 3)",
    "toDate(number)",
    "toDate32(number)",
    "toDateTime(number, 'UTC')",
    "toDateTime64(number, 9, 'Europe/Berlin')",
    "toDecimal32(number, 2)",
    "toDecimal64(number, 2)",
    "toDecimal128(number, 24)",
    "toDecimal256(number, 50)",
    "CAST('a', 'Enum8(\\'a\\' = 1, \\'b, (c\\' = 2)')",
    "CAST('a', 'Enum16(\\'a\\\\\\'\\' = 1000, \\'a\\' = 2)')",
    "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')",
    "toIPv4('127.0.0.1')",
    "toIPv6('::1')",
    "toIntervalHour(number)",
    "NULL",
    "toNullable(number)",
    "if(number % 2, toString(number), NULL)",
    "[]",
    "emptyArrayString()",
    "range(number)",
    "arrayMap(x -> toString(x), range(number))",
    "arrayMap(x -> range(x), range(number % 30))",
    "arrayMap(x -> toNullable(x), range(number))",
    "tuple(number, 'x', [number])",
    "CAST((number, 'x'), 'Tuple(a UInt64, `b c` String)')",
    "[tuple(number, 'x')]",
    "map('k', number)",
    "map('k', range(number))",
    "CAST(map('k', 'v'), 'Map(LowCardinality(String), LowCardinality(String))')",
    "toLowCardinality(toString(number))",
    "toLowCardinality(toNullable(toString(number)))",
    "toLowCardinality(if(number % 2, NULL, 'x'))",
    "toLowCardinality(toFixedString('ab', 2))",
    "toLowCardinality(toDate(number))",
    "arrayMap(x -> toLowCardinality(toString(x)), range(number))",
    "CAST([], 'Array(LowCardinality(String))')",
    "CAST([['a'], []], 'Array(Array(LowCardinality(String)))')",
    "tuple(toLowCardinality('x'), number)",
    "CAST([(number, 'x')], 'Nested(a UInt64, b String)')",
    "CAST(number, 'SimpleAggregateFunction(sum, UInt64)')",
)


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("rows", [0, 1, 4, 300])
def test_each_column_gets_its_byte_where_it_begins(expression: str, rows: int, endpoint: Endpoint) -> None:
    statement = f"SELECT {expression} AS first, '\\0mark' AS last FROM numbers({rows})"
    plain = endpoint.post(statement, default_format="Native").data
    newest = endpoint.post(statement, default_format="Native", client_protocol_version="54460").data
    older = endpoint.post(statement, default_format="Native", client_protocol_version="54405").data
    if not plain:
        assert rows == 0
        assert newest == older == b""
        return
    assert older == INFO + plain
    second = plain.rindex(b"\x04last\x06String")
    kind_end = plain.index(b"\x05first") + 6
    kind_end += 1 + plain[kind_end] if plain[kind_end] < 0x80 else 2 + (plain[kind_end] & 0x7F) + 128
    after = second + len(b"\x04last\x06String")
    assert newest == INFO + plain[:kind_end] + b"\0" + plain[kind_end:after] + b"\0" + plain[after:]


def test_every_block_of_many_is_found(endpoint: Endpoint) -> None:
    statement = "SELECT number, toString(number) FROM numbers(10000)"
    options = {"default_format": "Native", "max_block_size": "1000"}
    plain = endpoint.post(statement, **options).data
    older = endpoint.post(statement, **options, client_protocol_version="54405").data
    blocks = plain.count(b"\x08toString")
    assert older.count(INFO) == plain.count(b"toString(number)") > 1, blocks
    assert older.replace(INFO, b"") == plain


def test_an_unknown_type_is_refused_and_not_garbled() -> None:
    with pytest.raises(Failure, match="JSON cannot be sent in Native format"):
        reencode(b"\x01\x01\x01a\x04JSON\x00\x00", 54460)
    assert reencode(b"\x01\x01\x01a\x04JSON\x00\x00", 0) == b"\x01\x01\x01a\x04JSON\x00\x00"


def test_nothing_stays_nothing() -> None:
    assert reencode(b"", 54460) == b""
