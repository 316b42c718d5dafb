"""What a response reports, where only the response is at hand, because nobody watched the call."""

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from llmlab.counts import tell_work
from llmlab.formats import anthropic, cohere, gemini, openai, openai_responses
from llmlab.providers import Reply, discover

_logger = logging.getLogger("llmlab")

Read = Callable[[Any], Reply]


def read_response(response: object) -> Reply | None:
    """Read the response of an SDK that we know, or one whose shape is OpenAI's, Anthropic's, Gemini's or Cohere's.

    None when it is something else, or reports no usage.
    """
    fields = _fields(response)
    if not fields:
        return None
    readers = *_readers_of_sdk(type(response).__module__.partition(".")[0]), *_readers_of_shape(fields)
    replies = (_try(read, response) for read in readers)
    return next((reply for reply in replies if reply is not None and tell_work(reply.counts)), None)


def _fields(response: object) -> Mapping[str, Any]:
    if isinstance(response, dict):
        return response
    return getattr(response, "__dict__", {})


@cache
def _readers_of_sdk(package: str) -> tuple[Read, ...]:
    """Return the ways in which the responses of an SDK can be read, each once."""
    readers = (
        call.reply
        for provider in discover()
        for call in provider.calls
        if call.module.partition(".")[0] == package and package != "google"  # a namespace of many packages
    )
    return tuple(dict.fromkeys(readers))


def _readers_of_shape(fields: Mapping[str, Any]) -> Iterator[Read]:
    if "usage_metadata" in fields or "usageMetadata" in fields:
        yield gemini.read_response
    elif fields.get("type") == "message":
        yield anthropic.read_message
    elif fields.get("object") == "response":
        yield openai_responses.read_response
    elif "usage" in fields or "meta" in fields:
        yield openai.read_completion
        yield cohere.read_response


def _try(read: Read, response: object) -> Reply | None:
    try:
        return read(response)
    except Exception:  # it was a guess that this reader fits
        _logger.debug("a response is not what %s reads", read, exc_info=True)
        return None
