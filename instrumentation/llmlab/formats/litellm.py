"""LiteLLM's format: OpenAI's, with what other providers report beside it.

Sources: `litellm.types.utils.Usage` and the `calculate_usage` of its Anthropic and Gemini code, in the versions 1.80.0
and 1.106.2. Whatever the provider, `prompt_tokens` includes cache reads and writes, `completion_tokens` the reasoning.
"""

from collections.abc import Mapping
from typing import Any

from llmlab.formats.openai import count_of, fields_of, read_completion, read_usage
from llmlab.formats.openai_responses import read_response
from llmlab.providers import Reply
from llmlab.usage import NO_USAGE, Usage


def read(response: Any) -> Reply:
    """Read a completion. One that LiteLLM found in its own cache was not billed."""
    reply = read_completion(response)._replace(usage=_usage(fields_of(response).get("usage")))
    return _billed(reply, response)


def read_embeddings(response: Any) -> Reply:
    """Read an embeddings response, for which LiteLLM says that 0 tokens came out."""
    reply = read(response)
    return reply._replace(usage=reply.usage._replace(output=None))


def read_responses(response: Any) -> Reply:
    """Read a response of the Responses API."""
    return _billed(read_response(response), response)


class Chunks:
    """Reads the chunks of a streamed completion, whose usage LiteLLM hands out in a chunk of its own at the end."""

    __slots__ = ("_hide_usage", "_last", "_reasons", "_usage")

    def __init__(self, *, hide_usage: bool) -> None:
        """`hide_usage`: the stream reports its usage only because we asked, so the caller must see no trace of it."""
        self._hide_usage = hide_usage
        self._last: Any = None
        self._reasons: dict[int, str] = {}
        self._usage: Any = None

    def read(self, chunk: Any) -> bool:
        """Take note of a chunk."""
        self._last = chunk
        for choice in chunk.choices or ():
            if choice.finish_reason is not None:
                self._reasons[choice.index] = choice.finish_reason
        usage = getattr(chunk, "usage", None)
        if usage is None:
            return False
        self._usage = usage
        return self._hide_usage

    def reply(self) -> Reply:
        """Return what the chunks reported. The `cost` of a stream is left out: LiteLLM may have computed it itself."""
        reasons = tuple([reason for _, reason in sorted(self._reasons.items())])
        reply = read({**fields_of(self._last), "choices": (), "usage": self._usage})
        return _billed(reply._replace(finish_reasons=reasons, cost_usd=None), self._last)


def _billed(reply: Reply, response: Any) -> Reply:
    hidden: Any = getattr(response, "_hidden_params", None)
    is_cached = isinstance(hidden, Mapping) and bool(hidden.get("cache_hit"))  # pyright: ignore[reportUnknownMemberType]
    return reply._replace(usage=NO_USAGE, cost_usd=None) if is_cached else reply


def _usage(usage: Any) -> Usage:
    """Convert LiteLLM's usage."""
    fields = fields_of(usage)
    prompt = fields_of(fields.get("prompt_tokens_details"))
    lifetimes = fields_of(prompt.get("cache_creation_token_details"))
    written = count_of(fields, "cache_creation_input_tokens")
    converted = read_usage(fields)
    return converted._replace(
        cache_write=converted.cache_write if written is None else written,
        cache_write_5m=count_of(lifetimes, "ephemeral_5m_input_tokens"),
        cache_write_1h=count_of(lifetimes, "ephemeral_1h_input_tokens"),
        web_searches=count_of(fields_of(fields.get("server_tool_use")), "web_search_requests"),
    )
