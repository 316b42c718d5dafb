"""Every way of making a call to the Responses API with the SDK `openai`, for either client."""

import json
from typing import Any

from openai.resources.beta import Beta

from instrumentation.cells import available, makes
from instrumentation.reading import Way, either, have, read, read_all, seen, steady
from instrumentation.ways import Verdict

ASK: dict[str, Any] = {
    "model": "gpt-5-mini",
    "input": "one two three four",
    "max_output_tokens": 90,
    "reasoning": {"effort": "low"},
}
STREAM: dict[str, Any] = {**ASK, "stream": True}
VERDICT = {"x-fake-reply": '{"yes":true}'}


@makes("responses.create")
async def plain(client: Any) -> Any:
    return seen(await have(client.responses.create(**ASK)))


@makes("responses.create", stream=True)
async def streamed(client: Any) -> Any:
    return await read(await have(client.responses.create(**STREAM)))


@makes("responses.create")
async def raw(client: Any) -> Any:
    response = await have(client.responses.with_raw_response.create(**ASK))
    return type(response), response.status_code, seen(response.parse())


@makes("responses.create", stream=True)
async def raw_streamed(client: Any) -> Any:
    response = await have(client.responses.with_raw_response.create(**STREAM))
    return response.__class__, await read(response.parse())


@makes("responses.create")
async def streaming_parsed(client: Any) -> Any:
    async with either(client.responses.with_streaming_response.create(**ASK)) as response:
        return response.__class__, seen(await have(response.parse()))


@makes("responses.create")
async def streaming_json(client: Any) -> Any:
    async with either(client.responses.with_streaming_response.create(**ASK)) as response:
        return steady(json.dumps(await have(response.json())))


@makes("responses.create")
async def streaming_lines(client: Any) -> Any:
    async with either(client.responses.with_streaming_response.create(**ASK)) as response:
        return [steady(line) for line in await read_all(response.iter_lines())]


@makes("responses.create", stream=True)
async def streaming_streamed(client: Any) -> Any:
    async with either(client.responses.with_streaming_response.create(**STREAM)) as response:
        return await read(await have(response.parse()))


@makes("responses.stream", stream=True, since="1.92")
async def helper(client: Any) -> Any:
    async with either(client.responses.stream(**ASK)) as stream:
        events = [written(event) for event in await read_all(stream)]
        return stream.__class__, events, written(await have(stream.get_final_response()))


@makes("responses.stream", stream=True, can_leave=False, since="1.92")
async def helper_unread(client: Any) -> Any:
    async with either(client.responses.stream(**ASK)) as stream:
        return written(await have(stream.get_final_response()))


@makes("responses.parse")
async def parsed(client: Any) -> Any:
    response = await have(client.responses.parse(**ASK, text_format=Verdict, extra_headers=VERDICT))
    return type(response), response.output_parsed, response.usage


@makes("responses.compact", since="2.11")
async def compacted(client: Any) -> Any:
    return seen(await have(client.responses.compact(model="gpt-5-mini", input="one two three")))


@makes("beta.responses.create")
async def beta(client: Any) -> Any:
    return seen(await have(client.beta.responses.create(**ASK)))


@makes("beta.responses.create", stream=True)
async def beta_streamed(client: Any) -> Any:
    return await read(await have(client.beta.responses.create(**STREAM)))


def written(value: Any) -> Any:
    """Return a parsed response or an event with one; the SDK's own types do not fit those when they are serialised."""
    return type(value), steady(repr(value)), steady(value.model_dump_json(exclude_unset=True, warnings=False))


_ALL: tuple[Way, ...] = (
    plain,
    streamed,
    raw,
    raw_streamed,
    streaming_parsed,
    streaming_json,
    streaming_lines,
    streaming_streamed,
    helper,
    helper_unread,
    parsed,
    compacted,
    *((beta, beta_streamed) if hasattr(Beta, "responses") else ()),  # new in 3
)

WAYS = available("openai", _ALL)
