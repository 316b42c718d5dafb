"""Raw responses of the SDKs that Stainless generates (openai, anthropic, groq and others), and how they flow.

`with_raw_response.create(...)` and `with_streaming_response.create(...)` set the header `X-Stainless-Raw-Response` and
call `create`, which then returns a response whose body is parsed when the caller says `.parse()`.

    the body was read already     parse it now: the SDK keeps the result, so the caller's own `.parse()` costs nothing
    the body is still to be read  listen while the caller reads it, in whatever way that happens
    the body is a stream          leave it alone until the caller parses it, then watch the stream
"""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from inspect import isawaitable, iscoroutinefunction
from types import SimpleNamespace
from typing import Any

from llmlab.capture.faults import Guard
from llmlab.capture.proxies import keep
from llmlab.capture.recording import Recording
from llmlab.capture.streams import Watched, watched
from llmlab.providers import Reply

RAW_RESPONSE_HEADER = "X-Stainless-Raw-Response"

ReadReply = Callable[[Any], Reply]


def raw_mode(keywords: Mapping[str, Any]) -> str | None:
    """Return `raw` or `stream` when a call asks for its raw response, as what the header says. None: it does not."""
    headers: Mapping[str, Any] = keywords.get("extra_headers") or {}
    return headers.get(RAW_RESPONSE_HEADER)


def watched_response(response: Any, recording: Recording, read: ReadReply, *, asynchronous: bool) -> Any:
    """Return the response for the caller, and see to it that the call is settled."""
    if recording.request.chunks is None and response.http_response.is_closed:
        recording.settle(read(_parsed_early(response)))
        return response
    if recording.request.chunks is None:
        _listen(response.http_response, recording, read)
    return RawResponse(response, recording, asynchronous=asynchronous)


class RawResponse(Watched):
    """A raw response whose body is still to come."""

    __slots__ = ("_self_asynchronous", "_self_stream")
    _self_asynchronous: bool
    _self_stream: tuple[Any, Any] | None

    def __init__(self, response: Any, recording: Recording, *, asynchronous: bool) -> None:
        super().__init__(response, recording)
        keep(self, "_self_asynchronous", asynchronous)
        keep(self, "_self_stream", None)

    def parse(self, *args: Any, **keywords: Any) -> Any:
        """Parse the response behind; with an asynchronous one the result is to be awaited."""
        parsed = self.__wrapped__.parse(*args, **keywords)
        return self._self_await(parsed) if isawaitable(parsed) else self._self_parsed(parsed)

    async def _self_await(self, parsed: Any) -> Any:
        return self._self_parsed(await parsed)

    def _self_parsed(self, parsed: Any) -> Any:
        """Return a stream watched, the same one each time; anything else as it is."""
        known = self._self_stream
        if known is not None and known[0] is parsed:
            return known[1]
        stream = watched(parsed, self._self_recording, asynchronous=self._self_asynchronous)
        keep(self, "_self_stream", (parsed, stream))
        return stream


def _listen(http: Any, recording: Recording, read: ReadReply) -> None:
    """Shadow the two methods that all ways of reading a body go through, until the body is complete.

    In httpx and httpx2 that is so: `read`, `iter_text` and `iter_lines` take their bytes from `iter_bytes`.
    """
    pieces: list[bytes] = []
    is_kept = not http.headers.get("content-type", "").startswith("audio/")  # which may be long, and says nothing
    iter_bytes, aiter_bytes = http.iter_bytes, http.aiter_bytes

    def settle() -> None:
        with Guard("read a raw response"):
            del http.iter_bytes, http.aiter_bytes
            recording.settle(read(_parsed(http, b"".join(pieces))))

    def listen(*args: Any, **keywords: Any) -> Iterator[bytes]:
        for piece in iter_bytes(*args, **keywords):
            if is_kept:
                pieces.append(piece)
            yield piece
        settle()

    async def alisten(*args: Any, **keywords: Any) -> AsyncIterator[bytes]:
        async for piece in aiter_bytes(*args, **keywords):
            if is_kept:
                pieces.append(piece)
            yield piece
        settle()

    http.iter_bytes, http.aiter_bytes = listen, alisten


def _parsed_early(response: Any) -> Any:
    if not iscoroutinefunction(response.parse):
        with suppress(Exception):  # the SDK's own complaint, which the caller gets when parsing
            return response.parse()
    return _parsed(response.http_response, response.http_response.content)


def _parsed(http: Any, body: bytes) -> Any:
    """Return JSON as objects with attributes, like the SDK's own, and any other body like the SDK's binary content."""
    try:
        return json.loads(body, object_hook=lambda fields: SimpleNamespace(**fields))
    except ValueError:
        return SimpleNamespace(response=http, content=body)
