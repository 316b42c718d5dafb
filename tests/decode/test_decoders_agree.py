"""The fast decoders read what the official protobuf classes read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from decode import plain
from decode.requests import KEYS, PLAIN_NUMBERS, PROTOBUF_LIBRARY, SPECIFIED, JsonStyle, as_json, requests
from fixtures.recordings import RECORDINGS, Recording
from llmlab_exporter.decode import JSON, PROTOBUF, decode
from llmlab_exporter.dialects import WANTED
from llmlab_exporter.span import EVERYTHING, Decoded, Wanted

SOME = Wanted(keys=frozenset(KEYS), events=True, resource_keys=frozenset(KEYS[:2]))

wanted = st.one_of(
    st.just(EVERYTHING), st.just(SOME), st.sets(st.sampled_from(KEYS)).map(lambda keys: Wanted(frozenset(keys)))
)
styles = st.sampled_from([SPECIFIED, PLAIN_NUMBERS, PROTOBUF_LIBRARY])


def shown(decoded: Decoded) -> str:
    """Write it out, so that nan equals nan and 1 equals neither True nor 1.0."""
    return repr(decoded)


@given(requests, wanted)
def test_the_fast_protobuf_decoder_equals_the_official_classes(
    request: ExportTraceServiceRequest, wanted: Wanted
) -> None:
    body = request.SerializeToString()
    assert shown(decode(body, PROTOBUF, wanted)) == shown(plain.decode(body, wanted))


@given(requests, wanted, styles)
def test_json_says_the_same_as_protobuf(request: ExportTraceServiceRequest, wanted: Wanted, style: JsonStyle) -> None:
    expected = plain.decode(request.SerializeToString(), wanted)
    assert shown(decode(as_json(request, style), JSON, wanted)) == shown(expected)


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_recorded_requests_are_read_alike_in_every_encoding(recording: Recording) -> None:
    whole = plain.decode(recording.body, EVERYTHING)
    assert sum(len(group.spans) for group in whole.groups) == recording.spans
    assert shown(decode(recording.body, PROTOBUF)) == shown(whole)
    some = WANTED._replace(needles=())
    assert shown(decode(recording.body, PROTOBUF, some)) == shown(plain.decode(recording.body, some))
    request = ExportTraceServiceRequest.FromString(recording.body)
    assert shown(decode(as_json(request), JSON)) == shown(whole)
