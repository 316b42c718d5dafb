import json

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from llmlab_exporter.pipeline import Receipt
from llmlab_exporter.receive.answers import JSON, PROTOBUF, encode, status, success
from llmlab_exporter.receive.refusal import (
    Busy,
    CutOff,
    DiskFull,
    Draining,
    LedgerFailing,
    Malformed,
    Refusal,
    TooLarge,
    UnsupportedMedia,
)

FINAL = [Malformed, UnsupportedMedia, TooLarge, CutOff]
TEMPORARY = [Busy, Draining, LedgerFailing, DiskFull]


@pytest.mark.parametrize("kind", TEMPORARY)
def test_a_temporary_refusal_asks_to_come_back_soon(kind: type[Refusal]) -> None:
    answer = Status.FromString(encode(status(kind("full")), PROTOBUF))
    info = RetryInfo()
    assert answer.details[0].Unpack(info)
    assert 1 <= info.retry_delay.seconds <= 2
    assert kind.http_status == 503
    assert kind.grpc_status is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("kind", FINAL)
def test_a_final_refusal_does_not_ask_to_come_back(kind: type[Refusal]) -> None:
    answer = status(kind("wrong"))
    assert not answer.details
    assert answer.message == "wrong"
    assert kind.http_status in {400, 413, 415}


def test_every_refusal_has_a_reason_of_its_own() -> None:
    assert len({kind.reason for kind in (*FINAL, *TEMPORARY)} - {""}) == len(FINAL) + len(TEMPORARY)


def test_success_is_empty_and_partial_success_says_what_was_rejected() -> None:
    assert encode(success(Receipt(0, "")), PROTOBUF) == b""
    answer = ExportTraceServiceResponse.FromString(encode(success(Receipt(2, "span 1 ...")), PROTOBUF))
    assert answer.partial_success.rejected_spans == 2
    assert json.loads(encode(success(Receipt(2, "span 1 ...")), JSON)) == {
        "partialSuccess": {"rejectedSpans": "2", "errorMessage": "span 1 ..."}
    }
