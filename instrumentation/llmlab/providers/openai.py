"""The SDK `openai`, and with it Azure and every other host that speaks OpenAI's API.

The module paths and shapes hold for 1.63 (which moved `chat.completions` into a package) up to 3.52; both ends are
tested. `chat.completions.stream()` calls `create` and so is recorded too, as are the two helpers' older homes under
`beta` as far as they do. The Responses API came with 1.66; what `responses.retrieve` fetches was billed to the
call that created it.
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from llmlab import semconv
from llmlab.capture.attributes import of_parameters
from llmlab.capture.raw_responses import raw_mode
from llmlab.capture.switches import STREAM_USAGE, asks_for_stream_usage
from llmlab.formats.openai import ChatChunks, read_completion
from llmlab.formats.openai_media import read_images, read_transcription
from llmlab.formats.openai_requests import (
    base_request,
    embeddings_request,
    image_request,
    inside_response_helper,
    response_helper_request,
    response_request,
    transcription_request,
)
from llmlab.formats.openai_responses import read_response
from llmlab.providers import Call, Provider, ReadRequest, Reply, Request

_logger = logging.getLogger("llmlab")

_CHAT_PARAMETERS = {
    "max_tokens": semconv.REQUEST_MAX_TOKENS,
    "max_completion_tokens": semconv.REQUEST_MAX_TOKENS,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
    "n": semconv.REQUEST_CHOICE_COUNT,
    "reasoning_effort": semconv.REQUEST_REASONING_LEVEL,
    "service_tier": semconv.OPENAI_REQUEST_SERVICE_TIER,
}


class _StreamKind(NamedTuple):
    """What decides whether `stream_options` is refused: older hosts refuse it always, Azure with `data_sources`."""

    host: str
    model: str | None
    extra_fields: tuple[str, ...]


_refusing: set[_StreamKind] = set()
"""Streams that were refused once, so that each kind is asked once per process."""


def _chat_request(completions: Any, _args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    attributes = of_parameters(keywords, _CHAT_PARAMETERS)
    attributes[semconv.OPENAI_API_TYPE] = "chat_completions"
    request = base_request("chat", completions, keywords, attributes)
    return _streamed(request, keywords) if keywords.get("stream") else request


def _streamed(request: Request, keywords: dict[str, Any]) -> Request:
    """Ask the stream for its usage, unless the caller decided about that or the answer could not be hidden."""
    options: Mapping[str, Any] = keywords.get("stream_options") or {}
    extra_body: Mapping[str, Any] = keywords.get("extra_body") or {}
    kind = _StreamKind(request.endpoint.host, request.model, tuple(extra_body))
    decided = "include_usage" in options or "stream_options" in extra_body
    # with_streaming_response hands out the bytes of the stream, and a chunk cannot be hidden in bytes.
    if decided or raw_mode(keywords) == "stream" or kind in _refusing or not asks_for_stream_usage():
        return request._replace(chunks=ChatChunks(hide_usage=False))
    return request._replace(
        keywords={**keywords, "stream_options": {**options, "include_usage": True}},
        chunks=ChatChunks(hide_usage=True),
        refused=partial(_refuses_stream_options, kind),
    )


def _refuses_stream_options(kind: _StreamKind, error: Exception) -> bool:
    """Say whether a call failed because of the `stream_options` that we added, and remember it."""
    if getattr(error, "status_code", None) not in {400, 422} or "stream_options" not in str(error):
        return False
    _refusing.add(kind)
    _logger.warning(
        "%s refuses stream_options for %s, so these streams report no usage; %s=false stops asking for it",
        kind.host,
        kind.model,
        STREAM_USAGE,
    )
    return True


_CHAT = "openai.resources.chat.completions.completions"
_EMBEDDINGS = "openai.resources.embeddings"
_RESPONSES = "openai.resources.responses.responses"
_IMAGES = "openai.resources.images"
_TRANSCRIPTIONS = "openai.resources.audio.transcriptions"
_BETA_RESPONSES = "openai.resources.beta.responses.responses"


def _calls(
    module: str,
    method: str,
    request: ReadRequest,
    reply: Callable[[Any], Reply] = read_completion,
    *,
    is_optional: bool = False,
) -> tuple[Call, Call]:
    """Return the calls of a resource's method and of its asynchronous twin, which the SDK gives the prefix Async."""
    both = partial(Call, module=module, request=request, reply=reply, is_optional=is_optional)
    return both(attribute=method), both(attribute=f"Async{method}", kind="async")


PROVIDER = Provider(
    name="openai",
    distribution="openai",
    versions=">=1.63,<4",
    calls=(
        *_calls(_CHAT, "Completions.create", _chat_request),
        *_calls(_CHAT, "Completions.parse", _chat_request, is_optional=True),  # since 1.92
        *_calls(_EMBEDDINGS, "Embeddings.create", embeddings_request),
        *_calls(_RESPONSES, "Responses.create", response_request, read_response),
        *_calls(_RESPONSES, "Responses.parse", response_request, read_response),
        *(
            Call(
                module=_RESPONSES,
                attribute=method,
                kind="manager",
                request=response_helper_request,
                reply=read_response,
                replace_stream=inside_response_helper,
            )
            for method in ("Responses.stream", "AsyncResponses.stream")
        ),
        *_calls(_RESPONSES, "Responses.compact", response_request, read_response, is_optional=True),
        *_calls(_BETA_RESPONSES, "Responses.create", response_request, read_response),
        *_calls(_IMAGES, "Images.generate", image_request, read_images),
        *_calls(_IMAGES, "Images.edit", image_request, read_images),
        *_calls(_TRANSCRIPTIONS, "Transcriptions.create", transcription_request, read_transcription),
    ),
    tier_attribute=semconv.OPENAI_RESPONSE_SERVICE_TIER,
)
