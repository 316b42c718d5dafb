"""What calls of the SDK `openai` ask for, beside chat completions: responses, embeddings, images, audio."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import ref

from opentelemetry.util.types import AttributeValue

from llmlab import semconv
from llmlab.capture.attributes import PLAIN
from llmlab.capture.raw_responses import raw_mode
from llmlab.formats.openai_media import ImageEvents, TranscriptionEvents
from llmlab.formats.openai_responses import ResponseEvents
from llmlab.formats.openai_streams import ask_for_usage
from llmlab.hosts import Endpoint, port_of, provider_at
from llmlab.image_kind import kind_of
from llmlab.providers import Request

_RESPONSE_PARAMETERS = {
    "max_output_tokens": semconv.REQUEST_MAX_TOKENS,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
    "service_tier": semconv.OPENAI_REQUEST_SERVICE_TIER,
}
_IMAGE_PARAMETERS = {"n": semconv.REQUEST_CHOICE_COUNT}
_TRANSCRIPTION_PARAMETERS = {"temperature": semconv.REQUEST_TEMPERATURE}
_EMBEDDING_PARAMETERS = {"dimensions": semconv.EMBEDDINGS_DIMENSIONS}

_NO_NAMES: Mapping[str, str] = {}
_NOTHING_SAID: Mapping[str, AttributeValue] = {}

_CLIENT_PROVIDERS = {"BaseAzureClient": "azure.ai.openai", "BedrockOpenAI": "aws.bedrock"}
"""Client classes that tell more than the host name, which may be a gateway's."""


MAX_CLIENTS = 256
"""Clients whose endpoint is remembered: one made for each request must not fill the memory."""


@dataclass(slots=True)
class _Known:
    """The endpoint of a client, as long as the client has this URL: reading one takes longer than all the rest."""

    client: "ref[Any]"
    held: Any
    """What the client keeps its URL in. `base_url` is a property, which takes a microsecond."""
    endpoint: Endpoint


_endpoints: dict[int, _Known] = {}
_latest: list[_Known] = []
"""The endpoint of the client that was used last, if any: most applications have one, and need not look for it."""


def read_request(
    resource: Any,
    _args: tuple[Any, ...],
    keywords: dict[str, Any],
    *,
    operation: str,
    names: Mapping[str, str] = _NO_NAMES,
    said: Mapping[str, AttributeValue] = _NOTHING_SAID,
    is_completion: bool = False,
) -> Request:
    """Read what all calls have in common: the model, parameters, and where the client of the resource sends them.

    The parameters in `names` become attributes, beside those in `said`. `is_completion`: with `stream=True` the call
    returns a stream in the format of chat completions.
    """
    attributes = {**said}
    for name, value in keywords.items():  # `of_parameters` would be one call more
        if name in names and isinstance(value, PLAIN):
            attributes[names[name]] = value
    endpoint = _endpoint(resource._client)  # noqa: SLF001 - the SDK's resources keep their client nowhere else
    model = keywords.get("model")
    if not isinstance(model, str):
        model = None
    raw = "extra_headers" in keywords and raw_mode(keywords) is not None
    if not is_completion or not keywords.get("stream"):
        return Request(operation, model, endpoint, keywords, attributes, None, raw)
    sent, chunks, refused = ask_for_usage(keywords, endpoint, model)
    return Request(operation, model, endpoint, sent, attributes, chunks, raw, refused)


embeddings_request = partial(read_request, operation="embeddings", names=_EMBEDDING_PARAMETERS)
"""Reads a call of `embeddings.create`."""
translation_request = partial(read_request, operation="translation", names=_TRANSCRIPTION_PARAMETERS)
"""Reads a call of `audio.translations.create`."""
speech_request = partial(read_request, operation="speech_generation")
"""Reads a call of `audio.speech.create`."""


def response_request(responses: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    """Read a call of `responses.create`, `parse` or `compact`."""
    attributes: dict[str, AttributeValue] = {semconv.OPENAI_API_TYPE: "responses"}
    reasoning = keywords.get("reasoning")
    if isinstance(reasoning, Mapping) and isinstance(effort := reasoning.get("effort"), str):
        attributes[semconv.REQUEST_REASONING_LEVEL] = effort
    request = read_request(responses, args, keywords, operation="chat", names=_RESPONSE_PARAMETERS, said=attributes)
    return request.changed(chunks=ResponseEvents()) if keywords.get("stream") else request


def response_helper_request(responses: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Request | None:
    """Read a call of `responses.stream`, which may also fetch a response that exists already."""
    if "input" not in keywords:
        return None
    return response_request(responses, args, {**keywords, "stream": True})


def inside_response_helper(helper: Any, wrap: Callable[[Any], Any]) -> Any:
    """Watch the stream that the helper reads from. Closing the helper closes the connection, but not that stream."""
    helper._raw_stream = wrap(helper._raw_stream)  # noqa: SLF001 - the SDK names it nowhere else
    return helper


def image_request(images: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    """Read a call of `images.generate`, `edit` or `create_variation`."""
    kind = kind_of(keywords.get("quality"), keywords.get("size"))
    request = read_request(
        images, args, keywords, operation="image_generation", names=_IMAGE_PARAMETERS, said=kind.attributes
    )
    if not keywords.get("stream"):
        return request
    wanted = keywords.get("n")
    return request.changed(chunks=ImageEvents(wanted if isinstance(wanted, int) else 1))


def transcription_request(transcriptions: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    """Read a call of `audio.transcriptions.create`."""
    request = read_request(transcriptions, args, keywords, operation="transcription", names=_TRANSCRIPTION_PARAMETERS)
    return request.changed(chunks=TranscriptionEvents()) if keywords.get("stream") else request


def _endpoint(client: Any) -> Endpoint:
    for known in _latest:
        if known.client() is client and known.held is client._base_url:  # noqa: SLF001 - see `_Known.held`
            return known.endpoint
    held = vars(client).get("_base_url")
    known = _endpoints.get(id(client))
    if known is None or known.held is not held or known.client() is not client:
        if len(_endpoints) >= MAX_CLIENTS:
            _endpoints.clear()
        known = _endpoints[id(client)] = _Known(ref(client), held, _read_endpoint(client))
    if held is not None:
        _latest[:] = (known,)
    return known.endpoint


def _read_endpoint(client: Any) -> Endpoint:
    url = client.base_url
    names = (base.__name__.removeprefix("Async") for base in type(client).__mro__)
    named = next((_CLIENT_PROVIDERS[name] for name in names if name in _CLIENT_PROVIDERS), None)
    return Endpoint(named or provider_at(url.host) or "openai", url.host, port_of(url.scheme, url.port))
