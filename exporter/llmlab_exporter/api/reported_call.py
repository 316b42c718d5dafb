"""The body of `POST /api/events/track`, checked: what cannot be meant is refused, with what would be right."""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any

import orjson

from llmlab.usage import MEASURES, Usage, contradictions
from llmlab_exporter.call import Call, Reading
from llmlab_exporter.normalise import AHEAD_NS, EARLIEST_NS
from llmlab_exporter.provider_names import provider_of
from llmlab_exporter.reading.counts import MAX_COUNT, count
from llmlab_exporter.reading.operations import is_billed
from llmlab_exporter.reading.origin import Defaults
from llmlab_exporter.reading.values import MAX_TEXT_CHARS, seconds, text

DIALECT = "api"
"""Stored with each call, where spans have the name of their dialect."""

EXAMPLE = '{"provider": "openai", "model": "gpt-4", "input_tokens": 1000, "output_tokens": 500}'

_COUNTS = {"input_tokens": "input", "output_tokens": "output"} | {
    field: field for field in Usage._fields if field not in {"input", "output"}
}
"""By the name in the body, the field of `Usage`."""

_TAGS = ("project", "feature", "user", "run", "session")
"""What of the metadata is kept, by the fields of `Reading`."""

_MAX_SHOWN_CHARS = 60
_MAX_SECONDS = 86_400


class BadReport(ValueError):
    """A body that cannot be accepted."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def read_call(body: bytes, received_ns: int, defaults: Defaults) -> Call:
    """Return the call that a body reports. Raises `BadReport`."""
    said = _checked(_parsed(body))
    reading = Reading(
        operation=said.get("operation", "chat"),
        billable=is_billed(said.get("operation", "chat"), ""),
        provider=said["provider"],
        request_model=said["model"],
        response_id=said.get("response_id", ""),
        tier=said.get("tier", ""),
        batch=said.get("batch", False),
        usage=_usage(said),
        usage_source="reported",
    )
    trace_id, span_id = _identity(said.get("id") or said.get("idempotency_key"))
    ended_ns = said.get("timestamp", received_ns)
    if not EARLIEST_NS <= ended_ns <= received_ns + AHEAD_NS:
        raise BadReport("timestamp is before 2020 or more than a day ahead", "leave it out for a call that ended now")
    return Call(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=b"",
        start_ns=max(EARLIEST_NS, ended_ns - int(said.get("duration_s", 0.0) * 1e9)),
        end_ns=ended_ns,
        dialect=DIALECT,
        org=defaults.org,
        project=defaults.project,
        service=said.get("service") or defaults.service,
        environment=said.get("environment") or defaults.environment,
        provider=provider_of(reading.provider, "", reading.request_model),
        model=reading.request_model,
        reading=reading._replace(**_tags(said.get("metadata", {}))),
    )


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadReport(f"the body is no JSON: {error}", f"send something like {EXAMPLE}") from error
    if not isinstance(said, dict):
        raise BadReport("the body is no JSON object", f"send something like {EXAMPLE}")
    return said


def _checked(said: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that were given, each checked and converted. A null is a field that was not given."""
    if unknown := said.keys() - _CHECKS.keys():
        names = ", ".join(sorted(map(_shown, unknown)))
        raise BadReport(f"unknown: {names}", "put what is yours into metadata; the fields are " + ", ".join(_CHECKS))
    for name in _required(said):
        if said.get(name) is None:
            raise BadReport(f"{name} is missing", f"send something like {EXAMPLE}")
    return {name: _CHECKS[name](name, value) for name, value in said.items() if value is not None}


def _required(said: Mapping[str, Any]) -> tuple[str, ...]:
    """List the fields that a report must have: tokens, unless it measures the work in another unit."""
    if any(said.get(measure) is not None for measure in _OTHER_MEASURES):
        return ("provider", "model")
    tokens = ("input_tokens",) if said.get("operation") == "embeddings" else ("input_tokens", "output_tokens")
    return ("provider", "model", *tokens)


def _usage(said: Mapping[str, Any]) -> Usage:
    usage = Usage(**{field: said[name] for name, field in _COUNTS.items() if name in said})
    if found := contradictions(usage):
        raise BadReport(f"the counts contradict each other: {'; '.join(found)}", "totals contain their parts")
    return usage


def _tags(metadata: Mapping[str, Any]) -> dict[str, str]:
    return {tag: text(str(metadata[tag])) for tag in _TAGS if isinstance(metadata.get(tag), str | int | float)}


def _identity(repeatable: str | None) -> tuple[bytes, bytes]:
    """Return the ids that the call is recognised by: the same for the same idempotency key."""
    if repeatable is None:
        return secrets.token_bytes(16), secrets.token_bytes(8)
    digest = blake2b(repeatable.encode(), digest_size=24).digest()
    return digest[:16], digest[16:]


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or text(value) != value:
        raise BadReport(
            f"{name} is {_shown(value)}", f"it is a text of 1 to {MAX_TEXT_CHARS} characters that can be printed"
        )
    return value


def _count(name: str, value: Any) -> int:
    number = count(value)
    if number is None:
        raise BadReport(f"{name} is {_shown(value)}", f"it is a whole number from 0 to {MAX_COUNT:,}")
    return number


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadReport(f"{name} is {_shown(value)}", "it is true or false")
    return value


def _seconds(name: str, value: Any) -> float:
    duration = seconds(value)
    if duration is None or duration > _MAX_SECONDS:
        raise BadReport(f"{name} is {_shown(value)}", f"it is a number of seconds from 0 to {_MAX_SECONDS:,}")
    return duration


def _time_ns(name: str, value: Any) -> int:
    try:
        when = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        when = None
    if when is None or when.tzinfo is None:
        raise BadReport(f"{name} is {_shown(value)}", "write it like 2026-02-08T14:05:12Z")
    return int(when.timestamp() * 1e6) * 1000


def _object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadReport(f"{name} is {_shown(value)}", 'it is an object like {"feature": "summarization"}')
    return value


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _MAX_SHOWN_CHARS else f"{shown[:_MAX_SHOWN_CHARS]}..."


_OTHER_MEASURES = tuple(measure for measure in MEASURES if measure not in {"input", "output"})
"""What is billed instead of tokens: images, characters, pages, milliseconds of audio ..."""

_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "provider": _text,
    "model": _text,
    **dict.fromkeys(_COUNTS, _count),
    "metadata": _object,
    "id": _text,
    "idempotency_key": _text,
    "response_id": _text,
    "operation": _text,
    "tier": _text,
    "batch": _truth,
    "timestamp": _time_ns,
    "duration_s": _seconds,
    "service": _text,
    "environment": _text,
}
"""The fields of a body, and how each is checked."""
