"""The span of one call: started before the request leaves, settled exactly once, whatever becomes of the call."""

from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Any, Self

from opentelemetry import context, trace
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from llmlab import semconv
from llmlab.attribution import tags_in, tags_of_environment
from llmlab.capture import attributes
from llmlab.capture.collector import settle_safely
from llmlab.capture.current import SPAN, attach, current, detach
from llmlab.capture.faults import Guard, note
from llmlab.capture.runs import enclosed, enclosing
from llmlab.capture.spans import Spans, put
from llmlab.providers import Finished, Reply
from llmlab.surroundings import of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from llmlab.capture.client_metrics import ClientMetrics
    from llmlab.providers import Call, ChunkReader, Provider, Request

GENAI_CALL = "opentelemetry.genai.client.inference.context"
"""Set while an instrumentation of OpenTelemetry's own (opentelemetry-util-genai 1.3b0) records an inference span."""

_RECORDED = context.create_key("llmlab.recorded")
"""Set inside a call that we record: a framework over an SDK that is instrumented too is one call, not two."""

_NOTHING = Reply()

_SETTLE = "settle a call"
_settling = Guard(_SETTLE)


class Recorder:
    """Records the calls of one provider."""

    def __init__(self, provider: "Provider", tracer: trace.Tracer, metrics: "ClientMetrics") -> None:
        self.tier_attribute = provider.tier_attribute
        self.spans = Spans(tracer)
        self.metrics = metrics
        self._step = f"begin to record a call of {provider.name}"

    def begin(
        self, call: "Call", client: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> "Recording | None":
        """Read a call, start its span, and go inside (`Recording`). None when it is to be left alone."""
        try:
            around = current()
            if around and _is_suppressed(around):
                return None
            request = call.request(client, arguments, keywords)
            if request is None or (around and _is_told_outside(around, request)):
                return None
            return self._start(request, enclosed(around) if enclosing else around, around)
        except Exception as error:  # noqa: BLE001 - noted; a Guard would cost every call
            note(error, self._step)
            return None

    def begin_late(self, request: "Request", around: context.Context, started_ns: int) -> "Recording | None":
        """Start the span of a call that began earlier, in a context. None when it is to be left alone."""
        if around and (_is_suppressed(around) or _is_told_outside(around, request)):
            return None
        return self._start(request, around, None, started_ns)

    def shares_spans_with(self, tracer: trace.Tracer) -> bool:
        """Say whether spans of this tracer go where ours go."""
        return self.spans.are_shared_with(tracer)

    def _start(
        self,
        request: "Request",
        around: context.Context,
        outside: context.Context | None,
        started_ns: int | None = None,
    ) -> "Recording | None":
        """`around`: where the span belongs. `outside`: what holds here, if the call is made here and now."""
        if request.results is not None:
            return self._start_results(request, request.results, outside)
        known = attributes.of_request(request)
        tags = tags_in(around) if around else tags_of_environment()
        if tags:
            known.update(tags)
        name = f"{request.operation} {request.model}" if request.model else request.operation
        span = self.spans.start(name, around, known, started_ns)
        # Nobody listens to a span that was sampled out, so the call is better left as it is; metrics know no sampling.
        if not span.is_recording():
            if not self.metrics.are_on(perf_counter()):
                return None
        elif around and (block := of(around).block) is not None:
            block.note_call()
        recording = Recording(request, self, span, outside)
        if started_ns is not None:
            recording.began_at(started_ns)
        return recording

    def _start_results(
        self, request: "Request", read: "Callable[[Any], Finished | None]", outside: context.Context | None
    ) -> "Recording":
        """Listen to the results of a batch. The recording is the usual one, over a span that records nothing."""
        chunks = _Results(read, self.note)
        no_span = trace.NonRecordingSpan(trace.get_current_span().get_span_context())
        return Recording(request.changed(chunks=chunks), self, no_span, outside)

    def note(self, finished: "Finished") -> None:
        """Record a call that is over."""
        recording = self._start(finished.request, current(), None)
        if recording is not None:
            recording.settle(finished.reply)


class _Results:
    """Reads the results of a batch as they pass, each of them a call."""

    def __init__(self, read: "Callable[[Any], Finished | None]", note: "Callable[[Finished], None]") -> None:
        self._read = read
        self._note = note

    def read(self, chunk: Any) -> bool:
        finished = self._read(chunk)
        if finished is not None:
            self._note(finished)
        return False

    def reply(self) -> Reply:
        return _NOTHING


class Recording:
    """One call on its way. Settle it once the end is known.

    Where the call is made here and now, its span is the current one as soon as there is a recording. Use that as a
    context manager around the call itself: it goes outside again, and gives up after an error. Where each function
    counts, `detach` with the `token`, and `give_up`, do the same.

    When nobody holds it any more it settles itself: the caller has thrown the stream away.
    """

    __slots__ = (
        "_first_chunk_s",
        "_open",
        "_recorder",
        "_started_s",
        "request",
        "token",
    )

    def __init__(
        self, request: "Request", recorder: Recorder, span: trace.Span, outside: context.Context | None = None
    ) -> None:
        """`outside`: what holds here, if the call is made here and now."""
        self.request = request
        self._recorder = recorder
        self._open = [span]
        self.token: Any = None
        """What `detach` takes to go outside again."""
        if outside is not None:
            self.token = attach(context.Context({**outside, SPAN: span, _RECORDED: True}))
        self._started_s = perf_counter()
        self._first_chunk_s: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: "type[BaseException] | None", error: BaseException | None, traceback: "TracebackType | None"
    ) -> None:
        # A coroutine that is thrown away is closed in a foreign context, where our tokens mean nothing.
        if self.token is not None and kind is not GeneratorExit:
            try:  # noqa: SIM105 - `suppress` would cost every call
                detach(self.token)
            except ValueError:  # nor do they where somebody carries a coroutine on in another context
                pass
        if error is not None:
            self.give_up(error)

    def __del__(self) -> None:
        if self._open:
            settle_safely(self.settle_stream)

    def began_at(self, started_ns: int) -> None:
        """Note that the call began earlier, at this time since the epoch."""
        self._started_s = perf_counter() - (time_ns() - started_ns) / 1e9

    def first_chunk(self, after_s: float | None = None) -> None:
        """Note that the stream began to answer: now, or so long after the call began."""
        self._first_chunk_s = perf_counter() - self._started_s if after_s is None else after_s

    def hear(self, chunks: "ChunkReader") -> "ChunkReader":
        """Take the reader of a body that the caller reads later, and return the one to read it with."""
        # Not before: a request with a reader of chunks passes for one that asks for a stream.
        chunks = chunks if self.request.beside is None else self.request.beside(chunks)
        self.request = self.request.changed(chunks=chunks)
        return chunks

    def settle_stream(self, *, complete: bool = False, error: BaseException | None = None) -> None:
        """Settle with what the chunks reported. `complete` means that the stream came to its own end.

        A generator that is closed was thrown away, and the recording notices by itself when it goes the same way: this
        may be the garbage collector's doing (`llmlab.capture.collector`).
        """
        if self._open and not isinstance(error, GeneratorExit):
            try:
                chunks = self.request.chunks
                reply = _NOTHING if chunks is None else chunks.reply()
            except Exception as fault:  # noqa: BLE001 - noted; a Guard would cost every stream
                note(fault, _SETTLE)
                reply = _NOTHING
            try:
                self.settle(reply, complete=complete, error=error)
            except Exception as fault:  # noqa: BLE001 - as above
                note(fault, _SETTLE)

    def give_up(self, error: BaseException | None = None) -> None:
        """Settle without a reply, unless the SDK failed only after the provider had answered."""
        with _settling:
            overheard = self.request.overheard
            self.settle(_NOTHING if overheard is None else overheard(), error=error)

    def settle(self, reply: Reply, *, complete: bool = True, error: BaseException | None = None) -> None:
        """End the span; from the second time on, do nothing. Call it where a `Guard` protects the caller.

        The error's message stays out of the span, because providers quote the prompt in it.
        """
        try:
            span = self._open.pop()  # one step, so that only one of two threads gets it
        except IndexError:
            return
        recorder = self._recorder
        try:
            outcome = attributes.of_outcome(
                reply, recorder.tier_attribute, complete=complete, error=error, first_chunk_s=self._first_chunk_s
            )
            put(span, outcome)
            if error is not None:
                span.set_status(trace.StatusCode.ERROR)
            if self.request.told is not None:
                self.request.told(span, reply, outcome)
        finally:
            span.end()
        for reply_of_another in reply.further:
            recorder.note(_beside(self.request, reply_of_another))
        if recorder.metrics.are_on(self._started_s):
            duration_s = perf_counter() - self._started_s
            recorder.metrics.record(self.request, reply, error, duration_s, self._first_chunk_s)


def _beside(request: "Request", reply: Reply) -> "Finished":
    """Return a call that another model answered within a call."""
    inherited = {name: value for name, value in request.attributes.items() if name == semconv.BATCH}
    changes: dict[str, Any] = {"model": reply.model, "attributes": inherited, "chunks": None, "told": None}
    return Finished(request.changed(**changes, is_over=True), reply)


def recorded_span() -> trace.Span | None:
    """Return the span of the call that is being recorded here, None outside of such a call."""
    span = trace.get_current_span()
    return span if context.get_value(_RECORDED) and span.is_recording() else None


def _is_suppressed(around: context.Context) -> bool:
    return _RECORDED in around or not is_instrumentation_enabled()


def _is_told_outside(around: context.Context, request: "Request") -> bool:
    """Say whether a span around the call tells all of it. It does not know the usage of a stream that only we ask."""
    return around.get(GENAI_CALL) is not None and request.refused is None
