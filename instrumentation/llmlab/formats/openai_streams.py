"""Streams in OpenAI's chat format report their usage only when they are asked for it (`stream_options`).

Where the caller did not decide about that we ask, and hide what comes back. A host that refuses the question gets the
call once more as the caller wrote it, and is not asked again.
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

from llmlab.capture.raw_responses import raw_mode
from llmlab.capture.switches import STREAM_USAGE, asks_for_stream_usage
from llmlab.formats.openai import ChatChunks, OpenAIChatChunks, PlainChatChunks
from llmlab.hosts import Endpoint
from llmlab.providers import ChunkReader, Request

_logger = logging.getLogger("llmlab")

_REFUSALS = frozenset({400, 422})
_ONE_CHOICE = (None, 1)
_OPENAI = "api.openai.com"


class StreamKind(NamedTuple):
    """What decides whether `stream_options` is refused: older hosts refuse it always, Azure with `data_sources`."""

    where: str
    """The host, or the provider where the host is unknown."""
    model: str | None
    extra_fields: tuple[str, ...]


refusing: set[StreamKind] = set()
"""Streams that were refused once, so that each kind is asked once per process."""


class MakesReader(Protocol):
    """Makes the reader of one stream."""

    def __call__(self, *, hide_usage: bool) -> ChunkReader:
        """`hide_usage`: the stream reports its usage only because we asked, so the caller must see no trace of it."""
        ...


AskedForUsage = tuple[Mapping[str, Any], ChunkReader, Callable[[Exception], bool] | None]
"""How to call for a stream, and how to read it: the fields `keywords`, `chunks` and `refused` of a `Request`."""


def ask_for_usage(
    keywords: Mapping[str, Any], endpoint: Endpoint, model: str | None, reader: MakesReader | None = None
) -> AskedForUsage:
    """Put the question for the usage into the call of a stream.

    It is not asked where the caller decided about it, where it was refused before, where `LLMLAB_STREAM_USAGE` forbids
    it, and where the caller reads the bytes of the stream, because a chunk cannot be hidden in bytes. By default the
    stream is read as OpenAI's own.
    """
    if reader is None:
        if keywords.get("n") not in _ONE_CHOICE:
            reader = ChatChunks
        else:
            reader = OpenAIChatChunks if endpoint.host == _OPENAI else PlainChatChunks
    options: Mapping[str, Any] = keywords.get("stream_options") or {}
    if "include_usage" in options:
        return keywords, reader(hide_usage=False), None
    extra_body: Mapping[str, Any] = keywords.get("extra_body") or {}
    if "stream_options" in extra_body or raw_mode(keywords) == "stream":
        return keywords, reader(hide_usage=False), None
    kind = StreamKind(endpoint.host or endpoint.provider, model, tuple(extra_body))
    if kind in refusing or not asks_for_stream_usage():
        return keywords, reader(hide_usage=False), None
    asking = {**keywords, "stream_options": {**options, "include_usage": True}}
    return asking, reader(hide_usage=True), partial(_refuses, kind)


def asked_for_usage(request: Request, reader: MakesReader) -> Request:
    """Return the request of a stream with its reader, and with the question for the usage."""
    keywords, chunks, refused = ask_for_usage(request.keywords, request.endpoint, request.model, reader)
    return request.changed(keywords=keywords, chunks=chunks, refused=refused)


def _refuses(kind: StreamKind, error: Exception) -> bool:
    """Say whether a call failed because of the `stream_options` that we added, and remember it."""
    if _status(error) not in _REFUSALS or "stream_options" not in str(error):
        return False
    refusing.add(kind)
    _logger.warning(
        "%s refuses stream_options for %s, so these streams report no usage; %s=false stops asking for it",
        kind.where,
        kind.model,
        STREAM_USAGE,
    )
    return True


def _status(error: Exception) -> Any:
    """Return the HTTP status of an error, which some SDKs leave on the response."""
    return getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
