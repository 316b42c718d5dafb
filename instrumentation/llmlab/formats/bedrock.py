"""What Amazon Bedrock reports: the Converse API, and the bodies of the model families behind InvokeModel.

Bedrock counts the tokens of the prompt cache beside the input. Whatever the family, it adds the counts to the headers
of a response and to the last chunk of a stream.

Sources: the service model `bedrock-runtime` 2023-09-30 of botocore 1.44 (`TokenUsage`, `CacheDetail`), and "Inference
request parameters and response fields" in the Bedrock user guide. Read 2026-11-21.
"""

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from llmlab.counts import counts_of
from llmlab.formats.anthropic import MessageEvents, read_message
from llmlab.formats.openai import read_completion
from llmlab.providers import Reply
from llmlab.usage import NO_USAGE, Usage

_HEADER = "x-amzn-bedrock-{}-token-count"
_HEADER_KINDS = ("input", "output", "cache-read", "cache-write")
_LONG_BYTES = 1 << 18
"""No text is this long: these are embeddings or images, which would take milliseconds to parse and tell nothing new."""
_METRICS = "amazon-bedrock-invocationMetrics"
_NO_FIELDS: Mapping[str, Any] = {}

_INPUT = ("inputTextTokenCount", "prompt_token_count")
"""Amazon Titan, Meta Llama."""
_OUTPUT = ("totalOutputTextTokenCount", "generation_token_count")
_ENDINGS = ("stopReason", "stop_reason", "finish_reason", "completionReason")
_PARTS = ("results", "outputs", "generations")
"""Where Titan, Mistral and Cohere keep what each of several answers has of its own."""


def read_converse(response: Mapping[str, Any]) -> Reply:
    """Read a response of Converse, or the event `metadata` of a stream of it."""
    ending = response.get("stopReason")
    tier = response.get("serviceTier")
    router: Any = (response.get("trace") or _NO_FIELDS).get("promptRouter") or _NO_FIELDS
    return Reply(
        model=router.get("invokedModelId"),
        finish_reasons=(ending,) if ending else (),
        counts=counts_of(_converse_usage(response.get("usage") or _NO_FIELDS)),
        tier=tier.get("type") if isinstance(tier, dict) else tier,
    )


class ConverseEvents:
    """Reads the events of ConverseStream. The last one, `metadata`, carries the usage."""

    __slots__ = ("_ended", "_ending", "_metadata")

    def __init__(self) -> None:
        self._ending: tuple[str, ...] = ()
        self._metadata: Mapping[str, Any] = _NO_FIELDS

    def read(self, chunk: Any) -> bool:
        """Take note of an event."""
        if "messageStop" in chunk:
            self._ending = (chunk["messageStop"]["stopReason"],)
        elif "metadata" in chunk:
            self._metadata = chunk["metadata"]
        return False

    def reply(self) -> Reply:
        """Return what the events reported."""
        # A body that ends without an error, and without this event, was cut short.
        return read_converse(self._metadata).changed(finish_reasons=self._ending, ended=bool(self._metadata))


class InvokedBody:
    """Reads a response of InvokeModel: its headers at once, its body when the caller has read it."""

    __slots__ = ("_counted", "_length", "_pieces", "_tier")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._counted = _beside(*(_header_count(headers, kind) for kind in _HEADER_KINDS))
        self._tier = headers.get("x-amzn-bedrock-service-tier")
        self._length = 0
        self._pieces: list[bytes] = []

    def read(self, chunk: bytes) -> bool:
        """Take note of a piece of the body."""
        self._length += len(chunk)
        self._pieces.append(chunk)
        if self._length > _LONG_BYTES and self._counted.known:
            self._pieces.clear()
        return False

    def reply(self) -> Reply:
        """Return what headers and body reported; without a whole body, what the headers did."""
        try:
            fields = json.loads(b"".join(self._pieces))
        except ValueError:  # not read to its end, too long, or not JSON
            fields = None
        reply = read_body(fields) if isinstance(fields, dict) else Reply()
        return reply.with_usage(_complete(reply.usage, self._counted), tier=self._tier or reply.tier)


