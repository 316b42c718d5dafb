"""LiteLLM's format: OpenAI's, with what other providers report beside it.

Sources: `litellm.types.utils.Usage`, the `calculate_usage` of its Anthropic and Gemini code, and `CustomStreamWrapper`,
in the versions 1.80.0 and 1.106.2. Whatever the provider, `prompt_tokens` includes cache reads and writes, and
`completion_tokens` the reasoning. What a provider does not report LiteLLM sets to 0 or estimates, and says nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from llmlab.formats.cohere import ChatEvents
from llmlab.formats.cohere import read_response as read_cohere
from llmlab.formats.openai import count_of, fields_of, read_completion, read_usage
from llmlab.formats.openai_responses import ResponseEvents, read_response
from llmlab.frameworks.litellm import Overheard, cohere_ending
from llmlab.providers import Reply
from llmlab.usage import NO_USAGE, Usage


def read(response: Any, overheard: Overheard) -> Reply:
    """Read a completion. One that LiteLLM found in its own cache was not billed."""
    reply = read_completion(response).with_usage(_usage(fields_of(response).get("usage")))
    if overheard.cohere is not None:
        reply = reply.changed(counts=read_cohere(overheard.cohere).counts)
    return _billed(_told_apart(reply, overheard), response)


def read_embeddings(response: Any, overheard: Overheard) -> Reply:
    """Read an embeddings response, for which LiteLLM says that 0 tokens came out."""
    reply = read(response, overheard)
    return reply.with_usage(reply.usage._replace(output=None))


def read_responses(response: Any, overheard: Overheard) -> Reply:
    """Read a response of the Responses API. Made of a chat completion, it has lost some of that one's usage."""
    reply = read_response(response)
    if overheard.chat is not None:
        reply = reply.with_usage(_usage(fields_of(overheard.chat).get("usage")))
    return _billed(_told_apart(reply, overheard), response)


class Chunks:
    """Reads a streamed completion.

    The usage that LiteLLM hands out in a chunk of its own at the end may be its estimate. What the provider sent stands
    on the chunks that LiteLLM's stream keeps.
    """

    __slots__ = ("_given", "_hide_usage", "_last", "_overheard", "_reasons")

    def __init__(self, overheard: Overheard, *, hide_usage: bool) -> None:
        """`hide_usage`: the stream reports its usage only because we asked, so the caller must see no trace of it."""
        self._overheard = overheard
        self._hide_usage = hide_usage
        self._last: Any = None
        self._reasons: dict[int, str] = {}
        self._given: Any = None

    def read(self, chunk: Any) -> bool:
        """Take note of a chunk."""
        self._last = chunk
        for choice in chunk.choices or ():
            if choice.finish_reason is not None:
                self._reasons[choice.index] = choice.finish_reason
        usage = getattr(chunk, "usage", None)
        if usage is None:
            return False
        self._given = usage
        return self._hide_usage

    def reply(self) -> Reply:
        """Return what the chunks reported. The `cost` of a stream is left out: LiteLLM may have computed it itself."""
        stream = self._overheard.stream
        reply = read_completion({**fields_of(self._last), "choices": (), "usage": None})
        reasons = tuple([reason for _, reason in sorted(self._reasons.items())])
        reply = reply.changed(finish_reasons=reasons, ended=_has_ended(stream, is_counted=self._given is not None))
        return _billed(_streamed(reply, stream, self._given, self._overheard), self._last)


class Events(ResponseEvents):
    """Reads a stream of the Responses API, which may be made of a streamed completion."""

    __slots__ = ("_overheard", "_reply")

    def __init__(self, overheard: Overheard) -> None:
        super().__init__()
        self._overheard = overheard
        self._reply = Reply()

    def read(self, chunk: Any) -> bool:
        """Take note of an event now: LiteLLM's logging rewrites the usage in it later."""
        response = getattr(chunk, "response", None)
        if response is not None:
            self._reply = read_response(response)
        return super().read(chunk)

    def reply(self) -> Reply:
        """Return what the events reported."""
        reply = self._reply.changed(ended=self._is_over)
        chat = self._overheard.stream
        if chat is None:
            return reply
        given = {"prompt_tokens": reply.usage.input, "completion_tokens": reply.usage.output}
        return _streamed(reply, chat, given, self._overheard)


def _has_ended(stream: Any, *, is_counted: bool) -> bool | None:
    """Say whether the provider finished. LiteLLM ends a stream that broke off with a reason of its own making."""
    if stream is None:
        return None
    finished = getattr(stream, "received_finish_reason", None) or getattr(stream, "intermittent_finish_reason", None)
    return (is_counted or None) if finished else False


def _streamed(reply: Reply, stream: Any, given: Any, overheard: Overheard) -> Reply:
    """Add the usage of a stream: what the provider sent, and what of LiteLLM's own is given for the rest."""
    if (ending := cohere_ending(stream)) is not None:
        events = ChatEvents()
        events.read(ending)
        return reply.changed(counts=events.reply().counts, ended=True)
    chunks = getattr(stream, "chunks", ())
    sent = _merged(_usage(usage) for chunk in chunks if (usage := getattr(chunk, "usage", None)) is not None)
    reply = _told_apart(reply.with_usage(sent), overheard)
    estimated, sent = _usage(given), reply.usage
    if sent.input and (sent.output or not estimated.output):
        return reply
    usage = sent._replace(input=sent.input or estimated.input, output=sent.output or estimated.output)
    return reply.with_usage(usage, is_estimated=True)


def _merged(usages: Iterable[Usage]) -> Usage:
    """Return the last of each count. A 0 does not replace a count: LiteLLM writes it for what a chunk does not say."""
    merged = NO_USAGE
    for usage in usages:
        merged = Usage(*(new or (new if old is None else old) for new, old in zip(usage, merged, strict=True)))
    return merged


def _told_apart(reply: Reply, overheard: Overheard) -> Reply:
    """Tell the provider's counts from LiteLLM's, and drop what nobody counted: a prompt has tokens."""
    usage, estimates = reply.usage, overheard.estimates
    if not usage.input and not usage.output:
        return reply.with_usage(NO_USAGE)
    thoughts = {estimate for estimate in estimates if min(estimate, usage.output or 0) == usage.reasoning}
    if thoughts or not usage.reasoning:
        usage, estimates = usage._replace(reasoning=None), estimates - thoughts
    is_estimated = usage.input in estimates or usage.output in estimates
    return reply.with_usage(usage._replace(input=usage.input or None), is_estimated=is_estimated)


def _billed(reply: Reply, response: Any) -> Reply:
    hidden: Any = getattr(response, "_hidden_params", None)
    is_cached = isinstance(hidden, Mapping) and bool(hidden.get("cache_hit"))  # pyright: ignore[reportUnknownMemberType]
    return reply.with_usage(NO_USAGE, cost_usd=None) if is_cached else reply


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
