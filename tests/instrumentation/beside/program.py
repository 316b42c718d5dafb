"""Makes every call that an application can make, with ours and another instrumentation switched on.

    python -m instrumentation.beside.program <peer> <order> <url of the fake provider> <file for the spans>

Runs in the peer's own environment. It writes all finished spans as one OTLP request, and prints what the application
saw, what was logged as wrong, and what is left after both were switched off, as JSON.
"""

import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from instrumentation.reading import Way, have, steady
from llmlab.capture.replacing import is_replaced
from llmlab.instrumentor import LLMLabInstrumentor

ORDERS = {"none": (), "theirs": ("theirs",), "ours first": ("ours", "theirs"), "theirs first": ("theirs", "ours")}

INSTRUMENTORS = {
    "openllmetry-openai": "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
    "openinference-openai": "openinference.instrumentation.openai:OpenAIInstrumentor",
    "openai-v2": "opentelemetry.instrumentation.openai_v2:OpenAIInstrumentor",
    "genai-openai": "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
    "openllmetry-anthropic": "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
    "openinference-anthropic": "openinference.instrumentation.anthropic:AnthropicInstrumentor",
    "genai-anthropic": "opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",
}

DICTATED = {
    "openai": {
        "prompt_tokens": 1873,
        "completion_tokens": 317,
        "prompt_tokens_details": {"cached_tokens": 1024},
        "completion_tokens_details": {"reasoning_tokens": 192},
    },
    "anthropic": {"input_tokens": 211, "cache_read_input_tokens": 4096, "output_tokens": 389},
}
MESSAGES: Any = [{"role": "user", "content": "one two three four"}]
FUNCTIONS = {
    "openai": ("openai.resources.chat.completions", ("Completions", "AsyncCompletions")),
    "anthropic": ("anthropic.resources.messages", ("Messages", "AsyncMessages")),
}


class Faults(logging.Handler):
    """Keeps whatever is logged as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(f"{record.name}: {record.getMessage()}")


class Switches:
    """Both instrumentations, to be switched on and off."""

    def __init__(self, peer: str) -> None:
        self._ours = LLMLabInstrumentor()
        self._theirs: Any = None
        if peer != "openlit":
            module, _, name = INSTRUMENTORS[peer].partition(":")
            self._theirs = getattr(import_module(module), name)()

    def on(self, name: str) -> None:
        if name == "ours":
            self._ours.instrument()
        elif self._theirs is None:
            start_openlit()
        else:
            self._theirs.instrument()

    def off(self, name: str) -> None:
        if name == "ours":
            self._ours.uninstrument()
        elif self._theirs is not None:  # OpenLIT cannot be switched off
            self._theirs.uninstrument()


def start_openlit() -> None:
    """Start OpenLIT with a price list of its own format, because it would download one."""
    with tempfile.TemporaryDirectory() as folder:
        prices = Path(folder) / "prices.json"
        prices.write_text('{"chat": {}}')
        import_module("openlit").init(disable_metrics=True, disable_events=True, pricing_json=str(prices))


async def chat(client: Any, **asked: Any) -> Any:
    return await have(client.chat.completions.create(model="gpt-4o", messages=MESSAGES, **asked))


async def message(client: Any, **asked: Any) -> Any:
    return await have(client.messages.create(model="claude-haiku-4-5", messages=MESSAGES, max_tokens=50, **asked))


async def chat_stream(client: Any) -> Any:
    return await chunks_of(client, await chat(client, stream=True))


async def chat_stream_with_usage(client: Any) -> Any:
    return await chunks_of(client, await chat(client, stream=True, stream_options={"include_usage": True}))


async def embeddings(client: Any) -> Any:
    return await have(client.embeddings.create(model="text-embedding-3-small", input=["one", "two"]))


async def message_stream(client: Any) -> Any:
    return await chunks_of(client, await message(client, stream=True))


async def message_helper(client: Any) -> Any:
    asked: Any = {"model": "claude-haiku-4-5", "messages": MESSAGES, "max_tokens": 50}
    if is_async(client):
        async with client.messages.stream(**asked) as stream:
            return [text async for text in stream.text_stream], await stream.get_final_message()
    with client.messages.stream(**asked) as stream:
        return list(stream.text_stream), stream.get_final_message()


def is_async(client: Any) -> bool:
    return type(client).__name__.startswith("Async")


async def chunks_of(client: Any, stream: Any) -> Any:
    """Read a stream as the client's documentation says; some wrappers of streams pass for both kinds."""
    if is_async(client):
        return [chunk async for chunk in stream]
    return list(stream)


