"""Every way of making a call with the SDK `google-genai`, written once for the synchronous and the asynchronous client.

Each takes `client` or `client.aio` and returns what the caller sees, as plain data.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from google.genai import Client, types
from google.oauth2.credentials import Credentials

from instrumentation.cells import makes
from instrumentation.reading import have, read_all

Way = Callable[[Any], Awaitable[Any]]

CONFIG: dict[str, Any] = {"temperature": 0.5, "max_output_tokens": 50}
ASK: dict[str, Any] = {"model": "gemini-2.5-flash", "contents": "one two three four", "config": CONFIG}
EMBED: dict[str, Any] = {
    "model": "gemini-embedding-001",
    "contents": ["one", "two"],
    "config": {"output_dimensionality": 4},
}


def asking(**changes: Any) -> dict[str, Any]:
    """Return the arguments of the usual request, with some of them changed."""
    return {**ASK, **changes}


_VOLATILE = re.compile(r'(?<=response_id=)\S+|(?<="response_id":")[^"]+|(?<=\'date\': )\'[^\']+\'|(?<="date":")[^"]+')


@makes("models.generate_content")
async def plain(client: Any) -> Any:
    return seen(await have(client.models.generate_content(**ASK)))


@makes("models.generate_content")
async def with_a_typed_config(client: Any) -> Any:
    return seen(await have(client.models.generate_content(**asking(config=types.GenerateContentConfig(**CONFIG)))))


@makes("models.generate_content_stream", stream=True)
async def streamed(client: Any) -> Any:
    return await read(await have(client.models.generate_content_stream(**ASK)))


@makes("chats.send_message")
async def chat(client: Any) -> Any:
    return seen(await have(client.chats.create(model=ASK["model"], config=CONFIG).send_message(ASK["contents"])))


@makes("chats.send_message_stream", stream=True)
async def chat_streamed(client: Any) -> Any:
    talk = client.chats.create(model=ASK["model"], config=CONFIG)
    return await read(await have(talk.send_message_stream(ASK["contents"])))


GENERATE: tuple[Way, ...] = (plain, with_a_typed_config, streamed, chat, chat_streamed)


@makes("models.embed_content")
async def embeddings(client: Any) -> Any:
    return seen(await have(client.models.embed_content(**EMBED)))


@makes("models.embed_content")
async def embeddings_of_one(client: Any) -> Any:
    return seen(await have(client.models.embed_content(**{**EMBED, "model": "gemini-embedding-2", "contents": "one"})))


@makes("models.embed_content")
async def embeddings_of_an_older_model(client: Any) -> Any:
    return seen(await have(client.models.embed_content(**{**EMBED, "model": "text-embedding-005"})))


EMBEDDINGS: tuple[Way, ...] = (embeddings, embeddings_of_one, embeddings_of_an_older_model)


async def read(stream: Any) -> Any:
    return [seen(chunk) for chunk in await read_all(stream)]


def seen(value: Any) -> Any:
    """Return a model of the SDK as its class, all its fields, and the fields that the server set."""
    set_by_server = value.model_dump_json(exclude_unset=True)
    return type(value), _VOLATILE.sub("-", repr(value)), _VOLATILE.sub("-", set_by_server)


def make_client(url: str, *, vertex: bool = False, usage: dict[str, Any] | None = None, **headers: str) -> Client:
    """Return a client of the fake provider. Header names are keywords with `_` for `-`."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if usage is not None:
        sent["x-fake-usage"] = json.dumps(usage)
    options = types.HttpOptions(base_url=url, headers=sent)
    if not vertex:
        return Client(api_key="fake", http_options=options)
    credentials: Any = Credentials(token="fake")  # type: ignore[no-untyped-call]
    return Client(vertexai=True, project="shop", location="us-central1", credentials=credentials, http_options=options)


def call(client: Client, way: Way, *, asynchronous: bool) -> Any:
    """Make a call with one of the two sides of a client."""

    async def run() -> Any:
        if not asynchronous:
            return await way(client)
        try:
            return await way(client.aio)
        finally:
            if hasattr(client.aio, "aclose"):
                await client.aio.aclose()

    return asyncio.run(run())
