"""Every way of making a call with LiteLLM; `api` says how each provider is reached."""

from importlib import import_module
from typing import Any, NamedTuple

from instrumentation.reading import read_all

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
