"""The clients for inference in the SDK `huggingface_hub`: Hugging Face's router, the providers behind it, and servers
of one's own (TGI, TEI, Inference Endpoints).

`client.chat.completions.create` is `chat_completion`. Two things report no usage: `text_generation` unless it is called
with `details=True`, and `feature_extraction`, which returns nothing but numbers. Both ends, 0.30 and 2.4, are tested.
"""

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from llmlab import semconv
from llmlab.capture.attributes import of_parameters
from llmlab.formats.openai import ChatChunks, read_completion
from llmlab.formats.openai_streams import asked_for_usage
from llmlab.formats.tgi import GenerationChunks, read_generation
from llmlab.hosts import Endpoint, port_of, provider_at
from llmlab.providers import Call, Provider, ReadRequest, Reply, Request

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


def _chat_request(client: Any, _args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    request = _request("chat", _CHAT_PARAMETERS, client, keywords)
    return asked_for_usage(request, _ChatChunks) if keywords.get("stream") else request


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
    return request.changed(chunks=GenerationChunks()) if keywords.get("stream") else request


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
    content=("openai_content:CHAT", "tgi_content:GENERATION"),
    calls=(
        *_calls("chat_completion", _chat_request, _read_chat),
        *_calls("text_generation", _generation_request, read_generation),
        *_calls("feature_extraction", _embedding_request, _read_numbers),
    ),
)
