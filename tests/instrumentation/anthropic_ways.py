"""Every way of making a call with the SDK `anthropic`, written once for the synchronous and the asynchronous client.

Each returns what the caller sees, as plain data: a call made with and without instrumentation must give the same.
"""

import json
import re
from typing import Any

import pydantic
from anthropic import AsyncAnthropic
from anthropic.resources import Messages
from anthropic.resources.beta import Messages as BetaMessages

from instrumentation.cells import makes
from instrumentation.reading import Way, either, have, read_all

MESSAGE: dict[str, Any] = {
    "model": "claude-haiku-4-5",
    "messages": [{"role": "user", "content": "one two three four"}],
    "max_tokens": 50,
}
STREAM: dict[str, Any] = {**MESSAGE, "stream": True}


class Form(pydantic.BaseModel):
    """The form that `parse` wants the answer in."""

    count: int


IN_FORM: dict[str, Any] = {**MESSAGE, "output_format": Form, "extra_headers": {"x-fake-reply": '{"count": 3}'}}

_VOLATILE = re.compile(r"(msg|req|msgbatch)_\w+")


def of_model(model: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return the request for another model; the fake provider has models that misbehave."""
    return {**request, "model": model}


BATCH: Any = (
    {"custom_id": "one", "params": MESSAGE},
    {"custom_id": "two", "params": of_model("expired", MESSAGE)},
    {"custom_id": "three", "params": of_model("error-400", MESSAGE)},
    {"custom_id": "four", "params": {**of_model("claude-opus-4-5", MESSAGE), "max_tokens": 2}},
)
"""The requests of a batch, of which two succeed."""

COMPACTION: dict[str, Any] = {
    "type": "compaction",
    "input_tokens": 1000,
    "cache_read_input_tokens": 300,
    "cache_creation_input_tokens": 40,
    "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 70,
}
COMPACTED: dict[str, Any] = {
    "input_tokens": 20,
    "cache_read_input_tokens": 500,
    "cache_creation_input_tokens": 0,
    "output_tokens": 9,
    "iterations": [COMPACTION, {**COMPACTION, "type": "message", "input_tokens": 20, "output_tokens": 9}],
}
"""The usage of a message before which a pass had compacted the conversation."""


@makes("messages.create")
async def plain(client: Any) -> Any:
    return seen(await have(client.messages.create(**MESSAGE)))


@makes("beta.messages.create")
async def beta_plain(client: Any) -> Any:
    return seen(await have(client.beta.messages.create(**MESSAGE)))


@makes("messages.create", stream=True)
async def streamed(client: Any) -> Any:
    return await read(await have(client.messages.create(**STREAM)))


@makes("beta.messages.create", stream=True)
async def beta_streamed(client: Any) -> Any:
    return await read(await have(client.beta.messages.create(**STREAM)))


@makes("messages.create", stream=True)
async def streamed_in_a_with(client: Any) -> Any:
    stream = await have(client.messages.create(**STREAM))
    if isinstance(client, AsyncAnthropic):
        async with stream:
            return await read(stream)
    with stream:
        return await read(stream)


@makes("messages.stream", stream=True)
async def helper(client: Any) -> Any:
    async with either(client.messages.stream(**MESSAGE)) as stream:
        return await read(stream), seen(await have(stream.get_final_message())), stream.request_id is not None


@makes("messages.stream", stream=True)
async def helper_text(client: Any) -> Any:
    async with either(client.messages.stream(**MESSAGE)) as stream:
        return await read_all(stream.text_stream)


@makes("beta.messages.stream", stream=True)
async def beta_helper(client: Any) -> Any:
    async with either(client.beta.messages.stream(**MESSAGE)) as stream:
        return await read(stream)


@makes("beta.messages.stream", stream=True, can_leave=False)
async def helper_final_text(client: Any) -> Any:
    async with either(client.beta.messages.stream(**MESSAGE)) as stream:
        return await have(stream.get_final_text())


@makes("messages.parse")
async def parsed(client: Any) -> Any:
    message = await have(client.messages.parse(**IN_FORM))
    return type(message), steady(repr(message)), message.content[0].parsed_output


@makes("beta.messages.parse")
async def beta_parsed(client: Any) -> Any:
    message = await have(client.beta.messages.parse(**IN_FORM))
    return type(message), steady(repr(message)), message.content[0].parsed_output


@makes("messages.create")
async def raw(client: Any) -> Any:
    response = await have(client.messages.with_raw_response.create(**MESSAGE))
    return type(response), response.status_code, seen(await have(response.parse()))


@makes("messages.create", stream=True)
async def raw_streamed(client: Any) -> Any:
    response = await have(client.messages.with_raw_response.create(**STREAM))
    stream = await have(response.parse())
    same = stream is await have(response.parse())
    return response.__class__, response.status_code, same, await read(stream)


@makes("beta.messages.create")
async def streaming_parsed(client: Any) -> Any:
    async with either(client.beta.messages.with_streaming_response.create(**MESSAGE)) as response:
        return response.__class__, response.status_code, seen(await have(response.parse()))


@makes("messages.create")
async def streaming_json(client: Any) -> Any:
    async with either(client.messages.with_streaming_response.create(**MESSAGE)) as response:
        return steady(json.dumps(await have(response.json())))


@makes("messages.create")
async def streaming_lines(client: Any) -> Any:
    async with either(client.messages.with_streaming_response.create(**MESSAGE)) as response:
        return [steady(line) for line in await read_all(response.iter_lines())]


@makes("messages.create", stream=True)
async def streaming_streamed(client: Any) -> Any:
    async with either(client.messages.with_streaming_response.create(**STREAM)) as response:
        return await read(await have(response.parse()))


_HELPERS = {parsed: Messages, beta_parsed: BetaMessages}
"""Ways that older versions do not have."""

WAYS: tuple[Way, ...] = (
    plain,
    beta_plain,
    streamed,
    beta_streamed,
    streamed_in_a_with,
    helper,
    helper_text,
    beta_helper,
    helper_final_text,
    *(way for way, resource in _HELPERS.items() if hasattr(resource, "parse")),
    raw,
    raw_streamed,
    streaming_parsed,
    streaming_json,
    streaming_lines,
    streaming_streamed,
)


async def read(stream: Any) -> Any:
    """Read a stream; its class is what `isinstance` goes by."""
    return stream.__class__, [seen(event) for event in await read_all(stream)]


def seen(value: Any) -> Any:
    """Return a model of the SDK as its class, all its fields, and the fields that the server set."""
    return type(value), steady(repr(value)), steady(value.to_json())


def steady(text: str) -> str:
    """Blank out what differs from call to call."""
    return _VOLATILE.sub("-", text)
