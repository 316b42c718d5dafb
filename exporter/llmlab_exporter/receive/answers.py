"""OTLP's answers as bytes: success, partial success, and errors with the hint when to try again."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from llmlab_exporter.pipeline import Receipt
from llmlab_exporter.receive.refusal import Refusal

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


def success(receipt: Receipt) -> ExportTraceServiceResponse:
    """Answer an accepted request; says which spans were rejected and why."""
    answer = ExportTraceServiceResponse()
    if receipt.rejected:
        answer.partial_success.rejected_spans = receipt.rejected
        answer.partial_success.error_message = receipt.message
    return answer


def status(refusal: Refusal) -> Status:
    """Answer a refused request."""
    answer = Status(code=refusal.grpc_status.value[0], message=str(refusal))
    if (info := retry_info(refusal)) is not None:
        answer.details.add().Pack(info)
    return answer


def retry_info(refusal: Refusal) -> RetryInfo | None:
    """Say when to try again; None when that is useless."""
    if refusal.retry_after_s is None:
        return None
    return RetryInfo(retry_delay=Duration(seconds=refusal.retry_after_s))


def encode(message: Message, content_type: str) -> bytes:
    """Write an answer in the content type of the request."""
    if content_type == JSON:
        return MessageToJson(message, indent=None).encode()
    return message.SerializeToString()
