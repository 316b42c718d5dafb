"""Cohere's response format, in both versions of its API: chat, streams of chat, embeddings, rerank.

Source: the types of `cohere` 7.3 (`Usage`, `ApiMeta`, `V2ChatResponse`, `NonStreamedChatResponse`, the events of
streams). Read 2026-11-20.
"""

from collections.abc import Mapping
from typing import Any

from llmlab.counts import counts_of
from llmlab.providers import Reply
from llmlab.usage import NO_USAGE, Usage

_NO_FIELDS: Mapping[str, Any] = {}


def read_response(response: Any) -> Reply:
    """Read a complete response of any kind."""
    return _read(_fields(response))


class ChatEvents:
    """Reads the events of a stream: the first one names the response, the last one reports what it used."""

    __slots__ = ("_end", "_start")

    def __init__(self) -> None:
        self._start: Any = None
        self._end: Any = None

    def read(self, event: Any) -> bool:
        """Take note of an event."""
        if self._start is None:
            self._start = event
        if _kind(event) in {"message-end", "stream-end"}:
            self._end = event
        return False

    def reply(self) -> Reply:
        """Return what the events reported."""
        end = _fields(self._end)
        reply = _read({**end, **_fields(end.get("delta")), **_fields(end.get("response"))})
        return reply.changed(id=reply.id or _id(_fields(self._start)), ended=self._end is not None)


def _kind(event: Any) -> Any:
    fields = _fields(event)
    return fields.get("type") or fields.get("event_type")


def _read(response: Mapping[str, Any]) -> Reply:
    answers = [response, *map(_fields, response.get("generations") or ())]
    reasons = [answer.get("finish_reason") for answer in answers]
    return Reply(
        id=_id(response),
        finish_reasons=tuple([str(reason).lower() for reason in reasons if reason]),
        counts=counts_of(_usage(response.get("usage") or response.get("meta"))),
    )


def _id(response: Mapping[str, Any]) -> str | None:
    return response.get("id") or response.get("response_id") or response.get("generation_id")


def _usage(usage: Any) -> Usage:
    """Convert Cohere's usage. The tokens that are billed count, and where nothing is said of those, the ones processed.

    A cached prompt contains the template around the messages, which is processed but not billed. Where it is larger
    than the input that is billed it is no part of that, so it is left out.
    """
    if usage is None:
        return NO_USAGE
    fields = _fields(usage)
    billed, processed = _fields(fields.get("billed_units")), _fields(fields.get("tokens"))
    text, image = _count(billed, "text_tokens"), _count(billed, "image_tokens")
    tokens = billed if _has_tokens(billed) else processed
    total = _count(tokens, "input_tokens")
    if total is None and (text is not None or image is not None):
        total = (text or 0) + (image or 0)
    cached = _count(fields, "cached_tokens")
    return Usage(
        input=total,
        output=_count(tokens, "output_tokens"),
        cache_read=cached if cached is not None and total is not None and cached <= total else None,
        image_in=image,
        rerank_searches=_count(billed, "search_units"),
    )


def _has_tokens(counts: Mapping[str, Any]) -> bool:
    return _count(counts, "input_tokens") is not None or _count(counts, "output_tokens") is not None


def _count(fields: Mapping[str, Any], name: str) -> int | None:
    """Return a count. Cohere's are floating-point numbers, and -1 where the client for AWS found none."""
    value = fields.get(name)
    return int(value) if isinstance(value, int | float) and value >= 0 else None


def _fields(holder: Any) -> Mapping[str, Any]:
    """Return the fields of an SDK's object, those included that the API has and an older SDK does not know."""
    if holder is None:
        return _NO_FIELDS
    if isinstance(holder, dict):  # what the SDK could not parse, it leaves as it came
        return holder
    unknown = getattr(holder, "__pydantic_extra__", None)
    return {**vars(holder), **unknown} if unknown else vars(holder)
