"""The protocol itself: signing in, statements in URLs and bodies, encodings, formats, errors."""

import base64
import gzip
import json
import zlib

import pytest
import urllib3
import zstandard

from sql.endpoint import Endpoint

ASK = "SELECT 1 AS a"


def ask(endpoint: Endpoint, headers: dict[str, str], query: str = "query=SELECT%201") -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", f"{endpoint.url}?{query}", headers=headers, retries=False, decode_content=False)


def basic(name: str, token: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()}


def signed(endpoint: Endpoint) -> dict[str, str]:
    return {"X-ClickHouse-User": "all", "X-ClickHouse-Key": endpoint.tokens["all"]}


def test_a_ping_needs_no_token(endpoint: Endpoint) -> None:
    for path in ("", "ping", "replicas_status"):
        answer = urllib3.request("GET", endpoint.url + path)
        assert (answer.status, answer.data) == (200, b"Ok.\n")


def test_a_token_comes_in_three_ways(endpoint: Endpoint) -> None:
    token = endpoint.tokens["all"]
    assert ask(endpoint, signed(endpoint)).data == b"1\n"
    assert ask(endpoint, basic("all", token)).data == b"1\n"
    assert ask(endpoint, {}, f"query=SELECT%201&user=all&password={token}").data == b"1\n"


@pytest.mark.parametrize("name", ["all", "nobody", "", "ällé"])
def test_nobody_asks_without_a_token(name: str, endpoint: Endpoint) -> None:
    for headers in ({}, basic(name, ""), basic(name, "wrong"), basic(name, endpoint.tokens["acme"]), basic("a", "b:c")):
        answer = ask(endpoint, headers)
        assert answer.status == 403
        assert answer.headers["X-ClickHouse-Exception-Code"] == "516"
        assert b"AUTHENTICATION_FAILED" in answer.data


@pytest.mark.parametrize("value", ["Basic", "Basic !!!", "Basic //79", "Bearer x"])
def test_credentials_that_cannot_be_read_are_none(value: str, endpoint: Endpoint) -> None:
    assert ask(endpoint, {"Authorization": value}).headers["X-ClickHouse-Exception-Code"] == "516"


def test_a_statement_is_in_the_url_in_the_body_or_in_both(endpoint: Endpoint) -> None:
    assert endpoint.post("", query="SELECT 2").data == b"2\n"
    assert endpoint.post("SELECT 3").data == b"3\n"
    assert endpoint.post("+ 4", query="SELECT 3").data == b"7\n"


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [
        ("gzip", gzip.compress(ASK.encode())),
        ("deflate", zlib.compress(ASK.encode())),
        ("zstd", zstandard.compress(ASK.encode())),
    ],
)
def test_a_body_may_be_compressed(encoding: str, encoded: bytes, endpoint: Endpoint) -> None:
    headers = signed(endpoint) | {"Content-Encoding": encoding}
    assert urllib3.request("POST", endpoint.url, body=encoded, headers=headers).data == b"1\n"
    broken = urllib3.request("POST", endpoint.url, body=encoded[:-4], headers=headers, retries=False)
    assert broken.status == 400


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("lz4", None),
        ("zstd", "zstd"),
        ("br", None),
        ("identity", None),
        ("gzip;q=0, deflate", "deflate"),
        ("zstd,lz4,br,gzip", "zstd"),
    ],
)
def test_an_answer_is_encoded_as_the_client_accepts(accepted: str, encoding: str | None, endpoint: Endpoint) -> None:
    headers = signed(endpoint) | {"Accept-Encoding": accepted}
    answer = ask(endpoint, headers, "query=SELECT%20number%20FROM%20numbers(1000)")
    assert answer.headers.get("Content-Encoding") == encoding
    decoders = {
        "gzip": gzip.decompress,
        "deflate": zlib.decompress,
        "zstd": zstandard.decompress,
        None: bytes,
    }
    assert decoders[encoding](answer.data) == b"".join(b"%d\n" % n for n in range(1000))


def test_a_format_is_named_by_the_statement_the_url_or_a_header(endpoint: Endpoint) -> None:
    assert json.loads(endpoint.post("SELECT 1 AS a FORMAT JSONCompact", default_format="CSV").data)["data"] == [[1]]
    answer = endpoint.post(ASK, default_format="JSONEachRow")
    assert (answer.data, answer.headers["X-ClickHouse-Format"]) == (b'{"a":1}\n', "JSONEachRow")
    assert answer.headers["Content-Type"] == "application/x-ndjson; charset=UTF-8"
    assert ask(endpoint, signed(endpoint) | {"X-ClickHouse-Format": "CSVWithNames"}, "query=SELECT+1+AS+a").data == (
        b'"a"\n1\n'
    )
    assert endpoint.post("SELECT 1 FORMAT Nonsense").headers["X-ClickHouse-Exception-Code"] == "73"


def test_an_answer_tells_what_was_read(endpoint: Endpoint) -> None:
    answer = endpoint.post("SELECT count() FROM llm_calls WHERE input_tokens > 5", query_id="my-query\r\nX: 1")
    summary = json.loads(answer.headers["X-ClickHouse-Summary"])
    assert int(summary["read_rows"]) == 6000
    assert summary["result_rows"] == "1"
    assert answer.headers["X-ClickHouse-Query-Id"] == "my-queryX: 1"


@pytest.mark.parametrize(
    ("statement", "status", "code"),
    [
        ("SELEC 1 +", 400, 62),
        ("SELECT * FROM nosuch", 404, 60),
        ("SELECT nosuch FROM llm_calls", 404, 47),
        ("SELECT nosuch(1)", 404, 46),
        ("SELECT 1 SETTINGS nosuch = 1", 400, 115),
        ("SELECT toUInt8('x')", 400, 6),
        ("SELECT {a:String}", 400, 456),
        ("DROP TABLE llm_calls", 403, 164),
        ("SELECT file('x')", 403, 446),
    ],
)
def test_an_error_has_a_status_a_code_and_a_message(statement: str, status: int, code: int, endpoint: Endpoint) -> None:
    answer = endpoint.post(statement)
    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (status, str(code))
    assert answer.data.startswith(f"Code: {code}. DB::Exception: ".encode())
    assert b"parseQueryToJSON" not in answer.data


def test_what_the_endpoint_cannot_do_it_says(endpoint: Endpoint) -> None:
    assert endpoint.post(ASK, compress="1").status == 501
    assert endpoint.post(ASK, database="other").headers["X-ClickHouse-Exception-Code"] == "81"
    assert endpoint.post(ASK, client_protocol_version="x").status == 400
    assert endpoint.post(b"SELECT '\xff'").status == 400
    form = signed(endpoint) | {"Content-Type": "multipart/form-data; boundary=x"}
    assert urllib3.request("POST", endpoint.url, body=b"", headers=form, retries=False).status == 501


def test_the_database_may_be_named(endpoint: Endpoint) -> None:
    for database in ("", "default", "llmlab"):
        assert endpoint.post("SELECT currentDatabase()", database=database).data == b"llmlab\n"
