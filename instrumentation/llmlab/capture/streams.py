"""Streams as the caller sees them: the SDK's own object behind a proxy that listens.

A proxy passes for the SDK's object (`isinstance`, attributes, methods), hands out the same chunks, and settles the
call once: at the end of the stream, at its error, when it is closed, or when nobody holds it any more.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any, Self

from llmlab.capture.faults import READ_CHUNK, note
from llmlab.capture.proxies import Proxy, keep
from llmlab.capture.recording import Recording
from llmlab.providers import LoopingReader

if TYPE_CHECKING:
    from llmlab.providers import ChunkReader

_PASSES_ON = ("_iterator",)
"""The only name in the SDK's own `Stream.__iter__`: what it passes on."""


class Watched(Proxy):
    """An object of the SDK whose closing ends a call."""

    __slots__ = ("_self_recording",)
    _self_recording: Recording

    def __init__(self, wrapped: Any, recording: Recording) -> None:
        super().__init__(wrapped)
        keep(self, "_self_recording", recording)

    # Properties, so that `hasattr` says of the proxy what it says of the object behind.

    @property
    def close(self) -> Callable[..., Any]:
        """What closes the object behind; with an asynchronous one the result is to be awaited."""
        return partial(self._self_close, self.__wrapped__.close)

    @property
    def aclose(self) -> Callable[..., Any]:
        """What closes the object behind, where it has the method under this name."""
        return partial(self._self_close, self.__wrapped__.aclose)

    def _self_close(self, close: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        self._self_recording.settle_stream()
        return close(*args, **keywords)

    def __enter__(self) -> Any:
        entered = self.__wrapped__.__enter__()
        return self if entered is self.__wrapped__ else entered

    def __exit__(self, *error: Any) -> Any:
        self._self_recording.settle_stream()
        return self.__wrapped__.__exit__(*error)

    async def __aenter__(self) -> Any:
        entered = await self.__wrapped__.__aenter__()
        return self if entered is self.__wrapped__ else entered

    async def __aexit__(self, *error: Any) -> Any:
        self._self_recording.settle_stream()
        return await self.__wrapped__.__aexit__(*error)


class SyncStream(Watched):
    """A stream read with `for` or `next()`."""

    __slots__ = ("_self_chunks",)
    _self_chunks: Iterator[Any]

    def __init__(self, stream: Any, recording: Recording, chunks: "ChunkReader") -> None:
        # What the base classes would do, because a stream pays for each function that it goes through.
        keep(self, "__wrapped__", stream)
        keep(self, "_self_recording", recording)
        # What `isinstance` says, without going through the machinery of abstract classes for each stream.
        looping: Any = chunks if LoopingReader in type(chunks).__mro__ else None
        passed_on = _pass_on(stream, recording, chunks.read) if looping is None else looping.pass_on(stream, recording)
        keep(self, "_self_chunks", passed_on)

    def __iter__(self) -> Iterator[Any]:
        return self._self_chunks

    def __next__(self) -> Any:
        return next(self._self_chunks)


class AsyncStream(Watched):
    """A stream read with `async for`."""

    __slots__ = ("_self_is_fresh", "_self_next", "_self_read")
    _self_is_fresh: bool
    _self_next: Callable[[], Awaitable[Any]]
    _self_read: Callable[[Any], bool]

    def __init__(self, stream: Any, recording: Recording, chunks: "ChunkReader") -> None:
        super().__init__(stream, recording)
        keep(self, "_self_next", getattr(stream, "__anext__", None) or aiter(stream).__anext__)
        keep(self, "_self_read", chunks.read)
        keep(self, "_self_is_fresh", True)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while True:
            try:
                chunk = await self._self_next()
            except StopAsyncIteration:
                self._self_recording.settle_stream(complete=True)
                raise
            except BaseException as error:
                self._self_recording.settle_stream(error=error)
                raise
            if self._self_is_fresh:
                keep(self, "_self_is_fresh", False)
                self._self_recording.first_chunk()
            try:
                hidden = self._self_read(chunk)
            except Exception as error:  # noqa: BLE001 - noted
                note(error, READ_CHUNK)
                hidden = False
            if not hidden:
                return chunk


def _pass_on(stream: Iterable[Any], recording: Recording, read: Callable[[Any], bool]) -> Iterator[Any]:
    """Yield the chunks that are meant for the caller. A generator, because it costs least for each chunk."""
    is_fresh = True
    try:
        for chunk in source_of(stream):
            if is_fresh:
                is_fresh = False
                recording.first_chunk()
            try:
                hidden = read(chunk)
            except Exception as error:  # noqa: BLE001 - noted; a Guard would cost more than the reading
                note(error, READ_CHUNK)
                hidden = False
            if not hidden:
                yield chunk
    except BaseException as error:
        recording.settle_stream(error=error)
        raise
    recording.settle_stream(complete=True)


def source_of(stream: Any) -> Iterable[Any]:
    """Return where the SDK's stream has its chunks from, if handing them out is all that it does itself.

    Its `__iter__` is a generator around another one, and each chunk pays for the way through both.
    """
    read: Any = type(stream).__iter__
    if (
        type(read) is FunctionType
        and read.__code__.co_names == _PASSES_ON
        and read.__closure__ is None
        and read.__defaults__ is None
    ):
        return stream._iterator  # noqa: SLF001
    return stream


def settle_watched(stream: Any) -> None:
    """Settle the call behind a stream that is closed by other means than its own. Any other object is left alone."""
    if isinstance(stream, Watched):
        stream._self_recording.settle_stream()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def watched(stream: Any, recording: Recording, *, asynchronous: bool) -> Any:
    """Return the proxy of a stream. Some can be read both ways; how the call was made decides."""
    chunks = recording.request.chunks
    if chunks is None:
        return stream
    if asynchronous or not hasattr(stream, "__iter__"):
        return AsyncStream(stream, recording, chunks)
    return SyncStream(stream, recording, chunks)
