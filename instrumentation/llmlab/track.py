"""Tracking what a piece of code spends.

    @track_cost(provider="openai")
    def summarise(text): ...

    with track_cost(provider="anthropic", feature="search"):
        ...

A block is one span of its own, which never carries usage. What counts are the calls inside: those of SDKs that LLMLab
knows are recorded as its instrumentation records them, whether or not it is switched on for the whole application. A
response that the function returns counts only when nobody recorded a call inside.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from opentelemetry import context, trace

from llmlab import semconv
from llmlab.attribution import current_tags
from llmlab.blocks import Block, surround
from llmlab.capture.faults import Guard
from llmlab.providers import Reply
from llmlab.surroundings import Tracked, enter, here, leave
from llmlab.tags import Tags, Value, tags_of
from llmlab.tracking.block_calls import record_calls_inside
from llmlab.tracking.deliveries import Delivery, ReportedCall
from llmlab.tracking.delivery import delivery
from llmlab.tracking.recent import RECENT
from llmlab.tracking.responses import read_response

P = ParamSpec("P")
R = TypeVar("R")

_beginning = Guard("begin to track a block")
_reading = Guard("read what a tracked function returned")
_ending = Guard("end a tracked block")


def track_cost(
    provider: str,
    *,
    feature: Value = None,
    user: Value = None,
    run: Value = None,
    session: Value = None,
    project: Value = None,
    **tags: Value,
) -> "CostTracker":
    """Track what the calls inside a `with` block cost, or inside the function that is decorated with it.

    `provider` is who bills a response that only the function returns; calls that are recorded inside know it
    themselves. The other arguments attribute the calls, as `llmlab.attribute` does. Nothing is ever raised, no result
    is changed, and nobody waits: calls are sent in the background, to where `llmlab.sdk.init` says.
    """
    said = {"feature": feature, "user": user, "run": run, "session": session, "project": project, **tags}
    return CostTracker(provider, tags_of(said))


class CostTracker:
    """What `track_cost` returns. One object may serve many blocks, threads and tasks at once."""

    def __init__(self, provider: str, tags: Tags) -> None:
        self._provider = provider
        self._tags = tags

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Track a function, plain or async, generator or not."""
        name = getattr(function, "__qualname__", type(function).__qualname__)
        return surround(function, lambda: self._begin(name))

    def __enter__(self) -> "TrackedBlock":
        block = self._begin("track_cost")
        block.enter_for(self)
        return block

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        left = leave(self)
        if left is not None and isinstance(left.block, TrackedBlock):
            left.block.ended(error)

    def _begin(self, name: str) -> "TrackedBlock":
        return TrackedBlock(name, self._provider, self._tags)


class TrackedBlock(Block, Tracked):
    """One run of a tracked block, from its beginning to its end."""

    def __init__(self, name: str, provider: str, tags: Tags) -> None:
        super().__init__(here().block)
        self._provider = provider
        self._tags = tags
        self._started_ns = time.time_ns()
        self._delivery: Delivery | None = None
        self._span = trace.INVALID_SPAN
        self._is_over = False
        with _beginning:
            self._start(name)

    def __enter__(self) -> Self:
        self.enter_for(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        leave(self)

    def enter_for(self, owner: object) -> None:
        """Enter the block on behalf of somebody, who will leave it."""
        enter(owner, {**here().tags, **self._tags}, self, self._context())

    def record(self, response: object) -> None:
        """Count a response, unless a call inside was recorded: then this one was, or came out of a cache.

        Functions hand over what they return by themselves. In a `with` block it is only needed where the SDK is one
        that LLMLab does not know: `with track_cost(provider="acme") as block: block.record(acme.ask(...))`.
        """
        with _reading:
            if self._delivery is None or self.has_recorded:
                return
            reply = read_response(response)
            if reply is not None and reply.id not in RECENT:
                self._deliver(self._delivery, reply)

    def returned(self, value: object) -> None:
        """Count what the function returned."""
        self.record(value)

    def ended(self, error: BaseException | None = None) -> None:
        """End the block's span. The error's message stays out of it, because providers quote the prompt in it."""
        if self._is_over:
            return
        self._is_over = True
        with _ending:
            if error is not None:
                self._span.set_attribute(semconv.ERROR_TYPE, type(error).__qualname__)
                self._span.set_status(trace.StatusCode.ERROR)
            self._span.end()

    def _start(self, name: str) -> None:
        self._delivery = delivery()
        record_calls_inside(self._delivery)
        self._span = self._delivery.tracer.start_span(name, attributes={**current_tags(), **self._tags})

    def _deliver(self, to: Delivery, reply: Reply) -> None:
        if reply.id:
            RECENT.add(reply.id)
        to.deliver(
            ReportedCall(
                provider=self._provider,
                model=None,
                reply=reply,
                tags={**current_tags(), **self._tags},
                started_ns=self._started_ns,
                ended_ns=time.time_ns(),
                inside=self._context(),
            )
        )
        self.note_call_outside()

    def _context(self) -> context.Context | None:
        return trace.set_span_in_context(self._span) if self._span.get_span_context().is_valid else None
