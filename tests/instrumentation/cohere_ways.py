"""Every way of making a call with the SDK `cohere`, written once for the synchronous and the asynchronous clients.

Each takes a client that knows both versions of the API and returns what the caller sees, as plain data.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import cohere
import httpx

from instrumentation.cells import makes
from instrumentation.reading import have, read_all

Way = Callable[[Any], Awaitable[Any]]

CHAT_1: dict[str, Any] = {
    "model": "command-r-plus",
    "message": "one two three four",
    "temperature": 0.5,
    "max_tokens": 50,
    "p": 0.9,
}
CHAT_2: dict[str, Any] = {
    **{name: value for name, value in CHAT_1.items() if name != "message"},
    "messages": [{"role": "user", "content": "one two three four"}],
}
EMBED_1: dict[str, Any] = {"model": "embed-v4.0", "texts": ["one", "two"], "input_type": "search_document"}
EMBED_2: dict[str, Any] = {**EMBED_1, "embedding_types": ["float"], "output_dimension": 8}
RERANK: dict[str, Any] = {"model": "rerank-v3.5", "query": "one", "documents": ["one", "two"] * 60}

_VOLATILE = re.compile(r"(?<=id=)'[0-9a-f]{16}'|\"[0-9a-f]{16}\"|(?<='date': )'[^']+'")


@makes("chat")
async def chat_1(client: Any) -> Any:
    return seen(await have(client.chat(**CHAT_1)))


@makes("chat")
async def chat_1_raw(client: Any) -> Any:
    return seen((await have(client.with_raw_response.chat(**CHAT_1))).data)


@makes("chat_stream", stream=True)
async def chat_1_streamed(client: Any) -> Any:
    return await read(client.chat_stream(**CHAT_1))


@makes("v2.chat")
async def chat_2(client: Any) -> Any:
    return seen(await have(client.v2.chat(**CHAT_2)))


@makes("v2.chat")
async def chat_2_raw(client: Any) -> Any:
    response = await have(client.v2.with_raw_response.chat(**CHAT_2))
    return type(response), response.headers["content-type"], seen(response.data)


@makes("v2.chat_stream", stream=True)
async def chat_2_streamed(client: Any) -> Any:
    return await read(client.v2.chat_stream(**CHAT_2))


@makes("v2.chat_stream", stream=True)
async def chat_2_raw_streamed(client: Any) -> Any:
    manager = client.v2.with_raw_response.chat_stream(**CHAT_2)
    if hasattr(client, "__aenter__"):
        async with manager as response:
            return manager.__class__, type(response), await read(response.data)
    with manager as response:
        return manager.__class__, type(response), await read(response.data)


CHATS: tuple[Way, ...] = (
    chat_1,
    chat_1_raw,
    chat_1_streamed,
    chat_2,
    chat_2_raw,
    chat_2_streamed,
    chat_2_raw_streamed,
)


@makes("generate")
async def generate(client: Any) -> Any:
    return seen(await have(client.generate(prompt="one two", model="command", num_generations=2)))


@makes("embed")
async def embed_1(client: Any) -> Any:
    return seen(await have(client.embed(**EMBED_1)))


@makes("embed")
async def embed_1_unbatched(client: Any) -> Any:
    return seen(await have(client.embed(**EMBED_1, batching=False)))


@makes("v2.embed")
async def embed_2(client: Any) -> Any:
    return seen(await have(client.v2.embed(**EMBED_2)))


@makes("rerank")
async def rerank_1(client: Any) -> Any:
    return seen(await have(client.rerank(**RERANK)))


@makes("v2.rerank")
async def rerank_2(client: Any) -> Any:
    return seen(await have(client.v2.rerank(**RERANK)))


OTHERS: tuple[Way, ...] = (generate, embed_1, embed_1_unbatched, embed_2, rerank_1, rerank_2)


async def read(stream: Any) -> Any:
    return stream.__class__, [seen(chunk) for chunk in await read_all(stream)]


def seen(value: Any) -> Any:
    """Return a model of the SDK as its class, all its fields, and the fields that the server set."""
    return type(value), _VOLATILE.sub("-", repr(value)), _VOLATILE.sub("-", value.json())


def call(way: Way, url: str, *, asynchronous: bool, usage: dict[str, Any] | None = None, behaviour: str = "") -> Any:
    """Make a call with a client of its own."""
    options: dict[str, Any] = {"base_url": url, "timeout": 10}

    async def run() -> Any:
        # The SDK sends no headers of the application's, but its HTTP client does.
        headers = {"x-fake-usage": json.dumps(usage)} if usage is not None else {}
        headers |= {"x-fake-behaviour": behaviour} if behaviour else {}
        if not asynchronous:
            with httpx.Client(headers=headers) as http, cohere.Client("fake", httpx_client=http, **options) as client:
                return await way(client)
        async with (
            httpx.AsyncClient(headers=headers) as http,
            cohere.AsyncClient("fake", httpx_client=http, **options) as client,
        ):
            return await way(client)

    return asyncio.run(run())
