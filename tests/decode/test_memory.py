"""Attributes that were met before are not read again, and nothing is taken for something else because of that."""

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from decode import plain
from llmlab_exporter.decode import PROTOBUF, decode
from llmlab_exporter.span import Wanted

ONE, OTHER, UNWANTED = "gen_ai.request.model", "gen_ai.usage.input_tokens", "http.route"
WANTED = Wanted(keys=frozenset({ONE, OTHER}), events=True, resource_keys=frozenset())


def request(*spans: list[tuple[str, AnyValue]]) -> bytes:
    made = ExportTraceServiceRequest()
    scope = made.resource_spans.add().scope_spans.add()
    for attributes in spans:
        scope.spans.add(attributes=[KeyValue(key=key, value=value) for key, value in attributes])
    return made.SerializeToString()


def test_values_that_python_takes_for_equal_stay_apart() -> None:
    values = [AnyValue(int_value=1), AnyValue(bool_value=True), AnyValue(double_value=1.0), AnyValue(string_value="1")]
    body = request(*([(OTHER, value)] for value in [*values, *values]))
    assert repr(decode(body, PROTOBUF, WANTED)) == repr(plain.decode(body, WANTED))


def test_more_different_attributes_than_are_remembered_are_read_all_the_same() -> None:
    counts = [
        [(OTHER, AnyValue(int_value=count % 16_384)), (ONE, AnyValue(string_value=f"m{count}"))]
        for count in range(20_000)
    ]
    body = request(*counts, *counts[:10])
    assert decode(body, PROTOBUF, WANTED) == plain.decode(body, WANTED)


def test_long_attributes_are_read_beside_short_ones() -> None:
    prompt = AnyValue(string_value="gen_ai. " * 4_000)
    body = request([(UNWANTED, prompt), (ONE, prompt), (OTHER, AnyValue(int_value=7)), (UNWANTED, AnyValue())])
    assert decode(body, PROTOBUF, WANTED) == plain.decode(body, WANTED)
