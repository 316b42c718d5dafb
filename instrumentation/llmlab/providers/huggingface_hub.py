"""The clients for inference in the SDK `huggingface_hub`: Hugging Face's router, the providers behind it, and servers
of one's own (TGI, TEI, Inference Endpoints).

`client.chat.completions.create` is `chat_completion`. Two things report no usage: `text_generation` unless it is called
with `details=True`, and `feature_extraction`, which returns nothing but numbers. Both ends, 0.30 and 2.4, are tested.
"""

import logging
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from llmlab import semconv
from llmlab.capture.attributes import of_parameters
from llmlab.capture.switches import STREAM_USAGE, asks_for_stream_usage
from llmlab.formats.openai import ChatChunks, read_completion
from llmlab.formats.tgi import GenerationChunks, read_generation
from llmlab.hosts import Endpoint, port_of, provider_at
from llmlab.providers import Call, Provider, ReadRequest, Reply, Request

_logger = logging.getLogger("llmlab")

_CHAT_PARAMETERS = {
    "max_tokens": semconv.REQUEST_MAX_TOKENS,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
    "n": semconv.REQUEST_CHOICE_COUNT,
}
_GENERATION_PARAMETERS = {**_CHAT_PARAMETERS, "max_new_tokens": semconv.REQUEST_MAX_TOKENS}
_EMBEDDING_PARAMETERS = {"dimensions": semconv.EMBEDDINGS_DIMENSIONS}

_ROUTER = "router.huggingface.co"
_CHOSEN_BY_ROUTER = frozenset({"", "auto", "fastest", "cheapest", "preferred", "hf-inference"})
"""What stands for no provider in particular, or for Hugging Face itself."""
_OWN_NAMES = {"fireworks-ai": "fireworks"}
"""Providers that go by another name when it is not Hugging Face that bills for them."""


class _StreamKind(NamedTuple):
    """What decides whether `stream_options` is refused."""

    where: str
    """The host, or the provider where the host is unknown."""
    model: str | None


_refusing: set[_StreamKind] = set()
"""Streams that were refused once, so that each kind is asked once per process."""


def _chat_request(client: Any, _args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    request = _request("chat", _CHAT_PARAMETERS, client, keywords)
    return _streamed(request, keywords) if keywords.get("stream") else request


def _streamed(request: Request, keywords: dict[str, Any]) -> Request:
    """Ask the stream for its usage, unless the caller decided about that."""
    options: Mapping[str, Any] = keywords.get("stream_options") or {}
    extra_body: Mapping[str, Any] = keywords.get("extra_body") or {}
    kind = _StreamKind(request.endpoint.host or request.endpoint.provider, request.model)
    decided = "include_usage" in options or "stream_options" in extra_body
    if decided or kind in _refusing or not asks_for_stream_usage():
        return request._replace(chunks=_ChatChunks(hide_usage=False))
    return request._replace(
        keywords={**keywords, "stream_options": {**options, "include_usage": True}},
        chunks=_ChatChunks(hide_usage=True),
        refused=partial(_refuses_stream_options, kind),
    )


def _refuses_stream_options(kind: _StreamKind, error: Exception) -> bool:
    """Say whether a call failed because of the `stream_options` that we added, and remember it."""
    response = getattr(error, "response", None)
    if getattr(response, "status_code", None) not in {400, 422} or "stream_options" not in str(error):
        return False
    _refusing.add(kind)
    _logger.warning(
        "%s refuses stream_options for %s, so these streams report no usage; %s=false stops asking for it",
        kind.where,
        kind.model,
        STREAM_USAGE,
    )
    return True


class _ChatChunks(ChatChunks):
    """Reads the chunks of a chat. In this SDK a field that is null is the same as one that is not there."""

    __slots__ = ("_hides",)

    def __init__(self, *, hide_usage: bool) -> None:
        super().__init__(hide_usage=False)
        self._hides = hide_usage

    def read(self, chunk: Any) -> bool:
        """Take note of a chunk."""
        super().read(chunk)
        return self._hides and chunk.usage is not None and not chunk.choices


def _read_chat(output: Any) -> Reply:
    # The output is a dictionary as well, but that one lacks what its parts have beyond the SDK's own fields.
    return read_completion(vars(output))


def _generation_request(client: Any, _args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    request = _request("text_completion", _GENERATION_PARAMETERS, client, keywords)
    return request._replace(chunks=GenerationChunks()) if keywords.get("stream") else request


def _embedding_request(client: Any, _args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    return _request("embeddings", _EMBEDDING_PARAMETERS, client, keywords)


def _read_numbers(_numbers: Any) -> Reply:
    return Reply()


def _request(operation: str, parameters: dict[str, str], client: Any, keywords: dict[str, Any]) -> Request:
    """Read what all calls have in common. An address may stand where a model's name does."""
    asked = [name for name in (keywords.get("model"), client.model) if isinstance(name, str)]
    model = next((name for name in asked if not _is_address(name)), None)
    address = next(filter(_is_address, asked), None)
    name, _, suffix = (model or "").partition(":")
    provider = client.provider or ""
    if provider in _CHOSEN_BY_ROUTER and address is None:
        provider = suffix  # `org/model:together` is how the router is told
    token = client.token if isinstance(client.token, str) else ""
    endpoint = _endpoint(address, provider, is_own_key=bool(token) and not token.startswith("hf_"))
    return Request(operation, name or None, endpoint, keywords, of_parameters(keywords, parameters))


def _is_address(model: str) -> bool:
    return model.startswith(("http://", "https://"))


@lru_cache(maxsize=256)
def _endpoint(address: str | None, provider: str, *, is_own_key: bool) -> Endpoint:
    """Say where a call goes: to a given address, with a key of the provider's own to the provider, else to the router.

    Prices of what Hugging Face bills are listed by the provider behind it, as `huggingface_together`.
    """
    if address is not None:
        url = urlsplit(address)
        host = url.hostname or ""
        return Endpoint(provider_at(host) or "huggingface", host, port_of(url.scheme, url.port))
    if provider in _CHOSEN_BY_ROUTER:
        return Endpoint("huggingface", _ROUTER, 443)
    if is_own_key:
        return Endpoint(_OWN_NAMES.get(provider, provider))
    return Endpoint(f"huggingface_{provider}", _ROUTER, 443)


_SYNC = "huggingface_hub.inference._client"
_ASYNC = "huggingface_hub.inference._generated._async_client"


def _calls(method: str, request: ReadRequest, reply: Any) -> tuple[Call, Call]:
    """Return a method of the synchronous and of the asynchronous client."""
    return (
        Call(module=_SYNC, attribute=f"InferenceClient.{method}", request=request, reply=reply),
        Call(module=_ASYNC, attribute=f"AsyncInferenceClient.{method}", kind="async", request=request, reply=reply),
    )


PROVIDER = Provider(
    name="huggingface-hub",
    distribution="huggingface_hub",
    versions=">=0.30,<3",
    calls=(
        *_calls("chat_completion", _chat_request, _read_chat),
        *_calls("text_generation", _generation_request, read_generation),
        *_calls("feature_extraction", _embedding_request, _read_numbers),
    ),
)
