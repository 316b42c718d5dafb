"""How a request arrives and an answer leaves, at Anthropic's own API and at the platforms that serve it."""

import base64
import binascii
import json
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from starlette.requests import Request

from fake_provider.book import Exchange

_DATED = {
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "claude-opus-4-5": "claude-opus-4-5-20251101",
}
"""Aliases and the snapshots they point at."""


class Delivery(NamedTuple):
    """What a client asks for, and how it wants the answer."""

    model: str | None
    """As asked for."""
    served: str
    """As the answer names it."""
    stream: bool
    media_type: str
    """Of a stream."""
    write_event: Callable[[dict[str, Any]], bytes]


ClientRequest = Callable[[Request, Exchange], Delivery]


def first_party_request(_request: Request, exchange: Exchange) -> Delivery:
    """Read a request to Anthropic itself."""
    model = exchange.body.get("model")
    stream = bool(exchange.body.get("stream"))
    return Delivery(model, _DATED.get(model or "", model or ""), stream, "text/event-stream; charset=utf-8", sse_event)


def bedrock_request(request: Request, _exchange: Exchange) -> Delivery:
    """Read a request to Amazon Bedrock: `us.anthropic.claude-haiku-4-5-20251001-v1:0` is in the path."""
    model: str = request.path_params["model"]
    stream = request.url.path.endswith("-stream")
    served = model.rpartition("anthropic.")[2].partition("-v1:0")[0]
    return Delivery(model, served, stream, "application/vnd.amazon.eventstream", aws_event)


def vertex_request(request: Request, exchange: Exchange) -> Delivery:
    """Read a request to Vertex AI: `claude-haiku-4-5@20251001` is in the path."""
    model: str = request.path_params["model"]
    stream = bool(exchange.body.get("stream"))
    return Delivery(model, model.replace("@", "-"), stream, "text/event-stream; charset=utf-8", sse_event)


def sse_event(data: dict[str, Any]) -> bytes:
    """Write one server-sent event under its name, as Anthropic does."""
    return f"event: {data['type']}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def aws_event(data: dict[str, Any]) -> bytes:
    """Write one message of AWS's binary event stream: lengths, headers, payload, and a checksum after each half."""
    payload = json.dumps({"bytes": base64.b64encode(json.dumps(data).encode()).decode()}).encode()
    headers = b"".join(
        struct.pack("!B", len(name)) + name + b"\x07" + struct.pack("!H", len(value)) + value
        for name, value in (
            (b":event-type", b"chunk"),
            (b":content-type", b"application/json"),
            (b":message-type", b"event"),
        )
    )
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack("!I", binascii.crc32(prelude)) + headers + payload
    return message + struct.pack("!I", binascii.crc32(message))
