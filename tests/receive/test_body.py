import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from llmlab_exporter.receive.admission import Admission
from llmlab_exporter.receive.body import decompress, read_body
from llmlab_exporter.receive.refusal import Busy, Draining, Malformed, TooLarge, UnsupportedMedia

MIB = 1024 * 1024

PACKERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "identity": bytes,
    "": bytes,
}


@pytest.mark.parametrize("encoding", PACKERS)
@given(body=st.binary(max_size=5000))
def test_a_body_comes_out_as_it_went_in(encoding: str, body: bytes) -> None:
    assert decompress(PACKERS[encoding](body), encoding, limit=5000) == body


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_the_limit_is_exact(encoding: str) -> None:
    assert len(decompress(PACKERS[encoding](b"a" * 1000), encoding, limit=1000)) == 1000
    with pytest.raises(TooLarge, match="more than 1000 bytes when decompressed"):
        decompress(PACKERS[encoding](b"a" * 1001), encoding, limit=1000)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_bomb_is_refused_without_being_blown_up(encoding: str) -> None:
    bomb = PACKERS[encoding](bytes(512 * MIB))
    tracemalloc.start()
    with pytest.raises(TooLarge):
        decompress(bomb, encoding, limit=4 * MIB)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * MIB


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_broken_body_is_named(encoding: str) -> None:
    packed = PACKERS[encoding](bytes(range(256)) * 40)
    with pytest.raises(Malformed, match=encoding):
        decompress(b"not compressed at all", encoding, limit=MIB)
    with pytest.raises(Malformed, match="ends before"):
        decompress(packed[: len(packed) // 2], encoding, limit=MIB)


def test_bytes_after_the_end_are_refused() -> None:
    with pytest.raises(Malformed, match="4 bytes follow"):
        decompress(gzip.compress(b"body") + b"more", "gzip", limit=MIB)


def test_an_unknown_encoding_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnsupportedMedia, match=r"'br' is not supported; use gzip"):
        decompress(b"", "br", limit=MIB)


def admission(full: str = "", budget: int = 1000) -> Admission:
    return Admission(obstacle=lambda: Busy(full) if full else None, max_held_bytes=budget)


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def read(*parts: bytes, declared: int | None = None, limit: int = 100, budget: int = 1000) -> bytes:
    with admission(budget=budget).hold(declared or 0) as hold:
        return asyncio.run(read_body(pieces(*parts), declared, hold, limit))


def test_a_body_is_read_whole() -> None:
    assert read(b"one", b"two", declared=6) == read(b"one", b"two") == b"onetwo"


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    with pytest.raises(TooLarge, match="101 bytes, the limit is 100"):
        read(declared=101)


def test_a_body_that_turns_out_too_large_is_not_read_on() -> None:
    with pytest.raises(TooLarge, match="more than 100 bytes"):
        read(b"x" * 60, b"x" * 60, declared=3)


def test_requests_beyond_the_byte_budget_are_told_to_come_back() -> None:
    doorman = admission(budget=1000)
    with doorman.hold(900), pytest.raises(Busy, match="try again"), doorman.hold(101):
        pass
    assert doorman.held_bytes == 0
    with doorman.hold(1000):
        assert doorman.held_bytes == 1000


def test_a_single_request_is_admitted_whatever_its_size() -> None:
    with admission(budget=10).hold(50) as hold:
        assert hold.size == 50


def test_a_refused_growth_gives_its_bytes_back() -> None:
    doorman = admission(budget=100)
    with doorman.hold(60), pytest.raises(Busy), doorman.hold(10) as second:
        second.grow(50)
    assert doorman.held_bytes == 0


def test_a_full_backlog_and_a_shutdown_refuse() -> None:
    with pytest.raises(Busy, match="store"), admission(full="5 calls wait for the store").hold(1):
        pass
    doorman = admission()
    doorman.draining = True
    with pytest.raises(Draining), doorman.hold(1):
        pass
