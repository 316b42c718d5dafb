"""OTLP/JSON as real senders write it. That it says the same as protobuf is tested in `test_decoders_agree.py`."""

import json
from typing import Any

import pytest

from llmlab_exporter.decode import JSON, decode
from llmlab_exporter.span import EVERYTHING, Decoded, RawSpan, Value, Wanted


def decoded(*spans: dict[str, Any], wanted: Wanted = EVERYTHING) -> Decoded:
    return decode(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode(), JSON, wanted)


def only(**fields: Any) -> RawSpan:
    [found] = decoded(fields).groups[0].spans
    return found


def value_of(any_value: dict[str, Any]) -> Value:
    return only(attributes=[{"key": "k", "value": any_value}]).attributes["k"]


def complaint(**fields: Any) -> str:
    found = decoded({"name": "good"}, fields)
    assert [span.name for span in found.groups[0].spans] == ["good"]
    [broken] = found.broken
    return broken


@pytest.mark.parametrize(
    "written",
    ["00112233445566778899aabbccddeeff", "00112233445566778899AABBCCDDEEFF", "ABEiM0RVZneImaq7zN3u/w=="],
    ids=["hexadecimal", "upper case", "base64"],
)
def test_ids_may_be_hexadecimal_or_base64(written: str) -> None:
    assert only(traceId=written).trace_id.hex() == "00112233445566778899aabbccddeeff"


@pytest.mark.parametrize("written", ["1795000000000000000", 1795000000000000000, 1.795e18])
def test_times_may_be_texts_or_numbers(written: object) -> None:
    assert only(endTimeUnixNano=written).end_ns == 1_795_000_000_000_000_000


@pytest.mark.parametrize(
    ("code", "failed"), [(2, True), ("2", True), ("STATUS_CODE_ERROR", True), (1, False), (None, False)]
)
def test_a_status_may_be_a_number_or_a_name(code: object, failed: bool) -> None:
    assert only(status={"code": code}).failed is failed


def test_a_status_may_be_missing() -> None:
    assert not only().failed
    assert not only(status=None).failed


def test_names_may_be_in_snake_case() -> None:
    found = only(trace_id="ff" * 16, parent_span_id="ee" * 8, start_time_unix_nano="5")
    assert (found.trace_id, found.parent_id, found.start_ns) == (b"\xff" * 16, b"\xee" * 8, 5)
    assert value_of({"array_value": {"values": [{"int_value": "7"}]}}) == (7,)


@pytest.mark.parametrize(
    ("any_value", "expected"),
    [
        ({"intValue": "-9223372036854775808"}, -(2**63)),
        ({"intValue": 5}, 5),
        ({"intValue": 5.0}, 5),
        ({"doubleValue": 0.5}, 0.5),
        ({"doubleValue": 5}, 5.0),
        ({"doubleValue": "-Infinity"}, float("-inf")),
        ({"boolValue": False}, False),
        ({"bytesValue": "/+8="}, b"\xff\xef"),
        ({"bytesValue": "_-8"}, b"\xff\xef"),
        ({"kvlistValue": {"values": [{"key": "a", "value": {"stringValue": "b"}}]}}, {"a": "b"}),
        ({"arrayValue": {}}, ()),
        ({"stringValue": None}, None),
        ({"futureValue": 1}, None),
        ({}, None),
        (None, None),
    ],
)
def test_values_of_every_kind(any_value: dict[str, Any], expected: Value) -> None:
    found = value_of(any_value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "fields",
    [
        {"traceId": "xyz"},
        {"traceId": 7},
        {"startTimeUnixNano": -1},
        {"startTimeUnixNano": "18446744073709551616"},
        {"startTimeUnixNano": True},
        {"endTimeUnixNano": "soon"},
        {"kind": [1]},
        {"status": 2},
        {"attributes": {"k": "v"}},
        {"attributes": ["k"]},
        {"attributes": [{"key": 1}]},
        {"attributes": [{"key": "k", "value": "v"}]},
        {"attributes": [{"key": "k", "value": {"intValue": "many"}}]},
        {"attributes": [{"key": "k", "value": {"intValue": "9" * 5000}}]},
        {"attributes": [{"key": "k", "value": {"intValue": 0.5}}]},
        {"attributes": [{"key": "k", "value": {"bytesValue": "*"}}]},
        {"events": [7]},
    ],
)
def test_a_span_of_another_shape_is_named_and_its_neighbours_are_read(fields: dict[str, Any]) -> None:
    assert complaint(**fields).startswith("span 1 of its scope cannot be read: ")


def test_an_attribute_that_nobody_wants_is_not_read() -> None:
    odd = {"attributes": [{"key": "other", "value": "no object"}, {"key": "k", "value": {"intValue": 1}}]}
    found = decoded(odd, wanted=Wanted(keys=frozenset({"k"})))
    assert found.groups[0].spans[0].attributes == {"k": 1}
    assert found.broken == []
