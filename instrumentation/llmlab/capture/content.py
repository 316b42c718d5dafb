"""Prompts and answers on spans, where the user has asked for that; by default nothing of this runs.

`OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` is the variable of OpenTelemetry's GenAI instrumentations, with the
values of opentelemetry-util-genai 1.3b0 and the older `true` and `false`. Attributes and the shape of their JSON:
open-telemetry/semantic-conventions-genai, `docs/gen-ai/non-normative/models.py`, read 2026-11-21.
"""

import logging
from dataclasses import replace
from os import environ
from typing import TYPE_CHECKING, Any

from llmlab import semconv
from llmlab.capture.content_json import bounded
from llmlab.capture.faults import note
from llmlab.providers import Asked, ContentFormat, Message, Reply

if TYPE_CHECKING:
    from llmlab.providers import Call, ChunkContent, ChunkReader, Request

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

_OFF = frozenset({"", "false", "no_content"})
_ON = frozenset({"true", "span_only", "span_and_event"})
_EVENTS = frozenset({"event_only", "span_and_event"})

_logger = logging.getLogger("llmlab")
_logged: set[str] = set()
"""Values of the variable that were complained about."""


def is_captured() -> bool:
    """Say whether prompts and answers go on spans. A value that we cannot follow is logged."""
    value = environ.get(CAPTURE, "").strip().lower()
    if value not in _ON - _EVENTS | _OFF and value not in _logged:
        _logged.add(value)
        problem = "llmlab makes no events, only spans" if value in _EVENTS else "no known value; nothing is recorded"
        _logger.warning("%s=%s: %s", CAPTURE, value, problem)
    return value in _ON


def with_content(call: "Call", formats: tuple[ContentFormat, ...]) -> "Call":
    """Return a call of which prompts and answers are recorded as well. Nothing that is raised comes from here."""

    def read_request(client: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> "Request | None":
        request = call.request(client, arguments, keywords)
        if request is None or request.results is not None:
            return request
        try:
            return _with_prompt(request, formats, arguments, keywords)
        except Exception as error:  # noqa: BLE001 - noted
            note(error, "read the content of a request")
            return request

    def read_reply(result: Any) -> Reply:
        reply = call.reply(result)
        messages: list[Message] = []
        try:
            for each in formats:
                messages = messages or each.said(result)
        except Exception as error:  # noqa: BLE001 - noted
            note(error, "read the content of a response")
        return _with_answer(reply, messages)

    return replace(call, request=read_request, reply=read_reply)


def _with_prompt(
    request: "Request", formats: tuple[ContentFormat, ...], arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> "Request":
    for each in formats:
        asked = each.asked(arguments, keywords)
        if asked is not None:
            chunks = None if request.chunks is None else _Listener(request.chunks, each.chunks())
            return request._replace(attributes={**request.attributes, **_attributes(asked)}, chunks=chunks)
    return request


def _attributes(asked: Asked) -> dict[str, str]:
    named = {
        semconv.INPUT_MESSAGES: asked.messages,
        semconv.SYSTEM_INSTRUCTIONS: asked.system,
        semconv.TOOL_DEFINITIONS: asked.tools,
    }
    return {name: bounded(list(value)) for name, value in named.items() if value}


def _with_answer(reply: Reply, messages: list[Message]) -> Reply:
    return reply._replace(content={semconv.OUTPUT_MESSAGES: bounded(messages)}) if messages else reply


class _Listener:
    """Reads chunks for their content too."""

    def __init__(self, chunks: "ChunkReader", content: "ChunkContent") -> None:
        self._chunks = chunks
        self._content = content

    def read(self, chunk: Any) -> bool:
        try:
            self._content.read(chunk)
        except Exception as error:  # noqa: BLE001 - noted
            note(error, "read the content of a chunk")
        return self._chunks.read(chunk)

    def reply(self) -> Reply:
        return _with_answer(self._chunks.reply(), self._content.messages())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chunks, name)
