"""Attributes out of protobuf.

This is the hot path of the exporter. Most attributes of a request have been met before, key and value: names, models,
tiers, small counts. So a short one is looked up by its bytes as a whole, one call into C for all of a span, and only
what is new is read: an attribute is told by the first bytes of its `KeyValue`, tag, length and key, and what nobody
wants goes no further. What it costs does not depend on how many keys are wanted: 6 us a span. A protobuf map of the
attributes, asked for each key, takes 14 us for the 101 keys of one dialect.
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
_MEMO_CHARS = 30
"""Of a text that is remembered. Names, models and tiers are shorter; ids and content are longer, and do not repeat."""
_MEMO_COUNT = 16_383
"""Up to which counts are remembered."""
_MEMO_BYTES = 48
"""Of any other attribute that is remembered, with its key: truths, and what nobody wants."""

_LONG_BYTES = 1024
"""Of a `KeyValue` that is not looked up: it is never remembered, and its hash would take a microsecond."""

_MAX_KEY_BYTES = 127
"""Of a wanted attribute: as long as its length fits one byte."""

_KEY_TAG, _VALUE_TAG = 0x0A, 0x12
_SMALLEST = 2
"""Bytes of a `KeyValue` that begins with a key."""
_STRING_TAG, _INT_TAG, _DOUBLE_TAG = 0x0A, 0x18, 0x21
_STRING = bytes([_STRING_TAG])
_DOUBLE = Struct("<d")

_ELEMENTS = 1
"""The field of an `ArrayValue` and of a `KeyValueList` that holds the elements."""


_Pair = tuple[str | None, Value]
"""An attribute; without its key when nobody wants it."""

_UNWANTED: _Pair = (None, None)


class _Pairs(dict[bytes, _Pair]):
    """Attributes by their encoding. It forgets everything when it is full."""

    def __init__(self, wanted: frozenset[str]) -> None:
        super().__init__()
        self._wanted = wanted
        self._keys = {_beginning(key.encode()): key for key in wanted}
        """Wanted keys by how their `KeyValue` begins."""

    def __missing__(self, key_value: bytes) -> _Pair:
        pair = self.read(key_value)
        if _repeats(key_value, pair[1]):
            if len(self) >= _MEMO_ENTRIES:
                self.clear()
            self[key_value] = pair
        return pair

    def read(self, key_value: bytes) -> _Pair:
        """Read a `KeyValue`. Raises `MalformedSpan` when a wanted one is broken."""
        if len(key_value) < _SMALLEST or key_value[0] != _KEY_TAG:
            return self._read_unusual(key_value)
        value_at = key_value[1] + 2
        key = self._keys.get(key_value[:value_at])
        return _UNWANTED if key is None else (key, _read_value(key_value[value_at:]))

    def _read_unusual(self, key_value: bytes) -> _Pair:
        """Read a `KeyValue` that does not begin with a key: that is legal, but nobody writes it."""
        key, value = _pair(key_value) if key_value else ("", None)
        return (key, value) if key in self._wanted else _UNWANTED


def _repeats(key_value: bytes, value: Value) -> bool:
    """Whether an attribute is one that will probably be met again."""
    if type(value) is str:
        return len(value) <= _MEMO_CHARS
    if type(value) is int:
        return 0 <= value <= _MEMO_COUNT
    return len(key_value) <= _MEMO_BYTES


class AttributeReader:
    """Reads the wanted ones of a span's attributes. Thread-safe."""

    def __init__(self, wanted: frozenset[str] | None) -> None:
        """`wanted` are keys of less than 128 bytes, None for all keys there are."""
        self._pairs = None if wanted is None else _Pairs(wanted)

    def read(self, key_values: Sequence[bytes], size: int) -> Attributes:
        """Read encoded `KeyValue` messages of a message of `size` bytes; of several with one key the last one counts.

        Raises `MalformedSpan` when a wanted one is broken.
        """
        pairs = self._pairs
        if pairs is None:
            return dict(map(_pair, key_values))
        found: dict[Any, Value]
        if size <= _LONG_BYTES:
            found = dict(map(pairs.__getitem__, key_values))
        else:
            found = dict([pairs[each] if len(each) <= _LONG_BYTES else pairs.read(each) for each in key_values])
        found.pop(None, None)
        return found


def _beginning(key: bytes) -> bytes:
    if len(key) > _MAX_KEY_BYTES:
        raise ValueError(f"the attribute key {key.decode()!r} is longer than {_MAX_KEY_BYTES} bytes")
    return bytes([_KEY_TAG, len(key)]) + key


@lru_cache(maxsize=16)
def reader_of(wanted: frozenset[str] | None) -> AttributeReader:
    """Return the reader for these keys, None for all."""
    return AttributeReader(wanted)


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
