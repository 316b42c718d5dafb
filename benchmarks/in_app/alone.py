"""Runs one instrumentation without the SDK's own work, for `benchmarks/instructions.py`.

`python -m in_app.alone NAME CALLS`. The SDK's method is replaced by one that hands out a reply, or the chunks of a
stream, that were parsed before. What is left is the instrumentation and OpenTelemetry's SDK. The last line says which
Python functions one call of each kind went through.
"""

import gc
import json
import sys
from collections import Counter
from functools import reduce
from operator import itemgetter
from types import CodeType, FrameType
from typing import Any, TypedDict

from openai import Stream
from openai.resources.chat.completions import Completions
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from in_app.api import Send, calls, client
from in_app.child import NullExporter
from in_app.variants import BY_NAME, Variant

WARM_UP = 20
"""Calls until the interpreter has specialised what runs again and again."""


class Passed(TypedDict):
    """What one call went through."""

    functions: int
    """Python functions."""
    calls: int
    """How often they were called. A generator is called each time it goes on."""


def run(variant: Variant, count: int) -> dict[str, Passed]:
    """Make `count` calls of each kind, each kind inside of one call of `functools.reduce`.

    That is the function whose instructions are counted: nothing else here goes through it.
    """
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(NullExporter()))
    trace.set_tracer_provider(provider)
    kinds = calls(client())
    _hand_out_ready(kinds)
    variant.install()
    gc.collect()
    gc.disable()
    for send in kinds.values():
        for _ in range(WARM_UP):
            send()
        reduce(lambda _, __: send(), range(count), None)
    # The fewest of several: now and then a call looks whether the application has set up its metrics meanwhile.
    return {kind: min((_passed(send) for _ in range(5)), key=itemgetter("calls")) for kind, send in kinds.items()}


def _passed(send: Send) -> Passed:
    seen = Counter[CodeType]()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            seen[frame.f_code] += 1

    sys.setprofile(note)
    send()
    sys.setprofile(None)
    return {"functions": len(seen), "calls": seen.total()}


def _hand_out_ready(kinds: dict[str, Send]) -> None:
    """Make both calls once, and let the SDK's method return the same for ever after."""
    create, made = Completions.create, dict[bool, Any]()

    def keep(self: Completions, **keywords: Any) -> Any:
        result: Any = create(self, **keywords)
        is_stream = "stream" in keywords
        made[is_stream] = (result.response, list(result)) if is_stream else result
        return iter(()) if is_stream else result

    def hand_out(_: Completions, **keywords: Any) -> Any:
        if "stream" not in keywords:
            return made[False]
        stream: Any = Stream.__new__(Stream)
        stream.response, chunks = made[True]
        stream._iterator = iter(chunks)  # noqa: SLF001 - what the SDK makes it read from
        return stream

    methods: Any = Completions
    methods.create = keep
    for send in kinds.values():
        send()
    methods.create = hand_out


if __name__ == "__main__":
    print(json.dumps(run(BY_NAME[sys.argv[1]], int(sys.argv[2]))))
