"""Every way of making a call with the SDK `openai`, written once for the synchronous and the asynchronous client.

Each returns what the caller sees, as plain data: a call made with and without instrumentation must give the same.
"""

import json
from typing import Any

from pydantic import BaseModel

from instrumentation.cells import available, makes
from instrumentation.reading import Way, either, have, read, read_all, seen, steady

CHAT: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "one two three four"}],
    "temperature": 0.5,
    "max_tokens": 50,
}
STREAM: dict[str, Any] = {**CHAT, "stream": True}
_USAGE: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
ASKED: dict[str, Any] = {**CHAT, **_USAGE}
CONTINUE: dict[str, Any] = {
    "model": "gpt-3.5-turbo-instruct",
    "prompt": "one two three four",
    "temperature": 0.5,
    "max_tokens": 50,
}
EMBED: dict[str, Any] = {"model": "text-embedding-3-small", "input": ["one", "two"], "dimensions": 4}


@makes("chat.completions.create")
async def plain(client: Any) -> Any:
    return seen(await have(client.chat.completions.create(**CHAT)))


@makes("chat.completions.create", stream=True)
async def streamed(client: Any) -> Any:
    return await read(await have(client.chat.completions.create(**STREAM)))


@makes("chat.completions.create", stream=True)
async def streamed_with_usage(client: Any) -> Any:
    return await read(await have(client.chat.completions.create(**ASKED)))


@makes("chat.completions.create", stream=True)
async def streamed_choices(client: Any) -> Any:
    return await read(await have(client.chat.completions.create(**STREAM, n=3)))


@makes("chat.completions.create")
async def raw(client: Any) -> Any:
    response = await have(client.chat.completions.with_raw_response.create(**CHAT))
    return type(response), response.status_code, seen(response.parse())


@makes("chat.completions.create")
async def raw_unparsed(client: Any) -> Any:
    response = await have(client.chat.completions.with_raw_response.create(**CHAT))
    return type(response), steady(response.text)


@makes("chat.completions.create", stream=True)
async def raw_streamed(client: Any) -> Any:
    response = await have(client.chat.completions.with_raw_response.create(**STREAM))
    same = response.parse() is response.parse()
    return response.__class__, response.status_code, same, await read(response.parse())


@makes("chat.completions.create")
async def streaming_parsed(client: Any) -> Any:
    async with either(client.chat.completions.with_streaming_response.create(**CHAT)) as response:
        return response.__class__, response.status_code, seen(await have(response.parse()))


@makes("chat.completions.create")
async def streaming_json(client: Any) -> Any:
    async with either(client.chat.completions.with_streaming_response.create(**CHAT)) as response:
        return steady(json.dumps(await have(response.json())))


@makes("chat.completions.create")
async def streaming_lines(client: Any) -> Any:
    async with either(client.chat.completions.with_streaming_response.create(**CHAT)) as response:
        return [steady(line) for line in await read_all(response.iter_lines())]


@makes("chat.completions.create")
async def streaming_small_pieces(client: Any) -> Any:
    async with either(client.chat.completions.with_streaming_response.create(**CHAT)) as response:
        return steady(b"".join(await read_all(response.iter_bytes(7))).decode())


@makes("chat.completions.create", stream=True)
async def streaming_streamed_with_usage(client: Any) -> Any:
    async with either(client.chat.completions.with_streaming_response.create(**ASKED)) as response:
        return await read(await have(response.parse()))


@makes("chat.completions.stream", stream=True, since="1.92")
async def helper(client: Any) -> Any:
    async with either(client.chat.completions.stream(**CHAT)) as stream:
        events = await read(stream)
        return events, seen(await have(stream.get_final_completion()))


class Verdict(BaseModel):
    yes: bool


@makes("chat.completions.parse", since="1.92")
async def parsed(client: Any) -> Any:
    headers = {"x-fake-reply": '{"yes":true}'}
    completion = await have(client.chat.completions.parse(**CHAT, response_format=Verdict, extra_headers=headers))
    return type(completion), completion.choices[0].message.parsed, completion.usage


@makes("chat.completions.parse", since="1.92")
async def parsed_raw(client: Any) -> Any:
    headers = {"x-fake-reply": '{"yes":true}'}
    response = await have(
        client.chat.completions.with_raw_response.parse(**CHAT, response_format=Verdict, extra_headers=headers)
    )
    return type(response), response.parse().choices[0].message.parsed


@makes("completions.create")
async def continued(client: Any) -> Any:
    return seen(await have(client.completions.create(**CONTINUE)))


@makes("completions.create", stream=True)
async def continued_streamed(client: Any) -> Any:
    return await read(await have(client.completions.create(**CONTINUE, stream=True)))


@makes("completions.create", stream=True)
async def continued_streamed_with_usage(client: Any) -> Any:
    return await read(await have(client.completions.create(**CONTINUE, **_USAGE)))


@makes("completions.create")
async def continued_raw(client: Any) -> Any:
    response = await have(client.completions.with_raw_response.create(**CONTINUE))
    return type(response), seen(response.parse())


@makes("completions.create", stream=True)
async def continued_raw_streamed(client: Any) -> Any:
    response = await have(client.completions.with_raw_response.create(**CONTINUE, stream=True))
    return response.__class__, await read(response.parse())


@makes("completions.create")
async def continued_streaming(client: Any) -> Any:
    async with either(client.completions.with_streaming_response.create(**CONTINUE)) as response:
        return seen(await have(response.parse()))


@makes("embeddings.create")
async def embeddings(client: Any) -> Any:
    return seen(await have(client.embeddings.create(**EMBED)))


@makes("embeddings.create")
async def embeddings_raw(client: Any) -> Any:
    return seen((await have(client.embeddings.with_raw_response.create(**EMBED))).parse())


@makes("embeddings.create")
async def embeddings_streaming(client: Any) -> Any:
    async with either(client.embeddings.with_streaming_response.create(**EMBED)) as response:
        return seen(await have(response.parse()))


_ALL: tuple[Way, ...] = (
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
    continued,
    continued_streamed,
    continued_streamed_with_usage,
    continued_raw,
    continued_raw_streamed,
    continued_streaming,
    embeddings,
    embeddings_raw,
    embeddings_streaming,
)

WAYS = available("openai", _ALL)
