"""Times llmlab and its floor by themselves: while the SDK does its own work, the clock stands still.

`python -m in_app.around CALLS`, for `benchmarks/around.py`. The SDK works as ever between the moments that are timed,
so that caches are as cold as in an application. What an instrumentation does inside of the SDK's own work is not seen,
so this is no measure for instrumentations that replace other functions than `Completions.create`.
"""

import gc
import json
import sys
from collections.abc import Callable, Iterator
from random import Random
from statistics import median
from time import perf_counter_ns
from typing import Any

from openai.resources.chat.completions import Completions
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from in_app.api import REQUEST, STREAM, client
from in_app.child import NullExporter
from in_app.variants import BY_NAME

BLOCK = 3
"""Calls in a row of one kind; one more before them fills the interpreter's inline caches."""
PLAIN_PER_STREAM = 3

Create = Callable[..., Any]


class Clock:
    """Adds up the time between `go` and `halt`."""

    def __init__(self) -> None:
        self.total_ns = 0
        self._since_ns = 0

    def go(self) -> None:
        """Go on."""
        self._since_ns = perf_counter_ns()

    def halt(self) -> None:
        """Stand still."""
        self.total_ns += perf_counter_ns() - self._since_ns


def measure(count: int) -> dict[str, dict[str, float]]:
    """Return the microseconds that each variant adds to a plain call and to a stream, medians over calls."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(NullExporter()))
    trace.set_tracer_provider(provider)
    clock = Clock()
    completions: Any = client().chat.completions
    creates = _variants(_timed(clock))

    def plain() -> float:
        clock.total_ns = 0
        clock.go()
        completions.create(**REQUEST)
        clock.halt()
        return clock.total_ns / 1000

    def stream() -> float:
        clock.total_ns = 0
        clock.go()
        for _ in completions.create(**STREAM):
            clock.halt()
            clock.go()
        clock.halt()
        return clock.total_ns / 1000

    measured: dict[str, dict[str, float]] = {}
    for kind, send, blocks in (("plain", plain, PLAIN_PER_STREAM * count // BLOCK), ("stream", stream, count // BLOCK)):
        took = _blocks(creates, send, blocks, provider.force_flush)
        measured[kind] = {name: median(us) - median(took["bare"]) for name, us in took.items() if name != "bare"}
    return measured


def _blocks(
    creates: dict[str, Create], send: Callable[[], float], blocks: int, flush: Callable[[], object]
) -> dict[str, list[float]]:
    """Let the variants take turns, in a random order each time."""
    order = Random(blocks)  # noqa: S311 - the same in every process
    took: dict[str, list[float]] = {name: [] for name in creates}
    for create in creates.values():
        _put(create)
        send()
    gc.collect()
    gc.freeze()  # else a full collection of everything imported falls on some unlucky call
    for _ in range(blocks):
        for name in order.sample(list(creates), len(creates)):
            _put(creates[name])
            send()
            took[name] += [send() for _ in range(BLOCK)]
            flush()
    return took


def _variants(bare: Create) -> dict[str, Create]:
    """Return `Completions.create` without anything around it, and as each variant makes it."""
    creates = {"bare": bare}
    for name in ("floor", "llmlab"):
        _put(bare)
        BY_NAME[name].install()
        creates[name] = Completions.create
    return creates


def _put(create: Create) -> None:
    methods: Any = Completions
    methods.create = create


def _timed(clock: Clock) -> Create:
    """Return `Completions.create` with the clock standing still inside."""
    original = Completions.create

    def create(self: Completions, **keywords: Any) -> Any:
        clock.halt()
        result: Any = original(self, **keywords)
        if keywords.get("stream"):
            result._iterator = chunks(result._iterator)  # noqa: SLF001 - what the SDK makes it read from
        clock.go()
        return result

    def chunks(iterator: Iterator[Any]) -> Iterator[Any]:
        while True:
            clock.halt()
            try:
                chunk = next(iterator)
            except StopIteration:
                clock.go()
                return
            clock.go()
            yield chunk

    return create


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