WAYS: dict[str, tuple[Way, ...]] = {
    "openai": (chat, chat_stream, chat_stream_with_usage, embeddings),
    "anthropic": (message, message_stream, message_helper),
}


def clients(sdk: str, url: str) -> Sequence[Callable[[dict[str, str]], Any]]:
    """Return what makes a synchronous and an asynchronous client with given headers."""
    module = import_module(sdk)
    kinds = (module.OpenAI, module.AsyncOpenAI) if sdk == "openai" else (module.Anthropic, module.AsyncAnthropic)
    address = f"{url}/v1" if sdk == "openai" else url

    def maker(kind: Any) -> Callable[[dict[str, str]], Any]:
        return lambda headers: kind(base_url=address, api_key="fake", max_retries=0, default_headers=headers)

    return [maker(kind) for kind in kinds]


async def attempt(client: Any, way: Way) -> str:
    """Make a call and return what the application saw of it."""
    try:
        result = await way(client)
        return steady(f"{type(result)} {result!r}")
    except Exception as error:  # noqa: BLE001 - an error is what the application sees, too
        return f"{type(error)}: {error}"
    finally:
        await have(client.close())


async def every_call(sdk: str, url: str) -> dict[str, str]:
    """Make every call in every way, and one that is refused."""
    seen: dict[str, str] = {}
    dictated = {"x-fake-usage": json.dumps(DICTATED[sdk])}
    for number, client in enumerate(clients(sdk, url)):
        kind = ("sync", "async")[number]
        for way in WAYS[sdk]:
            headers = {} if way.__name__ == "embeddings" else dictated
            seen[f"{kind} {way.__name__}"] = await attempt(client(headers), way)
        for way in WAYS[sdk][:2]:
            refused = {"x-fake-behaviour": "error-429"}
            seen[f"{kind} {way.__name__} refused"] = await attempt(client(refused), way)
    return seen


def wrapped(sdk: str) -> list[str]:
    """Return the functions that somebody's wrapper stands in for."""
    module, names = FUNCTIONS[sdk]
    functions = {name: vars(getattr(import_module(module), name))["create"] for name in names}
    return [name for name, function in functions.items() if is_replaced(function)]


def main(peer: str, order: str, url: str, file: str) -> None:
    """Make the calls in one order."""
    faults = Faults()
    logging.getLogger().addHandler(faults)
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    trace.set_tracer_provider(provider)
    sdk = "anthropic" if peer.endswith("anthropic") else "openai"
    switches = Switches(peer)
    for name in ORDERS[order]:
        switches.on(name)
    seen = asyncio.run(every_call(sdk, url))
    Path(file).write_bytes(encode_spans(kept.get_finished_spans()).SerializeToString())
    scopes = [span.instrumentation_scope.name for span in kept.get_finished_spans() if span.instrumentation_scope]
    kept.clear()
    for name in reversed(ORDERS[order]):
        switches.off(name)
    again = asyncio.run(every_call(sdk, url))
    after = [span.instrumentation_scope.name for span in kept.get_finished_spans() if span.instrumentation_scope]
    report = {
        "seen": seen,
        "scopes": scopes,
        "faults": faults.found,
        "seen_after": again,
        "scopes_after": after,
        "wrapped_after": wrapped(sdk),
    }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
