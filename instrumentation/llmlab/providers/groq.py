"""The SDK `groq`. It speaks OpenAI's format, and reports the usage of every stream without being asked.

Audio is left out: its responses report neither tokens nor, in the SDK's types, seconds.

The module paths and shapes hold from 0.18 to 1.7; both ends are tested.
"""

from functools import lru_cache
from typing import Any, Literal

from opentelemetry.util.types import AttributeValue

from llmlab import semconv
from llmlab.capture.attributes import of_parameters
from llmlab.capture.raw_responses import raw_mode
from llmlab.formats.openai import ChatChunks, read_completion
from llmlab.hosts import Endpoint, port_of, provider_at
from llmlab.providers import Call, Provider, ReadRequest, Reply, Request

_CHAT_PARAMETERS = {
    "max_tokens": semconv.REQUEST_MAX_TOKENS,
    "max_completion_tokens": semconv.REQUEST_MAX_TOKENS,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
    "n": semconv.REQUEST_CHOICE_COUNT,
    "reasoning_effort": semconv.REQUEST_REASONING_LEVEL,
}


class GroqChunks(ChatChunks):
    """Reads the chunks of a stream. The last one carries the usage, in a field of Groq's own."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(hide_usage=False)

    def read(self, chunk: Any) -> bool:
        """Take note of a chunk."""
        metadata = chunk.x_groq
        if metadata is not None and metadata.usage is not None:
            self._usage = metadata.usage
        return super().read(chunk)

    def reply(self) -> Reply:
        """Return what the chunks reported. There is never more than one answer, so the usage ends the stream."""
        return super().reply().changed(ended=True if self._usage is not None else None)


def _chat_request(completions: Any, _args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    request = _request("chat", completions, keywords, of_parameters(keywords, _CHAT_PARAMETERS))
    return request.changed(chunks=GroqChunks()) if keywords.get("stream") else request


def _embeddings_request(embeddings: Any, _args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    return _request("embeddings", embeddings, keywords, {})


def _request(operation: str, resource: Any, keywords: dict[str, Any], attributes: dict[str, AttributeValue]) -> Request:
    url = resource._client.base_url  # noqa: SLF001 - the SDK's resources keep their client nowhere else
    endpoint = _endpoint(url.scheme, url.host, url.port)
    return Request(operation, keywords.get("model"), endpoint, keywords, attributes, raw=raw_mode(keywords) is not None)


@lru_cache(maxsize=256)
def _endpoint(scheme: str, host: str, port: int | None) -> Endpoint:
    return Endpoint(provider_at(host) or "groq", host, port_of(scheme, port))


_CHAT = "groq.resources.chat.completions"
_EMBEDDINGS = "groq.resources.embeddings"


def _call(module: str, attribute: str, request: ReadRequest, *, kind: Literal["sync", "async"] = "sync") -> Call:
    return Call(module=module, attribute=attribute, kind=kind, request=request, reply=read_completion)


PROVIDER = Provider(
    name="groq",
    distribution="groq",
    versions=">=0.18,<2",
    content=("openai_content:CHAT",),
    calls=(
        _call(_CHAT, "Completions.create", _chat_request),
        _call(_CHAT, "AsyncCompletions.create", _chat_request, kind="async"),
        _call(_EMBEDDINGS, "Embeddings.create", _embeddings_request),
        _call(_EMBEDDINGS, "AsyncEmbeddings.create", _embeddings_request, kind="async"),
    ),
)
