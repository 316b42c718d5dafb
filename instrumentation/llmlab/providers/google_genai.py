"""The SDK `google-genai`, for the Gemini API and for Vertex AI.

What is wrapped are the methods below the public ones that send one request each. `generate_content` sends several when
it calls the application's functions or continues a long answer by itself, and each of them is billed. Chats go through
the same methods. They are the same from 1.20 up to 3.4; both ends are tested.

What older versions do not hand out is unknown: the tier that the Gemini API served (before 1.25, which brought the
headers), and the usage of its embeddings (up to 3.0).
"""

from functools import lru_cache
from typing import Any, Literal
from urllib.parse import urlsplit

from llmlab import semconv
from llmlab.capture.attributes import of_parameters
from llmlab.formats.gemini import GenerateChunks, fields_of, read_embeddings, read_response, text_of
from llmlab.hosts import Endpoint, port_of
from llmlab.providers import Call, Provider, ReadRequest, Request

_GENERATION_PARAMETERS = {
    "max_output_tokens": semconv.REQUEST_MAX_TOKENS,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
    "candidate_count": semconv.REQUEST_CHOICE_COUNT,
}
_EMBEDDING_PARAMETERS = {"output_dimensionality": semconv.EMBEDDINGS_DIMENSIONS}


def _generate_request(models: Any, _args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    request = _request("generate_content", models, keywords, _GENERATION_PARAMETERS)
    level = fields_of(fields_of(keywords.get("config")).get("thinking_config")).get("thinking_level")
    if level is None:
        return request
    return request.changed(attributes={**request.attributes, semconv.REQUEST_REASONING_LEVEL: text_of(level).lower()})


def _stream_request(models: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    request = _generate_request(models, args, keywords)
    candidates = request.attributes.get(semconv.REQUEST_CHOICE_COUNT)
    return request.changed(chunks=GenerateChunks(candidates if isinstance(candidates, int) else 1))


def _embed_request(models: Any, _args: tuple[Any, ...], keywords: dict[str, Any]) -> Request:
    return _request("embeddings", models, keywords, _EMBEDDING_PARAMETERS)


def _request(operation: str, models: Any, keywords: dict[str, Any], parameters: dict[str, str]) -> Request:
    client = models._api_client  # noqa: SLF001 - the SDK keeps the client nowhere else
    config = fields_of(keywords.get("config"))
    base_url = fields_of(config.get("http_options")).get("base_url") or client._http_options.base_url  # noqa: SLF001
    endpoint = _endpoint(bool(client.vertexai), str(base_url or ""))
    model = _model_name(keywords.get("model"))
    return Request(operation, model, endpoint, keywords, of_parameters(config, parameters))


@lru_cache(maxsize=256)
def _endpoint(vertex: bool, base_url: str) -> Endpoint:
    url = urlsplit(base_url)
    return Endpoint("gcp.vertex_ai" if vertex else "gcp.gemini", url.hostname or "", port_of(url.scheme, url.port))


def _model_name(model: Any) -> str | None:
    """Return the name that price lists know: `models/x`, `publishers/google/models/x` and `google/x` are all `x`."""
    return model.rpartition("models/")[2].removeprefix("google/") if isinstance(model, str) else None


def _call(
    method: str, request: ReadRequest, reply: Any = read_response, *, kind: Literal["sync", "async"] = "sync"
) -> Call:
    return Call(module="google.genai.models", attribute=method, kind=kind, request=request, reply=reply)


PROVIDER = Provider(
    name="google-genai",
    distribution="google-genai",
    versions=">=1.20,<4",
    content=("gemini_content:GENERATE",),
    calls=(
        _call("Models._generate_content", _generate_request),
        _call("Models._generate_content_stream", _stream_request),
        _call("Models.embed_content", _embed_request, read_embeddings),
        _call("AsyncModels._generate_content", _generate_request, kind="async"),
        _call("AsyncModels._generate_content_stream", _stream_request, kind="async"),
        _call("AsyncModels.embed_content", _embed_request, read_embeddings, kind="async"),
    ),
)
