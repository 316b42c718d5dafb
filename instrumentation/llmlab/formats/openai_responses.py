"""OpenAI's newer format, which counts `input_tokens` and `output_tokens`: Responses, images, transcriptions.

Sources: the types of `openai` 3.52 (`Response`, `ResponseUsage`, `CompactedResponse`, `ImagesResponse`,
`Transcription` and the events of their streams), read 2026-11-21.
"""

from collections.abc import Mapping
from typing import Any

from llmlab.counts import counts_of
from llmlab.formats.openai import count_of, fields_of
from llmlab.providers import Reply
from llmlab.usage import NO_USAGE, Usage

_UNFINISHED = frozenset({"queued", "in_progress"})
_LAST_EVENTS = frozenset({"response.completed", "response.incomplete", "response.failed"})


def read_response(response: Any) -> Reply:
    """Read a response. One that still waits in the background has no usage yet."""
    fields = fields_of(response)
    status = fields.get("status")
    usage = read_usage(fields.get("usage"))
    if status not in _UNFINISHED:
        usage = usage._replace(web_searches=_web_searches(fields), file_searches=_file_searches(fields))
    return Reply(fields.get("model"), fields.get("id"), _reasons(fields), counts_of(usage), fields.get("service_tier"))


class ResponseEvents:
    """Reads the events of a streamed response: the first one names the model, the last one has the usage."""

    __slots__ = ("_is_over", "_response")

    def __init__(self) -> None:
        self._response: Any = None
        self._is_over = False

    def read(self, chunk: Any) -> bool:
        """Take note of an event."""
        response = getattr(chunk, "response", None)
        if response is not None:
            self._response = response
            self._is_over = chunk.type in _LAST_EVENTS
        return False

    def reply(self) -> Reply:
        """Return what the last response among the events reported."""
        return read_response(self._response).changed(ended=self._is_over)


def read_usage(usage: Any) -> Usage:
    """Convert the newer format's usage: like the older one's, the totals include their parts."""
    if usage is None:
        return NO_USAGE
    fields = fields_of(usage)
    # Transcriptions have the singular.
    given = fields_of(fields.get("input_tokens_details") or fields.get("input_token_details"))
    made = fields_of(fields.get("output_tokens_details"))
    return Usage(
        input=count_of(fields, "input_tokens"),
        output=count_of(fields, "output_tokens"),
        cache_read=count_of(given, "cached_tokens"),
        cache_write=count_of(given, "cache_write_tokens"),
        audio_in=count_of(given, "audio_tokens"),
        image_in=count_of(given, "image_tokens"),
        reasoning=count_of(made, "reasoning_tokens"),
        image_out=count_of(made, "image_tokens"),
        audio_ms=_milliseconds(fields),
    )


def _milliseconds(usage: Mapping[str, Any]) -> int | None:
    """Return how much audio was billed, where time is billed instead of tokens."""
    seconds = usage.get("seconds")
    return round(seconds * 1000) if isinstance(seconds, (int, float)) and seconds >= 0 else None


def _reasons(response: Mapping[str, Any]) -> tuple[str, ...]:
    """Return why the response ended: what made it incomplete, or else its status."""
    status = response.get("status")
    reason = fields_of(response.get("incomplete_details")).get("reason") or status
    return (reason,) if reason and status not in _UNFINISHED else ()


def _web_searches(response: Mapping[str, Any]) -> int | None:
    """Return the billed searches. Where the response does not count them itself, its search calls do.

    Opening a page or finding something in it is a call too, but none that is billed (`Response.tool_usage`).
    """
    tools = fields_of(response.get("tool_usage"))
    reported = count_of(fields_of(tools.get("web_search")), "num_requests")
    if reported is not None:
        return reported
    actions = (fields_of(call.get("action")).get("type", "search") for call in _calls(response, "web_search_call"))
    return sum(action == "search" for action in actions) or None


def _file_searches(response: Mapping[str, Any]) -> int | None:
    return len(_calls(response, "file_search_call")) or None


def _calls(response: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    items = (fields_of(item) for item in response.get("output") or ())
    return [item for item in items if item.get("type") == kind]