class InvokedChunks:
    """Reads the chunks of InvokeModelWithResponseStream, whatever the family of the model."""

    __slots__ = ("_counted", "_events", "_reply")

    def __init__(self) -> None:
        self._counted = NO_USAGE
        self._events: MessageEvents | None = None
        self._reply = Reply()

    def read(self, chunk: Any) -> bool:
        """Take note of a chunk."""
        raw: bytes = chunk["chunk"]["bytes"] if "chunk" in chunk else b"{}"
        if b'"content_block_delta"' in raw:  # Anthropic's text; inside of a text the quotes are escaped
            return False
        fields = json.loads(raw)
        self._count(fields.pop(_METRICS, _NO_FIELDS))
        if "type" in fields:
            self._events = self._events or MessageEvents()
            self._events.read(json.loads(raw, object_hook=lambda found: SimpleNamespace(**found)))
        else:
            self._reply = _later(self._reply, read_body(fields))
        return False

    def reply(self) -> Reply:
        """Return what the chunks reported."""
        reply = self._reply if self._events is None else self._events.reply()
        # Bedrock's own counts come with the last chunk.
        ended = True if self._counted.known else reply.ended
        return reply.with_usage(_complete(reply.usage, self._counted), ended=ended)

    def _count(self, metrics: Mapping[str, Any]) -> None:
        if metrics:
            names = ("inputTokenCount", "outputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount")
            self._counted = _beside(*(_count(metrics, name) for name in names))


def read_body(body: Mapping[str, Any]) -> Reply:
    """Read the body of a model of any family, or one chunk of its stream."""
    usage: Any = body.get("usage") or (body.get("metadata") or _NO_FIELDS).get("usage") or _NO_FIELDS
    if "input_tokens" in usage:
        return read_message(body)
    if "prompt_tokens" in usage or "choices" in body:
        return read_completion(body)
    parts = [part for name in _PARTS for part in body.get(name) or ()]
    told = [body, *(body[name] for name in ("messageStop",) if name in body), *parts]
    endings = [str(part[name]) for part in told for name in _ENDINGS if part.get(name)]
    counted = _converse_usage(usage) if usage else _flat_usage(body, parts)
    return Reply(finish_reasons=tuple(endings), counts=counts_of(counted))


def _converse_usage(usage: Mapping[str, Any]) -> Usage:
    written: dict[Any, int] = {}
    for detail in usage.get("cacheDetails") or ():
        written[detail.get("ttl")] = written.get(detail.get("ttl"), 0) + (_count(detail, "inputTokens") or 0)
    return _beside(
        _count(usage, "inputTokens"),
        _count(usage, "outputTokens"),
        # The second name is the one in Nova's own bodies.
        _count(usage, "cacheReadInputTokens", "cacheReadInputTokenCount"),
        _count(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount"),
    )._replace(cache_write_5m=written.get("5m"), cache_write_1h=written.get("1h"))


def _flat_usage(body: Mapping[str, Any], parts: list[Any]) -> Usage:
    outputs = [count for part in parts if (count := _count(part, "tokenCount")) is not None]
    return Usage(input=_count(body, *_INPUT), output=sum(outputs) if outputs else _count(body, *_OUTPUT))


def _beside(input_: int | None, output: int | None, cache_read: int | None, cache_write: int | None) -> Usage:
    """Return counts whose input does not include the prompt cache as those of our convention."""
    total = None if input_ is None else input_ + (cache_read or 0) + (cache_write or 0)
    return Usage(input=total, output=output, cache_read=cache_read, cache_write=cache_write)


def _complete(reported: Usage, counted: Usage) -> Usage:
    """Return what the model reported, or where that is not everything what Bedrock counted, which knows no details."""
    everything = reported.input is not None and reported.output is not None
    return reported if everything or not counted.known else counted


def _later(before: Reply, after: Reply) -> Reply:
    """Return what two chunks of a stream report: of each field the later one."""
    return after.changed(
        model=after.model or before.model,
        id=after.id or before.id,
        finish_reasons=after.finish_reasons or before.finish_reasons,
        counts={**before.counts, **after.counts},
        tier=after.tier or before.tier,
    )


def _header_count(headers: Mapping[str, str], kind: str) -> int | None:
    value = headers.get(_HEADER.format(kind), "")
    return int(value) if value.isdecimal() else None


def _count(fields: Mapping[str, Any], *names: str) -> int | None:
    found = (fields.get(name) for name in names)
    return next((value for value in found if type(value) is int and value >= 0), None)
