"""Every way of making a call with the clients of `huggingface_hub`, written once for both of them.

Each returns what the caller sees, as plain data.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any

from huggingface_hub import AsyncInferenceClient, InferenceClient

from instrumentation.cells import makes
from instrumentation.reading import either, have, read_all

Way = Callable[[Any, str], Awaitable[Any]]
"""Gets a client for chat, and the address of the other servers."""

MODEL = "meta-llama/Llama-3.3-70B-Instruct"
CHAT: dict[str, Any] = {
    "messages": [{"role": "user", "content": "one two three four"}],
    "model": MODEL,
    "temperature": 0.5,
    "max_tokens": 50,
}
STREAM: dict[str, Any] = {**CHAT, "stream": True}
ASKED: dict[str, Any] = {**STREAM, "stream_options": {"include_usage": True}}

_VOLATILE = re.compile(r"chatcmpl-\w+|(?<='created': )\d+|(?<=created=)\d+")


@makes("chat_completion")
async def chat(client: Any, _url: str) -> Any:
    return seen(await have(client.chat_completion(**CHAT)))


@makes("chat_completion")
async def chat_positional(client: Any, _url: str) -> Any:
    rest = {name: value for name, value in CHAT.items() if name != "messages"}
    return seen(await have(client.chat_completion(CHAT["messages"], **rest)))


@makes("chat.completions.create")
async def chat_alias(client: Any, _url: str) -> Any:
    return seen(await have(client.chat.completions.create(**CHAT)))


@makes("chat_completion", stream=True)
async def chat_streamed(client: Any, _url: str) -> Any:
    return await read(await have(client.chat_completion(**STREAM)))


@makes("chat.completions.create", stream=True)
async def chat_streamed_alias(client: Any, _url: str) -> Any:
    return await read(await have(client.chat.completions.create(**STREAM)))


@makes("chat_completion", stream=True)
async def chat_streamed_with_usage(client: Any, _url: str) -> Any:
    return await read(await have(client.chat_completion(**ASKED)))


CHATS: tuple[Way, ...] = (
    chat,
    chat_positional,
    chat_alias,
    chat_streamed,
    chat_streamed_alias,
    chat_streamed_with_usage,
)


async def text(client: Any, url: str) -> Any:
    return await have(client.text_generation("one two", model=f"{url}/generate"))


async def text_streamed(client: Any, url: str) -> Any:
    return await read_all(await have(client.text_generation("one two", stream=True, model=f"{url}/generate")))


@makes("text_generation(details=True)")
async def text_with_details(client: Any, url: str) -> Any:
    return seen(await have(client.text_generation("one two", details=True, model=f"{url}/generate")))


@makes("text_generation(details=True)")
async def text_with_prompt(client: Any, url: str) -> Any:
    request: dict[str, Any] = {"details": True, "decoder_input_details": True, "model": f"{url}/generate"}
    return seen(await have(client.text_generation("one two", **request)))


@makes("text_generation(details=True)", stream=True)
async def text_streamed_with_details(client: Any, url: str) -> Any:
    request: dict[str, Any] = {"details": True, "stream": True, "model": f"{url}/generate"}
    return await read(await have(client.text_generation("one two", **request)))


async def features(client: Any, url: str) -> Any:
    return (await have(client.feature_extraction("one two", model=f"{url}/embed"))).tolist()


OTHERS: tuple[Way, ...] = (
    text,
    text_streamed,
    text_with_details,
    text_with_prompt,
    text_streamed_with_details,
    features,
)


async def read(stream: Any) -> Any:
    return stream.__class__, [seen(chunk) for chunk in await read_all(stream)]


def seen(value: Any) -> Any:
    """Return an object of the SDK, which is a dictionary as well, as its class and its fields."""
    return type(value), _VOLATILE.sub("-", repr(value)), _VOLATILE.sub("-", str(dict(value)))


def call(way: Way, url: str, *, asynchronous: bool, **headers: Any) -> Any:
    """Make a call with a client of its own. Header names are keywords with `_` for `-`; values may be JSON."""
    sent = {
        name.replace("_", "-"): value if isinstance(value, str) else json.dumps(value)
        for name, value in headers.items()
    }

    options: dict[str, Any] = {"base_url": f"{url}/v1", "token": "fake", "headers": sent}

    async def run() -> Any:
        async with either((AsyncInferenceClient if asynchronous else make_client)(**options)) as client:
            return await way(client, f"{url}/huggingface")

    return asyncio.run(run())


def make_client(**options: Any) -> Any:
    """Return a synchronous client for `with`, which versions before 1 are not made for."""
    client = InferenceClient(**options)
    return client if hasattr(client, "__exit__") else nullcontext(client)
