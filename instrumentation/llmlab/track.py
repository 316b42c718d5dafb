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
from typing import ParamSpec, TypeVar

from opentelemetry import context, trace

from llmlab import semconv
from llmlab._version import __version__
from llmlab.attribution import current_tags
from llmlab.block_calls import ensure_recorded
from llmlab.blocks import Block, surround
from llmlab.delivery import Delivery, ReportedCall, delivery
from llmlab.faults import Guard
from llmlab.recent import RECENT
from llmlab.responses import read_response
from llmlab.surroundings import Tracked, enter, here, leave
from llmlab.tags import Tags, Value, tags_of

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
        ...
