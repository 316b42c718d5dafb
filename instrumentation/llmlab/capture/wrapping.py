"""The one wrapper around every function of every SDK."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from llmlab.capture.current import detach
from llmlab.capture.faults import note
from llmlab.capture.managers import Manager
from llmlab.capture.raw_responses import watched_response
from llmlab.capture.recording import recorded_span
from llmlab.capture.streams import watched
from llmlab.providers import itself

if TYPE_CHECKING:
    from llmlab.capture.recording import Recorder, Recording
    from llmlab.providers import Call

Wrapper = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]
"""What is put around a function: called with the original, the instance (None for a plain function), arguments and
keywords."""


def wrapper(call: "Call", recorder: "Recorder") -> Wrapper:
    """Return the function that records one call each time it is called."""

    def sync_call(original: Callable[..., Any], client: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        recording = recorder.begin(call, client, args, keywords)
        if recording is None:
            return original(*args, **keywords)
        request = recording.request
        try:
            if request.refused is None:
                result = original(*args, **request.keywords)
            else:
                result = _send(original, args, keywords, request.keywords, request.refused)
        except BaseException as error:
            detach(recording.token)
            recording.give_up(error)
            raise
        detach(recording.token)
        return _receive(result, call, recording)

    async def async_call(
        original: Callable[..., Awaitable[Any]], client: Any, args: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        recording = recorder.begin(call, client, args, keywords)
        if recording is None:
            return await original(*args, **keywords)
        with recording:
            request = recording.request
            if request.refused is None:
                result = await original(*args, **request.keywords)
            else:
                result = await _send_async(original, args, keywords, request.keywords, request.refused)
        return _receive(result, call, recording, asynchronous=True)

    def manager_call(original: Callable[..., Any], client: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        begin = partial(recorder.begin, call, client, args, keywords)
        return Manager(original(*args, **keywords), begin, partial(_receive, call=call))

    return {"sync": sync_call, "async": async_call, "manager": manager_call}[call.kind]


def own_span_wrapper(recorder: "Recorder") -> Wrapper:
    """Return the function that gives an SDK, for the span of its own that it starts, one that stands for ours.

    The stand-in takes no attributes, but has the same ids: what the SDK sends along or puts below refers to our span.
    """

    def start_span(original: Callable[..., Any], _: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        span = recorded_span()
        tracer = next((argument for argument in args if isinstance(argument, trace.Tracer)), None)
        if span is None or (tracer is not None and not recorder.shares_spans_with(tracer)):
            return original(*args, **keywords)
        return trace.NonRecordingSpan(span.get_span_context())

    return start_span


def _send(
    original: Callable[..., Any],
    args: tuple[Any, ...],
    keywords: dict[str, Any],
    changed: Mapping[str, Any],
    refused: Callable[[Exception], bool],
) -> Any:
    """Make a call with changed keywords, and once more with the caller's own if the provider refuses the change."""
    try:
        return original(*args, **changed)
    except Exception as error:
        if not refused(error):
            raise
    return original(*args, **keywords)


async def _send_async(
    original: Callable[..., Awaitable[Any]],
    args: tuple[Any, ...],
    keywords: dict[str, Any],
    changed: Mapping[str, Any],
    refused: Callable[[Exception], bool],
) -> Any:
    try:
        return await original(*args, **changed)
    except Exception as error:
        if not refused(error):
            raise
    return await original(*args, **keywords)


def _receive(result: Any, call: "Call", recording: "Recording", *, asynchronous: bool = False) -> Any:
    """Return the result for the caller; what it reports is on the span now, or will be when the stream ends."""
    try:
        request = recording.request
        if request.raw:
            return watched_response(result, recording, call.reply, asynchronous=asynchronous)
        if request.listen is not None:
            request.listen(result, recording)
            return result
        if request.chunks is None:
            recording.settle(call.reply(result))
            return result
        if call.replace_stream is itself:
            return watched(result, recording, asynchronous=asynchronous)
        return call.replace_stream(result, partial(watched, recording=recording, asynchronous=asynchronous))
    except Exception as error:  # noqa: BLE001 - noted; a Guard would cost every call
        note(error, "read a response")
        recording.give_up()
        return result
