"""The SDK `openai`, and with it Azure and every other host that speaks OpenAI's API.

The module paths and shapes hold for 1.63 (which moved `chat.completions` into a package) up to 3.52; both ends are
tested. `chat.completions.stream()` calls `create` and so is recorded too, as are the two helpers' older homes under
`beta` as far as they do.
"""

import logging
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

from opentelemetry.util.types import AttributeValue

from llmlab import semconv
from llmlab.hosts import Endpoint, port_of, provider_at
from llmlab.openai_format import ChatChunks, read_completion
from llmlab.providers import Call, Provider, ReadRequest, Request
from llmlab.raw_responses import RAW_RESPONSE_HEADER
from llmlab.switches import STREAM_USAGE, asks_for_stream_usage

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
_PLAIN = (int, float, str)
_EMBEDDING_PARAMETERS = {"dimensions": semconv.EMBEDDINGS_DIMENSIONS}

_CLIENT_PROVIDERS = {"BaseAzureClient": "azure.ai.openai", "BedrockOpenAI": "aws.bedrock"}
"""Client classes that tell more than the host name, which may be a gateway's."""


class _StreamKind(NamedTuple):
    """What decides whether `stream_options` is refused: older hosts refuse it always, Azure with `data_sources`."""

    host: str
    model: str | None
    extra_fields: tuple[str, ...]


_refusing: set[_StreamKind] = set()
"""Streams that were refused once, so that each kind is asked once per process."""


def _chat_request(completions: Any, _args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    attributes = _given(keywords, _CHAT_PARAMETERS)
    attributes[semconv.OPENAI_API_TYPE] = "chat_completions"
    request = _request("chat", completions, keywords, attributes)
    return _streamed(request, keywords) if keywords.get("stream") else request


def _embeddings_request(embeddings: Any, _args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    return _request("embeddings", embeddings, keywords, _given(keywords, _EMBEDDING_PARAMETERS))


def _request(operation: str, resource: Any, keywords: dict[str, Any], attributes: dict[str, AttributeValue]) -> Request:
    client = resource._client  # noqa: SLF001 - the SDK's resources keep their client nowhere else
    url = client.base_url
    endpoint = _endpoint(type(client), url.scheme, url.host, url.port)
    model = keywords.get("model")
    raw = _raw_mode(keywords) is not None
    return Request(operation, model if isinstance(model, str) else None, endpoint, keywords, attributes, None, raw)


def _streamed(request: Request, keywords: dict[str, Any]) -> Request:
    """Ask the stream for its usage, unless the caller decided about that or the answer could not be hidden."""
    options: Mapping[str, Any] = keywords.get("stream_options") or {}
    extra_body: Mapping[str, Any] = keywords.get("extra_body") or {}
    kind = _StreamKind(request.endpoint.host, request.model, tuple(extra_body))
    decided = "include_usage" in options or "stream_options" in extra_body
    # with_streaming_response hands out the bytes of the stream, and a chunk cannot be hidden in bytes.
    if decided or _raw_mode(keywords) == "stream" or kind in _refusing or not asks_for_stream_usage():
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


@lru_cache(maxsize=256)
def _endpoint(client_class: type, scheme: str, host: str, port: int | None) -> Endpoint:
    names = (base.__name__.removeprefix("Async") for base in client_class.__mro__)
    named = next((_CLIENT_PROVIDERS[name] for name in names if name in _CLIENT_PROVIDERS), None)
    return Endpoint(named or provider_at(host) or "openai", host, port_of(scheme, port))


def _given(keywords: dict[str, Any], parameters: dict[str, str]) -> dict[str, AttributeValue]:
    """Return the parameters that were given; those left out are None or one of the SDK's markers."""
    return {
        parameters[name]: value for name, value in keywords.items() if name in parameters and isinstance(value, _PLAIN)
    }


def _raw_mode(keywords: Mapping[str, Any]) -> str | None:
    headers: Mapping[str, Any] = keywords.get("extra_headers") or {}
    return headers.get(RAW_RESPONSE_HEADER)


_CHAT = "openai.resources.chat.completions.completions"
_EMBEDDINGS = "openai.resources.embeddings"


def _calls(module: str, method: str, request: ReadRequest, *, is_optional: bool = False) -> tuple[Call, Call]:
    """Return the calls of a resource's method and of its asynchronous twin, which the SDK gives the prefix Async."""
    both = partial(Call, module=module, request=request, reply=read_completion, is_optional=is_optional)
    return both(attribute=method), both(attribute=f"Async{method}", kind="async")


PROVIDER = Provider(
    name="openai",
    distribution="openai",
    versions=">=1.63,<4",
    calls=(
        *_calls(_CHAT, "Completions.create", _chat_request),
        *_calls(_CHAT, "Completions.parse", _chat_request, is_optional=True),  # since 1.92
        *_calls(_EMBEDDINGS, "Embeddings.create", _embeddings_request),
    ),
    tier_attribute=semconv.OPENAI_RESPONSE_SERVICE_TIER,
)
