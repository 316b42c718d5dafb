"""Every way of making a call with LiteLLM; `Api` says how each provider is reached."""

import json
from importlib import import_module
from typing import Any, NamedTuple

from fake_provider.testing import FakeProvider
from instrumentation.cells import makes
from instrumentation.reading import Way, have, read_all

litellm: Any = import_module("litellm")  # the environment of the type checker has none

MESSAGES = [{"role": "user", "content": "one two three four"}]


class Api(NamedTuple):
    """A model of the fake provider, as LiteLLM names it."""

    model: str
    path: str
    provider: str
    dictated: dict[str, Any]
    """What the fake provider shall bill."""
    counts: dict[str, int]
    """The same, as the span has it."""


OPENAI = Api(
    "openai/gpt-4o",
    "/v1",
    "openai",
    {
        "prompt_tokens": 1873,
        "completion_tokens": 317,
        "prompt_tokens_details": {"cached_tokens": 1024},
        "completion_tokens_details": {"reasoning_tokens": 192},
    },
    {"input": 1873, "output": 317, "cache_read.input": 1024, "reasoning.output": 192},
)
ANTHROPIC = Api(
    "anthropic/claude-sonnet-4-5",
    "",
    "anthropic",
    {
        "input_tokens": 211,
        "cache_read_input_tokens": 4096,
        "cache_creation_input_tokens": 1500,
        "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 500},
        "output_tokens": 389,
    },
    {"input": 5807, "output": 389, "cache_read.input": 4096, "cache_write.input": 1500},
)
GEMINI = Api(
    "gemini/gemini-2.5-flash",
    "/v1beta",
    "gcp.gemini",
    {
        "promptTokenCount": 1873,
        "cachedContentTokenCount": 1024,
        "candidatesTokenCount": 125,
        "thoughtsTokenCount": 192,
    },
    {"input": 1873, "output": 317, "cache_read.input": 1024, "reasoning.output": 192},
)

COHERE_2 = Api(
    "cohere_chat/command-r-plus",
    "/v2/chat",
    "cohere",
    {
        "billed_units": {"input_tokens": 211, "output_tokens": 389},
        "tokens": {"input_tokens": 707, "output_tokens": 391},
    },
    {"input": 211, "output": 389},
)
COHERE_1 = COHERE_2._replace(model="cohere_chat/v1/command-r-plus", path="/v1/chat")
BEDROCK = Api(
    "bedrock/anthropic.claude-haiku-4-5-20251001-v1:0",
    "/bedrock",
    "aws.bedrock",
    {"inputTokens": 211, "cacheReadInputTokens": 4096, "cacheWriteInputTokens": 1500, "outputTokens": 389},
    {"input": 5807, "output": 389, "cache_read.input": 4096, "cache_write.input": 1500},
)


async def call(name: str, keywords: dict[str, Any]) -> Any:
    """Call a function of LiteLLM, whichever kind it is of."""
    function = getattr(litellm, name)
    return await function(**keywords) if name.startswith("a") else function(**keywords)


async def call_and_read(name: str, keywords: dict[str, Any]) -> Any:
    """Call a function and read the stream, if it returns one."""
    result = await call(name, keywords)
    if not keywords.get("stream"):
        return result
    # LiteLLM's streams can be read both ways.
    return await read_all(result if name.startswith("a") else (chunk for chunk in result))


class Caller:
    """Calls the functions of LiteLLM, or their asynchronous twins."""

    def __init__(self, provider: FakeProvider, *, asynchronous: bool, behaviour: str = "") -> None:
        self.provider = provider
        self.asynchronous = asynchronous
        self.behaviour = behaviour

    def of(self, owner: Any, name: str) -> Any:
        """Return one of the two twins."""
        return getattr(owner, f"a{name}" if self.asynchronous else name)

    def reached(self, api: Api) -> dict[str, Any]:
        """Return how to reach a provider, and what it shall bill."""
        headers = {"x-fake-usage": json.dumps(api.dictated)}
        return {
            "model": api.model,
            "api_base": self.provider.url + api.path,
            "api_key": "fake",
            "max_retries": 0,
            "extra_headers": headers | ({"x-fake-behaviour": self.behaviour} if self.behaviour else {}),
        }

    async def read(self, stream: Any) -> list[Any]:
        """Read a stream to its end. LiteLLM's can be read both ways."""
        return await read_all(stream if self.asynchronous else (chunk for chunk in stream))


@makes("completion")
async def completed(caller: Caller) -> Any:
    return await have(caller.of(litellm, "completion")(messages=MESSAGES, **caller.reached(OPENAI)))


@makes("completion", stream=True)
async def streamed(caller: Caller) -> Any:
    call = caller.of(litellm, "completion")
    return await caller.read(await have(call(messages=MESSAGES, stream=True, **caller.reached(OPENAI))))


@makes("text_completion")
async def text_completed(caller: Caller) -> Any:
    return await have(caller.of(litellm, "text_completion")(prompt="one two", **caller.reached(ANTHROPIC)))


@makes("text_completion", stream=True)
async def text_streamed(caller: Caller) -> Any:
    call = caller.of(litellm, "text_completion")
    return await caller.read(await have(call(prompt="one two", stream=True, **caller.reached(ANTHROPIC))))


@makes("embedding")
async def embedded(caller: Caller) -> Any:
    reached = caller.reached(OPENAI._replace(dictated={"prompt_tokens": 1873}))
    reached["model"] = "openai/text-embedding-3-small"
    return await have(caller.of(litellm, "embedding")(input=["one", "two"], **reached))


@makes("responses")
async def responded(caller: Caller) -> Any:
    return await have(caller.of(litellm, "responses")(input="one two", **caller.reached(RESPONSES)))


@makes("responses", stream=True)
async def responded_in_a_stream(caller: Caller) -> Any:
    call = caller.of(litellm, "responses")
    return await caller.read(await have(call(input="one two", stream=True, **caller.reached(RESPONSES))))


@makes("Router.completion")
async def routed(caller: Caller) -> Any:
    return await have(caller.of(_router(caller), "completion")(model="mine", messages=MESSAGES))


@makes("Router.completion", stream=True)
async def routed_in_a_stream(caller: Caller) -> Any:
    call = caller.of(_router(caller), "completion")
    return await caller.read(await have(call(model="mine", messages=MESSAGES, stream=True)))


def _router(caller: Caller) -> Any:
    deployment = {"model_name": "mine", "litellm_params": caller.reached(OPENAI)}
    return litellm.Router(model_list=[deployment], num_retries=0)


RESPONSES = OPENAI._replace(
    dictated={
        "input_tokens": 1873,
        "output_tokens": 317,
        "input_tokens_details": {"cached_tokens": 1024},
        "output_tokens_details": {"reasoning_tokens": 192},
    }
)
WAYS: tuple[Way, ...] = (
    completed,
    streamed,
    text_completed,
    text_streamed,
    embedded,
    responded,
    responded_in_a_stream,
    routed,
    routed_in_a_stream,
)
