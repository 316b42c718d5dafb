"""Every way of making a call with the SDK `openai`, written once for the synchronous and the asynchronous client.

Each returns what the caller sees, as plain data: a call made with and without instrumentation must give the same.
"""

import json
import re
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any

import openai
from pydantic import BaseModel

Client = openai.OpenAI | openai.AsyncOpenAI
Way = Callable[[Any], Awaitable[Any]]

CHAT: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "one two three four"}],
    "temperature": 0.5,
    "max_tokens": 50,
}
STREAM: dict[str, Any] = {**CHAT, "stream": True}
ASKED: dict[str, Any] = {**STREAM, "stream_options": {"include_usage": True}}
EMBED: dict[str, Any] = {"model": "text-embedding-3-small", "input": ["one", "two"], "dimensions": 4}


def of_model(model: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return the request for another model; the fake provider has models that misbehave."""
    return {**request, "model": model}


_VOLATILE = re.compile(
    r"chatcmpl-\w+|\b(?:req|resp|msg|rs|ws|fs|cmp)_[0-9a-f]{24}|(?<=\"created\": )\d+|(?<=\"created\":)\d+"
    r"|(?<=\"created_at\": )[\d.]+|(?<=\"created_at\":)[\d.]+"
)


async def plain(client: Any) -> Any:
    return seen(await have(client.chat.completions.create(**CHAT)))


async def streamed(client: Any) -> Any:
    return await read(await have(client.chat.completions.create(**STREAM)))


async def streamed_with_usage(client: Any) -> Any:
    return await read(await have(client.chat.completions.create(**ASKED)))


async def streamed_choices(client: Any) -> Any:
    return await read(await have(client.chat.completions.create(**STREAM, n=3)))


async def raw(client: Any) -> Any:
    response = await have(client.chat.completions.with_raw_response.create(**CHAT))
    return type(response), response.status_code, seen(response.parse())


async def raw_unparsed(client: Any) -> Any:
    response = await have(client.chat.completions.with_raw_response.create(**CHAT))
    return type(response), steady(response.text)


async def raw_streamed(client: Any) -> Any:
    response = await have(client.chat.completions.with_raw_response.create(**STREAM))
    same = response.parse() is response.parse()
    return response.__class__, response.status_code, same, await read(response.parse())


async def streaming_parsed(client: Any) -> Any:
    async with either(client.chat.completions.with_streaming_response.create(**CHAT)) as response:
        return response.__class__, response.status_code, seen(await have(response.parse()))


async def streaming_json(client: Any) -> Any:
    async with either(client.chat.completions.with_streaming_response.create(**CHAT)) as response:
        return steady(json.dumps(await have(response.json())))


async def streaming_lines(client: Any) -> Any:
    async with either(client.chat.completions.with_streaming_response.create(**CHAT)) as response:
        return [steady(line) for line in await read_all(response.iter_lines())]


async def streaming_small_pieces(client: Any) -> Any:
    async with either(client.chat.completions.with_streaming_response.create(**CHAT)) as response:
        return steady(b"".join(await read_all(response.iter_bytes(7))).decode())


async def streaming_streamed_with_usage(client: Any) -> Any:
    async with either(client.chat.completions.with_streaming_response.create(**ASKED)) as response:
        return await read(await have(response.parse()))


async def helper(client: Any) -> Any:
    async with either(client.chat.completions.stream(**CHAT)) as stream:
        events = await read(stream)
        return events, seen(await have(stream.get_final_completion()))


class Verdict(BaseModel):
    yes: bool


async def parsed(client: Any) -> Any:
    headers = {"x-fake-reply": '{"yes":true}'}
    completion = await have(client.chat.completions.parse(**CHAT, response_format=Verdict, extra_headers=headers))
    return type(completion), completion.choices[0].message.parsed, completion.usage


async def parsed_raw(client: Any) -> Any:
    headers = {"x-fake-reply": '{"yes":true}'}
    response = await have(
        client.chat.completions.with_raw_response.parse(**CHAT, response_format=Verdict, extra_headers=headers)
    )
    return type(response), response.parse().choices[0].message.parsed


async def embeddings(client: Any) -> Any:
    return seen(await have(client.embeddings.create(**EMBED)))


async def embeddings_raw(client: Any) -> Any:
    return seen((await have(client.embeddings.with_raw_response.create(**EMBED))).parse())


async def embeddings_streaming(client: Any) -> Any:
    async with either(client.embeddings.with_streaming_response.create(**EMBED)) as response:
        return seen(await have(response.parse()))


WAYS: tuple[Way, ...] = (
    plain,
    streamed,
    streamed_with_usage,
    streamed_choices,
    raw,
    raw_unparsed,
    raw_streamed,
    streaming_parsed,
    streaming_json,
    streaming_lines,
    streaming_small_pieces,
    streaming_streamed_with_usage,
    helper,
    parsed,
    parsed_raw,
    embeddings,
    embeddings_raw,
    embeddings_streaming,
)


async def have(result: Any) -> Any:
    """Return the result of a call of either client."""
    return await result if isawaitable(result) else result


async def read_all(stream: Any) -> list[Any]:
    if hasattr(stream, "__aiter__"):
        return [chunk async for chunk in stream]
    return list(stream)


async def read(stream: Any) -> Any:
    """Read a stream; its class is what `isinstance` goes by."""
    return stream.__class__, [seen(chunk) for chunk in await read_all(stream)]


def seen(value: Any) -> Any:
    """Return a model of the SDK as its class, all its fields, and the fields that the server set."""
    return type(value), steady(repr(value)), steady(value.to_json() if hasattr(value, "to_json") else "")


def steady(text: str) -> str:
    """Blank out what differs from call to call."""
    return _VOLATILE.sub("-", re.sub(r"(created|created_at)=[\d.]+", r"\1=-", text))


class either:  # noqa: N801 - reads as a keyword
    """`async with` for a context manager of either client."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        # Our stand-in for a manager has the methods of both kinds.
        self._asynchronous = hasattr(getattr(manager, "__wrapped__", manager), "__aenter__")

    async def __aenter__(self) -> Any:
        return await self._manager.__aenter__() if self._asynchronous else self._manager.__enter__()

    async def __aexit__(self, *error: Any) -> Any:
        return await self._manager.__aexit__(*error) if self._asynchronous else self._manager.__exit__(*error)
