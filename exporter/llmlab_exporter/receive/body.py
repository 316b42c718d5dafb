"""Reading a body without ever holding more than the limit, compressed or not."""

import zlib
from collections.abc import AsyncIterator

import zstandard

from llmlab_exporter.receive.admission import Hold
from llmlab_exporter.receive.refusal import Malformed, TooLarge, UnsupportedMedia

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Of one request, after decompression. SDKs send 512 spans at a time, collectors 8,192: a few MiB with prompts."""

_MAX_ZSTD_WINDOW = 8 * 1024 * 1024


async def read_body(chunks: AsyncIterator[bytes], declared: int | None, hold: Hold, limit: int) -> bytes:
    """Read a body of at most `limit` bytes; raises `TooLarge` without reading on, `Busy` when there is no room."""
    if declared is not None and declared > limit:
        raise _too_large(f"{declared} bytes", limit)
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise _too_large(f"more than {limit} bytes", limit)
        hold.grow(max(0, size - hold.size))
        parts.append(chunk)
    return b"".join(parts)


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo a content encoding (`gzip`, `deflate`, `zstd`, `identity` or "").

    Raises `TooLarge` as soon as the limit is passed, `Malformed`, `UnsupportedMedia`.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _inflate(body, zlib.MAX_WBITS | 16, "gzip", limit)
        case "deflate":
            return _inflate(body, zlib.MAX_WBITS, "deflate", limit)
        case "zstd":
            return _unzstd(body, limit)
        case other:
            raise UnsupportedMedia(f"content encoding {other!r} is not supported; use gzip, zstd, deflate or none")


def _inflate(body: bytes, window: int, name: str, limit: int) -> bytes:
    engine = zlib.decompressobj(window)
    try:
        data = engine.decompress(body, limit + 1)
    except zlib.error as error:
        raise Malformed(f"the body is not {name}, as its content encoding says: {error}") from error
    if len(data) > limit:
        raise _too_large(f"more than {limit} bytes when decompressed", limit)
    if not engine.eof:
        raise Malformed(f"the {name} body of {len(body)} bytes ends before its data does")
    if engine.unused_data:
        raise Malformed(f"{len(engine.unused_data)} bytes follow the end of the {name} data")
    return data


def _unzstd(body: bytes, limit: int) -> bytes:
    engine = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW).decompressobj()
    parts: list[bytes] = []
    size = 0
    try:
        # One step yields at most 32 MiB: zstd packs 32,750 to 1 at best.
        for at in range(0, len(body), 1024):
            parts.append(engine.decompress(body[at : at + 1024]))
            size += len(parts[-1])
            if size > limit:
                raise _too_large(f"more than {limit} bytes when decompressed", limit)
    except zstandard.ZstdError as error:
        raise Malformed(f"the body is not zstd, as its content encoding says: {error}") from error
    if not engine.eof:
        raise Malformed(f"the zstd body of {len(body)} bytes ends before its data does")
    return b"".join(parts)


def _too_large(size: str, limit: int) -> TooLarge:
    return TooLarge(
        f"the request has {size}, the limit is {limit}; send smaller batches (OTEL_BSP_MAX_EXPORT_BATCH_SIZE) "
        "or raise --max-body-mib"
    )
