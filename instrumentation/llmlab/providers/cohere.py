"""The SDK `cohere`, both versions of Cohere's API, and the clouds that serve it.

What is wrapped are the raw clients (`with_raw_response`), because every other method goes through them. One call of
`Client.embed` sends several requests when there are many texts, and each of them is billed. The raw clients exist from
5.16; both ends, 5.16 and 7.3, are tested.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from inspect import getclosurevars
from typing import Any, Literal
from urllib.parse import urlsplit

from opentelemetry.util.types import AttributeValue

from llmlab import semconv
from llmlab.formats.cohere import ChatEvents, read_response
from llmlab.hosts import Endpoint, port_of, provider_at
from llmlab.providers import Call, Provider, ReadRequest, Reply, Request

_PARAMETERS = {
    "max_tokens": semconv.REQUEST_MAX_TOKENS,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "p": semconv.REQUEST_TOP_P,
    "num_generations": semconv.REQUEST_CHOICE_COUNT,
    "output_dimension": semconv.EMBEDDINGS_DIMENSIONS,
}


def _request(operation: str, raw_client: Any, _args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    model = keywords.get("model")
    attributes: dict[str, AttributeValue] = {
        _PARAMETERS[name]: value  # those left out are an ellipsis
        for name, value in keywords.items()
        if name in _PARAMETERS and isinstance(value, int | float)
    }
    wrapper = raw_client._client_wrapper  # noqa: SLF001 - the SDK keeps the address nowhere else
    endpoint = _endpoint(_cloud(wrapper), wrapper.get_base_url())
    return Request(operation, model if isinstance(model, str) else None, endpoint, keywords, attributes)


def _stream_request(operation: str, raw_client: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    return _request(operation, raw_client, args, keywords).changed(chunks=ChatEvents())


def _cloud(wrapper: Any) -> str | None:
    """Return the provider of a client for a cloud: a hook of its HTTP client sends each request there."""
    hooks: Mapping[str, list[Any]] = getattr(wrapper.httpx_client.httpx_client, "event_hooks", {})
    for hook in hooks.get("request", ()):
        if hook.__module__ == "cohere.aws_client":
            return f"aws.{getclosurevars(hook).nonlocals['service']}"
        if hook.__module__ == "cohere.oci_client":
            return "oci"
    return None


@lru_cache(maxsize=256)
def _endpoint(cloud: str | None, base_url: str) -> Endpoint:
    if cloud is not None:
        return Endpoint(cloud)  # the address that the client names is not where the request goes
    url = urlsplit(base_url)
    host = url.hostname or ""
    return Endpoint(provider_at(host) or "cohere", host, port_of(url.scheme, url.port))


def _read(raw_response: Any) -> Reply:
    return read_response(raw_response.data)


def _replace_stream(raw_response: Any, wrap: Callable[[Any], Any]) -> Any:
    raw_response._data = wrap(raw_response._data)  # noqa: SLF001 - `data` has no setter
    return raw_response


_V1, _V2 = "cohere.raw_base_client", "cohere.v2.raw_client"
_V1_CLASSES, _V2_CLASSES = ("RawBaseCohere", "AsyncRawBaseCohere"), ("RawV2Client", "AsyncRawV2Client")


def _calls(module: str, classes: tuple[str, str], method: str, operation: str) -> tuple[Call, Call]:
    """Return a method of the synchronous and of the asynchronous client."""
    kinds: tuple[Literal["sync", "async", "manager"], ...] = ("sync", "async")
    request: ReadRequest = partial(_request, operation)
    if method.endswith("_stream"):
        kinds, request = ("manager", "manager"), partial(_stream_request, operation)
    sync, asynchronous = (
        Call(
            module=module,
            attribute=f"{owner}.{method}",
            kind=kind,
            request=request,
            reply=_read,
            replace_stream=_replace_stream,
        )
        for owner, kind in zip(classes, kinds, strict=True)
    )
    return sync, asynchronous


PROVIDER = Provider(
    name="cohere",
    distribution="cohere",
    versions=">=5.16,<8",
    content=("cohere_content:CHAT",),
    calls=(
        *_calls(_V1, _V1_CLASSES, "chat", "chat"),
        *_calls(_V1, _V1_CLASSES, "chat_stream", "chat"),
        *_calls(_V1, _V1_CLASSES, "generate", "text_completion"),
        *_calls(_V1, _V1_CLASSES, "generate_stream", "text_completion"),
        *_calls(_V1, _V1_CLASSES, "embed", "embeddings"),
        *_calls(_V1, _V1_CLASSES, "rerank", "rerank"),
        *_calls(_V2, _V2_CLASSES, "chat", "chat"),
        *_calls(_V2, _V2_CLASSES, "chat_stream", "chat"),
        *_calls(_V2, _V2_CLASSES, "embed", "embeddings"),
        *_calls(_V2, _V2_CLASSES, "rerank", "rerank"),
    ),
)
