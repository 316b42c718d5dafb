"""Every way of making a call with the SDK `groq`, written once for the synchronous and the asynchronous client."""

import json
from typing import Any

from instrumentation.cells import makes
from instrumentation.reading import Way, either, have, read, read_all, seen, steady

CHAT: dict[str, Any] = {
    "model": "llama-3.3-70b-versatile",
    "messages": [{"role": "user", "content": "one two three four"}],
    "temperature": 0.5,
    "max_completion_tokens": 50,
}
STREAM: dict[str, Any] = {**CHAT, "stream": True}
EMBED: dict[str, Any] = {"model": "nomic-embed-text-v1_5", "input": ["one", "two"]}


@makes("chat.completions.create")
async def plain(client: Any) -> Any:
    return seen(await have(client.chat.completions.create(**CHAT)))


@makes("chat.completions.create", stream=True)
async def streamed(client: Any) -> Any:
    return await read(await have(client.chat.completions.create(**STREAM)))


@makes("chat.completions.create", stream=True)
async def streamed_with_usage(client: Any) -> Any:
    asked = {"stream_options": {"include_usage": True}}
    return await read(await have(client.chat.completions.create(**STREAM, extra_body=asked)))


@makes("chat.completions.create")
async def raw(client: Any) -> Any:
    response = await have(client.chat.completions.with_raw_response.create(**CHAT))
    return type(response), response.status_code, seen(await have(response.parse()))


@makes("chat.completions.create")
async def raw_unparsed(client: Any) -> Any:
    response = await have(client.chat.completions.with_raw_response.create(**CHAT))
    return type(response), steady(json.dumps(await have(response.json())))


@makes("chat.completions.create", stream=True)
async def raw_streamed(client: Any) -> Any:
    response = await have(client.chat.completions.with_raw_response.create(**STREAM))
    return response.__class__, response.status_code, await read(await have(response.parse()))


@makes("chat.completions.create")
async def streaming_parsed(client: Any) -> Any:
    async with either(client.chat.completions.with_streaming_response.create(**CHAT)) as response:
        return response.__class__, response.status_code, seen(await have(response.parse()))


@makes("chat.completions.create")
async def streaming_lines(client: Any) -> Any:
    async with either(client.chat.completions.with_streaming_response.create(**CHAT)) as response:
        return [steady(line) for line in await read_all(response.iter_lines())]


@makes("chat.completions.create", stream=True)
async def streaming_streamed(client: Any) -> Any:
    async with either(client.chat.completions.with_streaming_response.create(**STREAM)) as response:
        return await read(await have(response.parse()))


@makes("embeddings.create")
async def embeddings(client: Any) -> Any:
    return seen(await have(client.embeddings.create(**EMBED)))


@makes("embeddings.create")
async def embeddings_raw(client: Any) -> Any:
    return seen(await have((await have(client.embeddings.with_raw_response.create(**EMBED))).parse()))


@makes("embeddings.create")
async def embeddings_streaming(client: Any) -> Any:
    async with either(client.embeddings.with_streaming_response.create(**EMBED)) as response:
        return seen(await have(response.parse()))


WAYS: tuple[Way, ...] = (
    plain,
    streamed,
    streamed_with_usage,
    raw,
    raw_unparsed,
    raw_streamed,
    streaming_parsed,
    streaming_lines,
    streaming_streamed,
    embeddings,
    embeddings_raw,
    embeddings_streaming,
)
