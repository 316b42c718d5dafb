"""Prompts and answers of calls, where the user has asked for that; by default nothing of this runs.

`OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` is the variable of OpenTelemetry's GenAI instrumentations, with the
values of opentelemetry-util-genai 1.3b0 and the older `true` and `false`. Attributes and the shape of their JSON:
open-telemetry/semantic-conventions-genai, `docs/gen-ai/non-normative/models.py`, read 2026-11-21.
"""

import logging
from dataclasses import replace
from functools import partial
from importlib import import_module
from os import environ
from typing import TYPE_CHECKING, Any, NamedTuple

from llmlab import semconv
from llmlab.capture.content_json import fitted
from llmlab.capture.content_places import Places
from llmlab.capture.events import Events, are_events_known
from llmlab.capture.faults import note
from llmlab.capture.switches import CONTENT, asks_for_content
from llmlab.providers import Asked, Message, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry._logs import LoggerProvider

    from llmlab.providers import Call, ChunkContent, ChunkReader, ContentFormat, Provider, Request

_OPERATIONS = frozenset({"chat", "generate_content", "text_completion"})
"""What has prompts and answers."""

_logger = logging.getLogger("llmlab")
_logged: set[str] = set()
"""Values of the variable that were complained about."""


class Capture(NamedTuple):
    """Where prompts and answers go. Both False: nowhere."""

    on_spans: bool
    in_events: bool


_MODES = {
    "true": Capture(on_spans=True, in_events=False),
    "span_only": Capture(on_spans=True, in_events=False),
    "event_only": Capture(on_spans=False, in_events=True),
    "span_and_event": Capture(on_spans=True, in_events=True),
}
_NOWHERE = Capture(on_spans=False, in_events=False)


def wanted() -> Capture:
    """Return where the user wants prompts and answers. A value that we cannot follow is logged."""
    value = environ.get(CONTENT, "").strip().lower()
    mode = _MODES.get(value, _NOWHERE)
    if mode.in_events and not are_events_known():
        _complain(value, "events need opentelemetry-api 1.38; llmlab makes none")
        return mode._replace(in_events=False)
    if mode is _NOWHERE and asks_for_content():
        _complain(value, "no known value; nothing is recorded")
    return mode


def _complain(value: str, problem: str) -> None:
    if value not in _logged:
        _logged.add(value)
        _logger.warning("%s=%s: %s", CONTENT, value, problem)


def content_recorder(
    provider: "Provider", scope: str, logger_provider: "LoggerProvider | None"
) -> "Callable[[Call], Call] | None":
    """Return what makes of a call one of which prompts and answers are recorded. None where nobody wants them."""
    capture = wanted()
    if not any(capture):
        return None
    places = Places(Events(scope, logger_provider) if capture.in_events else None, on_spans=capture.on_spans)
    return partial(with_content, formats=tuple(map(format_named, provider.content)), places=places)


def format_named(name: str) -> "ContentFormat":
    """Import a format: `openai_content:CHAT` is `CHAT` in `llmlab.formats.openai_content`."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(f"llmlab.formats.{module}"), attribute)


def with_content(call: "Call", formats: "tuple[ContentFormat, ...]", places: Places) -> "Call":
    """Return a call of which prompts and answers are recorded as well. Nothing that is raised comes from here."""

    def read_request(client: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> "Request | None":
        request = call.request(client, arguments, keywords)
        if request is None or request.results is not None or request.operation not in _OPERATIONS:
            return request
        try:
            return _with_prompt(request, formats, places, arguments, keywords)
        except Exception as error:  # noqa: BLE001 - noted
            note(error, "read the content of a request")
            return request

    def read_reply(result: Any) -> Reply:
        reply = call.reply(result)
        messages: list[Message] = []
        try:
            for each in formats:
                messages = messages or each.said(result)
            return _with_answer(reply, messages)
        except Exception as error:  # noqa: BLE001 - noted
            note(error, "read the content of a response")
            return reply

    return replace(call, request=read_request, reply=read_reply)


def _with_prompt(
    request: "Request",
    formats: "tuple[ContentFormat, ...]",
    places: Places,
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
) -> "Request":
    for each in formats:
        asked = each.asked(arguments, keywords)
        if asked is not None:
            beside = partial(_Listener, make_content=each.chunks)
            return request.changed(
                chunks=None if request.chunks is None else beside(request.chunks),
                beside=beside,
                told=partial(places.put, request, _prompt(asked)),
            )
    return request


def _prompt(asked: Asked) -> dict[str, list[Any]]:
    named = {
        semconv.INPUT_MESSAGES: asked.messages,
        semconv.SYSTEM_INSTRUCTIONS: asked.system,
        semconv.TOOL_DEFINITIONS: asked.tools,
    }
    return {name: fitted(list(value)) for name, value in named.items() if value}


def _with_answer(reply: Reply, messages: list[Message]) -> Reply:
    return reply.changed(content={semconv.OUTPUT_MESSAGES: fitted(messages)}) if messages else reply


class _Listener:
    """Reads chunks for their content too."""

    def __init__(self, chunks: "ChunkReader", make_content: "type[ChunkContent] | Any") -> None:
        self._chunks = chunks
        self._content: ChunkContent = make_content()

    def read(self, chunk: Any) -> bool:
        try:
            self._content.read(chunk)
        except Exception as error:  # noqa: BLE001 - noted
            note(error, "read the content of a chunk")
        return self._chunks.read(chunk)

    def reply(self) -> Reply:
        reply = self._chunks.reply()
        try:
            return _with_answer(reply, self._content.messages())
        except Exception as error:  # noqa: BLE001 - noted
            note(error, "read the content of a stream")
            return reply

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chunks, name)
