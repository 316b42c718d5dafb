"""Measures one variant in this process and prints the figures as the last line: `python -m in_app.child NAME CALLS`."""

import gc
import json
import os
import socket
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from random import Random
from statistics import median
from time import process_time_ns, thread_time_ns
from typing import Any, NamedTuple

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from in_app.api import CACHED_TOKENS, QUESTION, REASONING_TOKENS, SERVED_MODEL, USAGE, Send, calls, client
from in_app.figures import Content, Cost, Run, Startup
from in_app.switch import Switch
from in_app.variants import BY_NAME, Variant

BLOCK = 3
"""Calls in a row with the instrumentation on, then off. Short, so that both meet the same state of the machine."""
PLAIN_PER_STREAM = 3
"""A plain call is several times shorter, so more of them are made."""

LAUNCHER = "opentelemetry.instrumentation.auto_instrumentation._load"
"""What `opentelemetry-instrument` loads in every process before any instrumentation: no cost of theirs."""

MUST_REPORT = {
    "gen_ai.response.model": SERVED_MODEL,
    "gen_ai.response.finish_reasons": ("stop",),
    "gen_ai.usage.input_tokens": USAGE["prompt_tokens"],
    "gen_ai.usage.output_tokens": USAGE["completion_tokens"],
    "gen_ai.usage.cache_read.input_tokens": CACHED_TOKENS,
    "gen_ai.usage.reasoning.output_tokens": REASONING_TOKENS,
}


class NullExporter(SpanExporter):
    """Takes spans and does nothing with them but count them and, when asked, keep them."""

    def __init__(self) -> None:
        self.count = 0
        self.kept: list[ReadableSpan] | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Count spans."""
        self.count += len(spans)
        if self.kept is not None:
            self.kept.extend(spans)
        return SpanExportResult.SUCCESS


class Bench(NamedTuple):
    """What a measurement needs."""

    switch: Switch
    exporter: NullExporter
    flush: Callable[[], Any]


class _Resources(NamedTuple):
    cpu_ms: float
    rss_mib: float
    modules: int


def measure(variant: Variant, count: int) -> Run:
    """Measure a variant with `count` instrumented streams."""
    exporter = NullExporter()
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    kinds = calls(client())
    _send_all(kinds)  # what the SDK itself loads late is loaded now
    bench = Bench(Switch("openai"), exporter, provider.force_flush)
    startup = _startup(variant, kinds)
    patched = bench.switch.compare()
    assert (patched == 0) == variant.is_bare, f"{patched} attributes of the SDK were replaced"
    content = {kind: _content(send, bench) for kind, send in kinds.items()}
    if variant.is_ours and not variant.is_bare:
        _check(content)
    gc.collect()
    gc.freeze()  # else a full collection of everything imported falls on some unlucky call
    pairs = {"plain": PLAIN_PER_STREAM * count // BLOCK, "stream": count // BLOCK}
    return {
        "sdk": f"openai {version('openai')}",
        "version": version(variant.distribution) if variant.distribution else None,
        "startup": startup,
        "cost": {kind: _cost(send, bench, pairs[kind], content[kind][0]["spans"]) for kind, send in kinds.items()},
        "content": {kind: summary for kind, (summary, _) in content.items()},
    }


def _send_all(kinds: dict[str, Send]) -> None:
    for send in kinds.values():
        send()


def _startup(variant: Variant, kinds: dict[str, Send]) -> Startup:
    import_module(LAUNCHER)
    before_calls = _resources()
    _send_all(kinds)
    before = _resources()
    variant.install()
    _send_all(kinds)
    after = _resources()
    return {
        "import_ms": after.cpu_ms - before.cpu_ms - (before.cpu_ms - before_calls.cpu_ms),
        "rss_mib": after.rss_mib - before.rss_mib,
        "modules": after.modules - before.modules,
    }


def _resources() -> _Resources:
    cpu_ms = process_time_ns() / 1e6
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return _Resources(cpu_ms, pages * os.sysconf("SC_PAGE_SIZE") / 2**20, len(sys.modules))


def _content(send: Send, bench: Bench) -> tuple[Content, dict[str, Any]]:
    """Make one call and describe its spans; returns all their attributes too."""
    bench.flush()
    bench.exporter.kept = kept = []
    send()
    bench.flush()
    bench.exporter.kept = None
    attributes = {name: value for span in kept for name, value in (span.attributes or {}).items()}
    assert QUESTION not in repr(attributes), "the question is on the span, but recording it is switched off"
    summary: Content = {
        "spans": len(kept),
        "attributes": sorted(attributes),
        "cached_tokens": _carries(attributes, "cache", CACHED_TOKENS),
        "reasoning_tokens": _carries(attributes, "reasoning", REASONING_TOKENS),
    }
    return summary, attributes


def _carries(attributes: dict[str, Any], word: str, count: int) -> bool:
    """Say whether a count arrived, under whatever name this vocabulary has for it."""
    return any(word in name and value == count for name, value in attributes.items())


def _check(content: dict[str, tuple[Content, dict[str, Any]]]) -> None:
    for kind, (summary, attributes) in content.items():
        assert summary["spans"] == 1, f"{summary['spans']} spans for one {kind} call"
        reported = {name: attributes.get(name) for name in MUST_REPORT}
        assert reported == MUST_REPORT, f"a {kind} call reported {reported}, not {MUST_REPORT}"


def _cost(send: Send, bench: Bench, pairs: int, spans: int) -> Cost:
    """Take blocks of calls without and with the instrumentation by turns, each pair in a random order."""
    order = Random(pairs)  # noqa: S311 - the same in every process
    bare: list[float] = []
    added: list[float] = []
    added_process: list[float] = []
    for _ in range(pairs):
        cost = {on: _block(send, bench, on, spans if on else 0) for on in order.sample((False, True), 2)}
        bare.append(cost[False][0])
        added.append(cost[True][0] - cost[False][0])
        added_process.append(cost[True][1] - cost[False][1])
    return {"bare_us": median(bare), "added_us": median(added), "added_process_us": median(added_process)}


def _block(send: Send, bench: Bench, on: bool, spans: int) -> tuple[float, float]:
    """Return the microseconds per call in this thread, and in the process until the spans are exported."""
    bench.switch.turn(on=on)
    send()  # the first call after a change fills the interpreter's inline caches anew
    bench.flush()
    seen = bench.exporter.count
    process_ns, thread_ns = process_time_ns(), thread_time_ns()
    for _ in range(BLOCK):
        send()
    thread_ns = thread_time_ns() - thread_ns
    bench.flush()
    process_ns = process_time_ns() - process_ns
    exported = bench.exporter.count - seen
    assert exported == BLOCK * spans, f"{exported} spans for {BLOCK} calls, expected {BLOCK * spans}"
    return thread_ns / BLOCK / 1000, process_ns / BLOCK / 1000


def _refuse_network() -> None:
    def connect(_socket: socket.socket, address: object) -> None:
        raise OSError(f"the benchmark stays in its process: no connection to {address}")

    socket.socket.connect = connect  # pyright: ignore[reportAttributeAccessIssue] - for the whole process


if __name__ == "__main__":
    _refuse_network()
    print(json.dumps(measure(BY_NAME[sys.argv[1]], int(sys.argv[2]))))
