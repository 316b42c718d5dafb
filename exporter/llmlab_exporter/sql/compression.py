"""Content encodings of an answer."""

import gzip
import zlib

import zstandard

_MIN_BYTES = 1024
"""Below, headers outweigh what is saved."""
_PREFERRED = ("zstd", "gzip", "deflate")


def choose(accepted: str, size: int) -> str:
    """Return the encoding for an answer of so many bytes, "" for none, from an `Accept-Encoding` header."""
    if size < _MIN_BYTES:
        return ""
    offered = {name.strip().lower() for name, _, weight in map(_parts, accepted.split(",")) if weight.strip() != "q=0"}
    return next((name for name in _PREFERRED if name in offered), "")


def _parts(offer: str) -> tuple[str, str, str]:
    return offer.partition(";")


def encode(data: bytes, encoding: str) -> bytes:
    """Encode an answer."""
    match encoding:
        case "zstd":
            return zstandard.ZstdCompressor(level=1).compress(data)
        case "gzip":
            return gzip.compress(data, compresslevel=1)
        case "deflate":
            return zlib.compress(data, level=1)
        case _:
            return data
