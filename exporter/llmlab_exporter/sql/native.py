"""ClickHouse's Native format, as newer revisions of the protocol write it.

The embedded engine writes blocks of revision 0. A client that names a revision expects a header in front of each
block (any revision), and from 54454 on a byte in front of each column's data that says how it is serialised, which
clickhouse-go always asks for. To put that byte in, one has to know where a column ends; this module knows the length
of each type's data and nothing of its meaning.
"""

import re
import struct
from collections.abc import Iterator

from llmlab_exporter.sql.failure import Failure

WITH_SERIALIZATION_KIND = 54454
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
"""No overflow row, no bucket: what a block of a result is."""

_WIDTHS = {
    **dict.fromkeys(("Bool", "Int8", "UInt8", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("Int16", "UInt16", "Enum16", "Date", "BFloat16"), 2),
    **dict.fromkeys(("Int32", "UInt32", "Float32", "Date32", "DateTime", "IPv4", "Decimal32", "Time"), 4),
    **dict.fromkeys(("Int64", "UInt64", "Float64", "DateTime64", "Decimal64", "Time64"), 8),
    **dict.fromkeys(("Int128", "UInt128", "UUID", "IPv6", "Decimal128"), 16),
    **dict.fromkeys(("Int256", "UInt256", "Decimal256"), 32),
}
_WORD = re.compile(r"\s*(\w+)\s*(?:\((.*)\))?\s*", re.DOTALL)
_NAMED = re.compile(r"\s*(?:\w+|`(?:[^`\\]|\\.)*`)\s+(.*)", re.DOTALL)
_KEY_WIDTHS = (1, 2, 4, 8)


def reencode(data: bytes, revision: int) -> bytes:
    """Write blocks of revision 0 as a client of this revision expects them.

    Raises `Failure` for a column of a type whose length is not known here, such as JSON.
    """
    if revision <= 0:
        return data
    parts: list[bytes] = []
    at = 0
    while at < len(data):
        parts.append(_BLOCK_INFO)
        if revision < WITH_SERIALIZATION_KIND:
            end = _Block(data, at).end()
            parts.append(data[at:end])
        else:
            end = _write_kinds(data, at, parts)
        at = end
    return b"".join(parts)


def _write_kinds(data: bytes, start: int, parts: list[bytes]) -> int:
    written = start
    block = _Block(data, start)
    for header_end in block.columns():
        parts += (data[written:header_end], b"\x00")
        written = header_end
    parts.append(data[written : block.at])
    return block.at


class _Block:
    """A position in a block; each method moves it past something."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self.at = at

    def end(self) -> int:
        for _ in self.columns():
            pass
        return self.at

    def columns(self) -> Iterator[int]:
        """Yield where each column's data begins."""
        columns, rows = self._varint(), self._varint()
        for _ in range(columns):
            self._string()
            kind = self._string().decode()
            yield self.at
            if rows:
                self._prefix(kind)
                self._values(kind, rows)

    def _prefix(self, kind: str) -> None:
        """LowCardinality columns write a version first, however deep they are."""
        name, arguments = _split(kind)
        if name == "LowCardinality":
            self.at += 8
        elif name in {"Array", "Nullable", "Map", "Tuple", "Nested", "SimpleAggregateFunction"}:
            for argument in _inner(name, arguments):
                self._prefix(argument)

    def _values(self, kind: str, rows: int) -> None:
        if not rows:  # not even an empty dictionary is written
            return
        name, arguments = _split(kind)
        width = _width(name, arguments)
        match name:
            case _ if width is not None:
                self.at += width * rows
            case "String":
                self._strings(rows)
            case "Nullable":
                self.at += rows
                self._values(arguments[0], rows)
            case "LowCardinality":
                self._dictionary(arguments[0])
            case "Array" | "Map" | "Nested":
                self._arrays(_inner(name, arguments), rows)
            case "Tuple" | "SimpleAggregateFunction":
                for argument in _inner(name, arguments):
                    self._values(argument, rows)
                self.at += rows if name == "Tuple" and not arguments else 0
            case _:
                raise Failure(
                    48, f"Columns of type {kind} cannot be sent in Native format: use toString() or FORMAT JSON"
                )

    def _arrays(self, elements: list[str], rows: int) -> None:
        self.at += 8 * rows
        (total,) = struct.unpack_from("<Q", self._data, self.at - 8)
        for element in elements:
            self._values(element, total)

    def _dictionary(self, kind: str) -> None:
        """Keys of a LowCardinality column, and for each row the number of its key."""
        name, arguments = _split(kind)
        (flags, keys) = struct.unpack_from("<QQ", self._data, self.at)
        self.at += 16
        self._values(arguments[0] if name == "Nullable" else kind, keys)
        (rows,) = struct.unpack_from("<Q", self._data, self.at)
        self.at += 8 + rows * _KEY_WIDTHS[flags & 0xFF]

    def _strings(self, rows: int) -> None:
        data, at = self._data, self.at
        for _ in range(rows):
            length = data[at]
            at += 1
            if length >= 0x80:
                length &= 0x7F
                shift = 7
                while True:
                    byte = data[at]
                    at += 1
                    length |= (byte & 0x7F) << shift
                    if byte < 0x80:
                        break
                    shift += 7
            at += length
        self.at = at

    def _string(self) -> bytes:
        length = self._varint()
        self.at += length
        return self._data[self.at - length : self.at]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7


def _split(kind: str) -> tuple[str, list[str]]:
    """Take `Map(String, Array(UInt8))` apart into its name and its arguments."""
    found = _WORD.fullmatch(kind)
    if found is None:
        raise Failure(48, f"Columns of type {kind} cannot be sent in Native format")
    return found[1], _arguments(found[2] or "")


def _arguments(text: str) -> list[str]:
    """Split at commas that are in no parenthesis and in no quotes."""
    parts: list[str] = []
    depth, quote, start, at = 0, "", 0, 0
    while at < len(text):
        sign = text[at]
        if quote:
            at += sign == "\\"
            quote = "" if sign == quote else quote
        elif sign in "'`":
            quote = sign
        elif sign in "()":
            depth += 1 if sign == "(" else -1
        elif sign == "," and not depth:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [part.strip() for part in (*parts, text[start:]) if part.strip()]


def _width(name: str, arguments: list[str]) -> int | None:
    if name == "FixedString":
        return int(arguments[0])
    if name == "Decimal":
        digits = int(arguments[0])
        return next(width for limit, width in ((9, 4), (18, 8), (38, 16), (76, 32)) if digits <= limit)
    return 8 if name.startswith("Interval") else _WIDTHS.get(name)


def _inner(name: str, arguments: list[str]) -> list[str]:
    """Return the types of a type's parts, without the names that parts of tuples may have."""
    if name == "SimpleAggregateFunction":
        return arguments[1:]
    if name not in {"Tuple", "Nested"}:
        return arguments
    return [_unnamed(argument) for argument in arguments]


def _unnamed(argument: str) -> str:
    named = _NAMED.fullmatch(argument)
    return named[1] if named and not _is_type(argument) else argument


def _is_type(argument: str) -> bool:
    return _WORD.fullmatch(argument) is not None
