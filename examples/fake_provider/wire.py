"""Pieces that several wire formats share: server-sent events, and a response that breaks off."""

import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Send


def event(data: Any) -> bytes:
    """Write one server-sent event without a name, as OpenAI does."""
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"


class TruncatedResponse(StreamingResponse):
    """Sends what its iterator yields and then drops the connection instead of ending the body."""

    async def stream_response(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for chunk in self.body_iterator:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def once(raw: bytes) -> AsyncIterator[bytes]:
    """Yield one piece, as the body of a `TruncatedResponse`."""
    yield raw
