"""The SDK `mistralai`: chat, agents, fill-in-the-middle and embeddings, on Mistral's own API, Azure and Vertex AI.

`chat.parse` and its kin call what is wrapped here and so are recorded too. The shapes hold from 1.9.3 to 3.7; both
ends are tested. Older versions throw away the cached tokens. With 2.0 the modules moved from `mistralai` to
`mistralai.client`.
"""

from functools import lru_cache
from typing import Any, Literal
from urllib.parse import urlsplit

from llmlab import semconv
from llmlab.capture.attributes import of_parameters
from llmlab.formats.openai import ChatChunks, read_completion
from llmlab.hosts import Endpoint, port_of
from llmlab.providers import Call, Provider, ReadRequest, Reply, Request

_PARAMETERS = {
    "max_tokens": semconv.REQUEST_MAX_TOKENS,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
    "n": semconv.REQUEST_CHOICE_COUNT,
    "reasoning_effort": semconv.REQUEST_REASONING_LEVEL,
    "output_dimension": semconv.EMBEDDINGS_DIMENSIONS,
}


class MistralChunks(ChatChunks):
    """Reads the events of a stream. The last one carries the usage, whether or not anybody asked."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(hide_usage=False)

    def read(self, chunk: Any) -> bool:
        """Take note of an event, which holds the chunk."""
        return super().read(chunk.data)

    def reply(self) -> Reply:
        """Return what the events reported."""
        return _corrected(super().reply(), self._usage).changed(ended=True if self._usage is not None else None)


def _read_reply(response: Any) -> Reply:
    return _corrected(read_completion(response), response.usage)


def _corrected(reply: Reply, usage: Any) -> Reply:
    """Return the reply without the zeros that the SDK fills in, and with what its types do not know."""
    if usage is None:
        return reply
    extra: dict[str, Any] = usage.model_extra or {}
    reported = {name: value for name, value in (vars(usage) | extra).items() if name in usage.model_fields_set}
    details: Any = reported.get("prompt_tokens_details") or {}
    cached = details.get("cached_tokens", reported.get("num_cached_tokens"))
    audio_s = reported.get("prompt_audio_seconds")
    tier = reported.get("service_tier")
    known = reply.usage._replace(
        input=reply.usage.input if "prompt_tokens" in reported else None,
        output=reply.usage.output if "completion_tokens" in reported else None,
        cache_read=cached if type(cached) is int else None,
        audio_ms=audio_s * 1000 if type(audio_s) is int else None,
    )
    return reply.with_usage(known, tier=tier if isinstance(tier, str) else None)


def _request(operation: str, provider: str, *, streams: bool) -> ReadRequest:
    def read(resource: Any, _args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
        url = keywords.get("server_url") or resource.sdk_configuration.get_server_details()[0]
        model = keywords.get("model")  # an agent has its own
        attributes = of_parameters(keywords, _PARAMETERS)
        chunks = MistralChunks() if streams else None
        return Request(operation, model, _endpoint(url, provider), keywords, attributes, chunks)

    return read


@lru_cache(maxsize=256)
def _endpoint(url: str, provider: str) -> Endpoint:
    parts = urlsplit(url)
    return Endpoint(provider, parts.hostname or "", port_of(parts.scheme, parts.port))


def _call(module: str, attribute: str, request: ReadRequest, kind: Literal["sync", "async"]) -> Call:
    return Call(module=module, attribute=attribute, kind=kind, request=request, reply=_read_reply)


def _text_calls(module: str, resource: str, operation: str, provider: str = "mistral_ai") -> tuple[Call, ...]:
    whole = _request(operation, provider, streams=False)
    streamed = _request(operation, provider, streams=True)
    return (
        _call(module, f"{resource}.complete", whole, "sync"),
        _call(module, f"{resource}.complete_async", whole, "async"),
        _call(module, f"{resource}.stream", streamed, "sync"),
        _call(module, f"{resource}.stream_async", streamed, "async"),
    )


def _calls(package: str) -> tuple[Call, ...]:
    embeddings = _request("embeddings", "mistral_ai", streams=False)
    return (
        *_text_calls(f"{package}.chat", "Chat", "chat"),
        *_text_calls(f"{package}.agents", "Agents", "chat"),
        *_text_calls(f"{package}.fim", "Fim", "text_completion"),
        _call(f"{package}.embeddings", "Embeddings.create", embeddings, "sync"),
        _call(f"{package}.embeddings", "Embeddings.create_async", embeddings, "async"),
    )


PROVIDER = Provider(
    name="mistralai",
    distribution="mistralai",
    versions=">=1.9.3,<4",
    content=("openai_content:CHAT", "openai_content:COMPLETION"),
    calls=(
        *_calls("mistralai"),
        *_calls("mistralai.client"),
        *_text_calls("mistralai.azure.client.chat", "Chat", "chat", "azure.ai.inference"),
        *_text_calls("mistralai.gcp.client.chat", "Chat", "chat", "gcp.vertex_ai"),
        *_text_calls("mistralai.gcp.client.fim", "Fim", "text_completion", "gcp.vertex_ai"),
    ),
)
