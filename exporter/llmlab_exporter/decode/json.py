"""OTLP/JSON, as its specification and as real senders have it.

The specification (OTLP 1.9, "JSON Protobuf Encoding") asks for camelCase names, hexadecimal ids, integers for enums,
and 64-bit integers as decimal strings. Senders that use a general protobuf library write snake_case names, ids in
base64, names of enums, or 64-bit integers as numbers; all of that is understood too.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from llmlab_exporter.decode.errors import MalformedRequest, MalformedSpan
from llmlab_exporter.decode.limits import MAX_DEPTH, MAX_JSON_OBJECTS
from llmlab_exporter.decode.wire import refuse_above
from llmlab_exporter.span import Attributes, Decoded, Event, RawSpan, Scope, SpanGroup, Value, Wanted

_Object = Mapping[str, Any]

_KINDS = {
    f"SPAN_KIND_{name}": number
    for number, name in enumerate(("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"))
}
_STATUS_CODES = {f"STATUS_CODE_{name}": number for number, name in enumerate(("UNSET", "OK", "ERROR"))}
_STATUS_ERROR = 2


def decode(body: bytes, wanted: Wanted, max_spans: int) -> Decoded:
    """Decode an `ExportTraceServiceRequest` in JSON. Raises `MalformedRequest`."""
    if body.count(b"{") + body.count(b"[") > MAX_JSON_OBJECTS:
        raise MalformedRequest(f"the body has more than {MAX_JSON_OBJECTS} objects and lists; send smaller batches")
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(f"the body is not JSON, as its content type says: {error}") from error
    try:
        return _request(request, wanted, max_spans)
    except MalformedSpan as error:
        raise MalformedRequest(f"the body is JSON, but not an ExportTraceServiceRequest: {error}") from error


def _request(request: object, wanted: Wanted, max_spans: int) -> Decoded:
    groups: list[SpanGroup] = []
    broken: list[str] = []
    total = 0
    for outer in _objects(_object(request, "the request"), "resourceSpans"):
        resource = _attributes(_object(_get(outer, "resource", {}), "resource"), wanted.resource_keys)
        for inner in _objects(outer, "scopeSpans"):
            scope = _object(_get(inner, "scope", {}), "scope")
            raw_spans = _list(inner, "spans")
            total += len(raw_spans)
            refuse_above(max_spans, total)
            spans = _spans(raw_spans, wanted, broken)
            groups.append(SpanGroup(resource, Scope(_text(scope, "name"), _text(scope, "version")), spans))
    return Decoded(groups, broken)


def _spans(raw_spans: Sequence[object], wanted: Wanted, broken: list[str]) -> list[RawSpan]:
    spans: list[RawSpan] = []
    for number, raw in enumerate(raw_spans):
        try:
            spans.append(_span(_object(raw, "span"), wanted))
        except MalformedSpan as error:
            broken.append(f"span {number} of its scope cannot be read: {error}")
    return spans


def _span(span: _Object, wanted: Wanted) -> RawSpan:
    status = _object(_get(span, "status", {}), "status")
    return RawSpan(
        _id(span, "traceId", 16),
        _id(span, "spanId", 8),
        _id(span, "parentSpanId", 8),
        _text(span, "name"),
        _enum(span, "kind", _KINDS),
        _time_ns(span, "startTimeUnixNano"),
        _time_ns(span, "endTimeUnixNano"),
        _enum(status, "code", _STATUS_CODES) == _STATUS_ERROR,
        _attributes(span, wanted.keys),
        [_event(event, wanted.keys) for event in _objects(span, "events")] if wanted.events else (),
        _text(span, "traceState"),
    )


def _event(event: _Object, wanted: frozenset[str] | None) -> Event:
    return Event(_text(event, "name"), _time_ns(event, "timeUnixNano"), _attributes(event, wanted))


def _attributes(holder: _Object, wanted: frozenset[str] | None) -> Attributes:
    entries = ((_text(entry, "key"), entry) for entry in _objects(holder, "attributes"))
    return {key: _value(entry.get("value")) for key, entry in entries if wanted is None or key in wanted}


def _value(raw: object, depth: int = 0) -> Value:
    """Read an `AnyValue`; of several kinds in one object the first is taken. Raises `MalformedSpan`."""
    if raw is None:
        return None
    if depth > MAX_DEPTH:
        raise MalformedSpan(f"an attribute value nested more than {MAX_DEPTH} deep")
    for name, content in _object(raw, "attribute value").items():
        read = _VALUE_KINDS.get(_camel(name))
        if read is not None and content is not None:
            return read(content, depth)
    return None


def _string(content: object, _depth: int) -> str:
    return content if isinstance(content, str) else _wrong("stringValue", content)


def _bool(content: object, _depth: int) -> bool:
    return content if isinstance(content, bool) else _wrong("boolValue", content)


def _int(content: object, _depth: int = 0) -> int:
    if isinstance(content, bool) or not isinstance(content, int | float | str):
        return _wrong("integer", content)
    try:
        number = int(content)
    except (ValueError, OverflowError):
        return _wrong("integer", content)
    whole = isinstance(content, str) or number == content
    return number if whole and number.bit_length() <= 64 else _wrong("integer", content)


def _double(content: object, _depth: int) -> float:
    if isinstance(content, bool) or not isinstance(content, int | float | str):
        return _wrong("doubleValue", content)
    try:
        return float(content)  # protobuf writes "NaN" and "Infinity" as strings, float understands both
    except (ValueError, OverflowError):
        return _wrong("doubleValue", content)


def _array(content: object, depth: int) -> tuple[Value, ...]:
    return tuple(_value(item, depth + 1) for item in _list(_object(content, "arrayValue"), "values"))


def _kvlist(content: object, depth: int) -> Mapping[str, Value]:
    entries = _objects(_object(content, "kvlistValue"), "values")
    return {_text(entry, "key"): _value(entry.get("value"), depth + 1) for entry in entries}


def _bytes(content: object, _depth: int = 0) -> bytes:
    if not isinstance(content, str):
        return _wrong("bytesValue", content)
    try:
        return b64decode(content.replace("-", "+").replace("_", "/") + "=" * (-len(content) % 4), validate=True)
    except (Base64Error, ValueError):
        return _wrong("bytesValue", content)


_VALUE_KINDS: Mapping[str, Callable[[Any, int], Value]] = {
    "stringValue": _string,
    "boolValue": _bool,
    "intValue": _int,
    "doubleValue": _double,
    "arrayValue": _array,
    "kvlistValue": _kvlist,
    "bytesValue": _bytes,
}


def _id(holder: _Object, name: str, size: int) -> bytes:
    """Read an id in hexadecimal, or in base64 when that is what its length says."""
    text = _text(holder, name)
    if text and len(text) == len(_base64_of(size)):
        return _bytes(text)
    try:
        return bytes.fromhex(text)
    except ValueError:
        return _wrong(name, text)


@lru_cache(maxsize=8)
def _base64_of(size: int) -> str:
    return "=" * ((size + 2) // 3 * 4)


def _time_ns(holder: _Object, name: str) -> int:
    time_ns = _int(_get(holder, name, 0))
    return time_ns if 0 <= time_ns < 1 << 64 else _wrong(name, time_ns)


def _enum(holder: _Object, name: str, numbers: Mapping[str, int]) -> int:
    content = _get(holder, name, 0)
    if isinstance(content, str) and not content.isdigit():
        return numbers.get(content, 0)
    return _int(content)


def _text(holder: _Object, name: str) -> str:
    content = _get(holder, name, "")
    return content if isinstance(content, str) else _wrong(name, content)


def _objects(holder: _Object, name: str) -> Sequence[_Object]:
    return [_object(item, name) for item in _list(holder, name)]


def _list(holder: _Object, name: str) -> Sequence[object]:
    content = _get(holder, name, [])
    return content if isinstance(content, list) else _wrong(name, content)


def _object(content: object, name: str) -> _Object:
    return content if isinstance(content, dict) else _wrong(name, content)


def _get(holder: _Object, name: str, missing: Any) -> Any:
    """Return the content of a field by its camelCase name or the snake_case form of it; null is missing."""
    content = holder.get(name)
    if content is None:
        content = holder.get(_snake(name))
    return missing if content is None else content


@lru_cache(maxsize=128)
def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


@lru_cache(maxsize=128)
def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _wrong(name: str, content: object) -> Any:
    raise MalformedSpan(f"{name} is {str(content)[:40]!r}")
