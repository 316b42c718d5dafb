"""OTLP over HTTP: `POST /v1/traces`, protobuf or JSON, compressed or not."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from llmlab_exporter.pipeline import Receipt
from llmlab_exporter.receive.admission import Hold
from llmlab_exporter.receive.answers import JSON, PROTOBUF, encode, status, success
from llmlab_exporter.receive.body import decompress, read_body
from llmlab_exporter.receive.door import Door
from llmlab_exporter.receive.refusal import Malformed, Refusal
from llmlab_exporter.telemetry import Telemetry

MAX_DISCARDED_BYTES = 64 * 1024 * 1024
"""How much of a refused body is read and thrown away before the connection is cut."""


def routes(door: Door, telemetry: Telemetry, max_body_bytes: int) -> list[Route]:
    """Return the OTLP routes of the HTTP server."""

    async def traces(request: Request) -> Response:
        content_type = _media_type(request)
        answer_type = JSON if content_type == JSON else PROTOBUF
        try:
            receipt = await door.enter(_declared(request) or 0, content_type, _reader(request, max_body_bytes))
        except Refusal as refusal:
            await _discard(request)
            return _refused(refusal, answer_type)
        return _accepted(receipt, answer_type)

    def other(signal: str) -> Callable[[Request], Awaitable[Response]]:
        async def take(request: Request) -> Response:
            """Drop metrics and logs, counted: an SDK left at its defaults sends them, and 404 would fill its log."""
            async for _ in request.stream():
                pass
            telemetry.count_other_signal(signal)
            return Response(
                b"{}" if _media_type(request) == JSON else b"", media_type=request.headers.get("content-type")
            )

        return take

    return [
        Route("/v1/traces", traces, methods=["POST"]),
        Route("/v1/metrics", other("metrics"), methods=["POST"]),
        Route("/v1/logs", other("logs"), methods=["POST"]),
    ]


def _reader(request: Request, limit: int) -> Callable[[Hold], Awaitable[bytes]]:
    async def read(hold: Hold) -> bytes:
        try:
            body = await read_body(request.stream(), _declared(request), hold, limit)
        except ClientDisconnect as gone:
            raise Malformed("the sender hung up before the end of the body") from gone
        plain = decompress(body, request.headers.get("content-encoding", ""), limit)
        hold.grow(max(0, len(plain) - hold.size))
        return plain

    return read


async def _discard(request: Request) -> None:
    """Read on, holding nothing, so that the sender gets to the answer instead of a reset connection."""
    size = 0
    with suppress(ClientDisconnect, RuntimeError):  # RuntimeError: it was read to its end already
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_DISCARDED_BYTES:
                return


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _declared(request: Request) -> int | None:
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None


def _accepted(receipt: Receipt, content_type: str) -> Response:
    return Response(encode(success(receipt), content_type), media_type=content_type)


def _refused(refusal: Refusal, content_type: str) -> Response:
    headers = {} if refusal.retry_after_s is None else {"retry-after": str(refusal.retry_after_s)}
    body = encode(status(refusal), content_type)
    return Response(body, refusal.http_status, headers=headers, media_type=content_type)
