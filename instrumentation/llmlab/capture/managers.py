"""Calls that return a context manager and send their request when it is entered."""

from collections.abc import Callable
from typing import Any

from llmlab.capture.proxies import ObjectProxy
from llmlab.capture.recording import Recording


class Manager(ObjectProxy):
    """The SDK's own context manager, which begins to record when it is entered. One never entered is no call."""

    def __init__(self, manager: Any, begin: Callable[[], Recording | None], receive: Callable[..., Any]) -> None:
        """`receive` settles a recording by what the call gave, and returns that for the caller."""
        super().__init__(manager)
        self._self_begin = begin
        self._self_receive = receive
        self._self_recording: Recording | None = None

    def __enter__(self) -> Any:
        recording = self._self_recording = self._self_begin()
        if recording is None:
            return self.__wrapped__.__enter__()
        with recording:
            entered = self.__wrapped__.__enter__()
        return self._self_receive(entered, recording=recording, asynchronous=False)

    async def __aenter__(self) -> Any:
        recording = self._self_recording = self._self_begin()
        if recording is None:
            return await self.__wrapped__.__aenter__()
        with recording:
            entered = await self.__wrapped__.__aenter__()
        return self._self_receive(entered, recording=recording, asynchronous=True)

    def __exit__(self, *error: Any) -> Any:
        self._self_settle()
        return self.__wrapped__.__exit__(*error)

    async def __aexit__(self, *error: Any) -> Any:
        self._self_settle()
        return await self.__wrapped__.__aexit__(*error)

    def _self_settle(self) -> None:
        if self._self_recording is not None:
            self._self_recording.settle_stream()
