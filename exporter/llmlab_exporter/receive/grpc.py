"""OTLP over gRPC. Handlers take and return raw bytes: decoding is the pipeline's."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import grpc
import grpc.aio

from llmlab_exporter.receive.admission import Hold
from llmlab_exporter.receive.answers import PROTOBUF, retry_info, status, success
from llmlab_exporter.receive.door import Door
from llmlab_exporter.receive.refusal import CutOff, Refusal, TooLarge
from llmlab_exporter.telemetry import Telemetry

_PACKAGE = "opentelemetry.proto.collector"


class PortUnavailable(OSError):
    """The gRPC port cannot be bound."""


def server(door: Door, telemetry: Telemetry, address: str, max_body_bytes: int) -> tuple[grpc.aio.Server, int]:
    """Make a server bound to `host:port` (port 0 picks a free one) and return it with its port.

    Raises `PortUnavailable`.
    """
    made = grpc.aio.server(
        options=[
            # Twice our limit, so that what is over ours is refused by us: with the remedy.
            ("grpc.max_receive_message_length", 2 * max_body_bytes),
            # A second exporter on the port must fail, not share it.
            ("grpc.so_reuseport", 0),
        ]
    )
    made.add_generic_rpc_handlers(
        (
            _service("trace", "TraceService", _traces(door, max_body_bytes)),
            _service("metrics", "MetricsService", _other(telemetry, "metrics")),
            _service("logs", "LogsService", _other(telemetry, "logs")),
        )
    )
    try:
        return made, made.add_insecure_port(address)
    except RuntimeError as error:
        raise PortUnavailable(str(error)) from error


_Context = grpc.aio.ServicerContext[Any, Any]
_Handler = Callable[[AsyncIterator[bytes], _Context], Awaitable[bytes]]


def _service(signal: str, name: str, handler: _Handler) -> grpc.GenericRpcHandler:
    """Make a service whose one request message the handler reads itself.

    On the wire that is what a unary call is. But a handler of a unary call never learns of a message that the library
    refuses, and gets every other one read into memory before it can say that there is no room.
    """
    method = grpc.stream_unary_rpc_method_handler(handler)  # pyright: ignore[reportArgumentType] - async handlers
    return grpc.method_handlers_generic_handler(f"{_PACKAGE}.{signal}.v1.{name}", {"Export": method})


def _traces(door: Door, limit: int) -> _Handler:
    async def export(_: AsyncIterator[bytes], context: _Context) -> bytes:
        try:
            receipt = await door.enter(0, PROTOBUF, partial(_read, context, limit))
        except Refusal as refusal:
            await context.abort(refusal.grpc_status, str(refusal), _trailers(refusal))
        return success(receipt).SerializeToString()

    return export


async def _read(context: _Context, limit: int, hold: Hold) -> bytes:
    body = await context.read()
    if not isinstance(body, bytes):  # EOF; the library has answered a message that is too large
        raise CutOff(f"no whole message came: it has more than {2 * limit} bytes, or its sender hung up")
    if len(body) > limit:
        raise TooLarge(
            f"the request has {len(body)} bytes, the limit is {limit}; send smaller batches or raise --max-body-mib"
        )
    hold.grow(len(body))
    return body


def _other(telemetry: Telemetry, signal: str) -> _Handler:
    async def export(_: AsyncIterator[bytes], context: _Context) -> bytes:
        await context.read()
        telemetry.count_other_signal(signal)
        return b""

    return export


def _trailers(refusal: Refusal) -> tuple[tuple[str, bytes], ...]:
    """Say when to try again in both forms: Python's exporter reads the first, Go's the second."""
    info = retry_info(refusal)
    if info is None:
        return ()
    return (
        ("google.rpc.retryinfo-bin", info.SerializeToString()),
        ("grpc-status-details-bin", status(refusal).SerializeToString()),
    )
