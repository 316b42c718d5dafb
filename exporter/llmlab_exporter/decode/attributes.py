"""Attributes out of protobuf.

This is the hot path of the exporter. An attribute is told by the first bytes of its `KeyValue`, tag, length and key.
A short text is looked up by its bytes, because names, models and tiers repeat; counts do not, and are read at once. So
an attribute that nobody wants is not read, and a wanted one that a span lacks costs nothing; a protobuf map of the
attributes, looked up key by key, took longer with the number of keys that dialects want (10 us a span instead of 8,
measured with 46 keys).
"""

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import Any

from google.protobuf.message import DecodeError

from llmlab_exporter.decode import schema
from llmlab_exporter.decode.errors import MalformedRequest, MalformedSpan
from llmlab_exporter.decode.limits import MAX_DEPTH, MAX_ELEMENTS
from llmlab_exporter.decode.wire import messages
from llmlab_exporter.span import Attributes, Value

_MEMO_ENTRIES = 16_384
_MEMO_BYTES = 40
"""Names, models and tiers are shorter; ids and content are longer, and do not repeat."""

_MAX_KEY_BYTES = 127
"""Of a wanted attribute: as long as its length fits one byte."""

_KEY_TAG, _VALUE_TAG = 0x0A, 0x12
_STRING_TAG, _INT_TAG, _DOUBLE_TAG = 0x0A, 0x18, 0x21
_STRING = bytes([_STRING_TAG])
_DOUBLE = Struct("<d")

_ELEMENTS = 1
"""The field of an `ArrayValue` and of a `KeyValueList` that holds the elements."""


class AttributeReader:
    """Reads the wanted ones of a span's attributes. Thread-safe."""

    def __init__(self, wanted: frozenset[str] | None) -> None:
        """`wanted` are keys of less than 128 bytes, None for all keys there are."""
        self._wanted = wanted
        self._keys = {_beginning(key.encode()): key for key in wanted or ()}
        """Wanted keys by how their `KeyValue` begins."""

    def read(self, key_values: Sequence[bytes]) -> Attributes:
        """Read encoded `KeyValue` messages; of several with the same key the last one counts.

        Raises `MalformedSpan` when a wanted one is broken.
        """
        if self._wanted is None:
            return dict(map(_pair, key_values))
        found: dict[str, Value] = {}
        key_of = self._keys.get
        for each in key_values:
            try:
                value_at = each[1] + 2
            except IndexError:
                self._read_unusual(each, found)
                continue
            key = key_of(each[:value_at])
            if key is not None:
                encoded = each[value_at:]
                is_text = encoded[2:3] == _STRING and len(encoded) <= _MEMO_BYTES
                found[key] = _texts[encoded] if is_text else _read_value(encoded)
            elif each[0] != _KEY_TAG:
                self._read_unusual(each, found)
        return found

    def _read_unusual(self, key_value: bytes, found: dict[str, Value]) -> None:
        """Read a `KeyValue` that does not begin with a key: that is legal, but nobody writes it."""
        key, value = _pair(key_value) if key_value else ("", None)
        if self._wanted is not None and key in self._wanted:
            found[key] = value


def _beginning(key: bytes) -> bytes:
    if len(key) > _MAX_KEY_BYTES:
        raise ValueError(f"the attribute key {key.decode()!r} is longer than {_MAX_KEY_BYTES} bytes")
    return bytes([_KEY_TAG, len(key)]) + key


@lru_cache(maxsize=16)
def reader_of(wanted: frozenset[str] | None) -> AttributeReader:
    """Return the reader for these keys, None for all."""
    return AttributeReader(wanted)


class _Texts(dict[bytes, Value]):
    """Values by the bytes that follow the key in their `KeyValue`. It forgets everything when it is full."""

    def __missing__(self, encoded: bytes) -> Value:
        value = _read_value(encoded)
        if len(self) >= _MEMO_ENTRIES:
            self.clear()
        self[encoded] = value
        return value


_texts = _Texts()


def _read_value(encoded: bytes) -> Value:
    """Read a value: integers, texts and floating point numbers of the usual form by hand, the rest by its class."""
    size = len(encoded)
    if size > 3 and encoded[0] == _VALUE_TAG and encoded[1] == size - 2:
        tag, first = encoded[2], encoded[3]
        if tag == _INT_TAG:
            if size == 5 and first >= 0x80 > encoded[4]:
                return first & 0x7F | encoded[4] << 7
            if size == 4 and first < 0x80:
                return first
        elif tag == _STRING_TAG and first == size - 4:
            return encoded[4:].decode("utf-8", "replace")
        elif tag == _DOUBLE_TAG and size == 11:
            return _DOUBLE.unpack_from(encoded, 3)[0]
    return _pair(encoded)[1]


def _pair(key_value: bytes, depth: int = 0) -> tuple[str, Value]:
    try:
        message = schema.KeyValue.FromString(key_value)
    except DecodeError as error:
        raise MalformedSpan(f"an attribute that is no protobuf: {error}") from error
    return _text(message.key), _python(message.value, depth)


def _item(encoded: bytes, depth: int) -> Value:
    try:
        message = schema.AnyValue.FromString(encoded)
    except DecodeError as error:
        raise MalformedSpan(f"an attribute value that is no protobuf: {error}") from error
    return _python(message, depth)


def _python(any_value: Any, depth: int) -> Value:
    kind = any_value.WhichOneof("value")
    if kind is None:
        return None
    content = getattr(any_value, kind)
    match kind:
        case "string_value":
            return _text(content)
        case "array_value":
            return tuple(_item(each, depth + 1) for each in _elements(content, depth))
        case "kvlist_value":
            return dict(_pair(each, depth + 1) for each in _elements(content, depth))
        case _:
            return content


def _elements(encoded: bytes, depth: int) -> list[bytes]:
    """Return the encoded elements of an `ArrayValue` or a `KeyValueList`, which are both one repeated field."""
    if depth >= MAX_DEPTH:
        raise MalformedSpan(f"an attribute value nested more than {MAX_DEPTH} deep")
    try:
        ranges = messages(encoded, _ELEMENTS, MAX_ELEMENTS)
    except MalformedRequest as error:
        raise MalformedSpan(f"a list that cannot be read: {error}") from error
    if len(ranges) > MAX_ELEMENTS:
        raise MalformedSpan(f"a list of more than {MAX_ELEMENTS} elements")
    return [encoded[start:end] for start, end in ranges]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
