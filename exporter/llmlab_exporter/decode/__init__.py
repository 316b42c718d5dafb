"""From the bytes of an OTLP export request to spans.

`slim.py` reads protobuf and `json.py` reads OTLP/JSON; both yield the same `Decoded`. The tests compare `slim.py` with
the official protobuf classes.
"""

from llmlab_exporter.decode import json, slim
from llmlab_exporter.decode.errors import MalformedRequest, UnsupportedContentType
from llmlab_exporter.decode.limits import MAX_SPANS
from llmlab_exporter.span import EVERYTHING, Decoded, Wanted

__all__ = ["JSON", "PROTOBUF", "MalformedRequest", "UnsupportedContentType", "decode"]

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


def decode(body: bytes, content_type: str, wanted: Wanted = EVERYTHING, *, max_spans: int = MAX_SPANS) -> Decoded:
    """Decode one export request. Raises `MalformedRequest` and `UnsupportedContentType`, nothing else."""
    match content_type.partition(";")[0].strip().lower():
        case "application/x-protobuf":
            return slim.decode(body, wanted, max_spans)
        case "application/json":
            return json.decode(body, wanted, max_spans)
        case other:
            raise UnsupportedContentType(
                f"content type {other[:80]!r} is not supported; send {PROTOBUF} or {JSON}"
                if other
                else f"the request has no content type; send {PROTOBUF} or {JSON}"
            )
