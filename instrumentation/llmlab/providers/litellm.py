"""The library `litellm`, which speaks to many providers, through their SDKs or with its own HTTP code.

A call is recorded here, where its provider is known, and not again by the SDK below. The functions have two homes:
the package itself, where applications and LiteLLM's router look them up, and the module that defines them. A call with
`fallbacks` makes further calls through the package, and each of those is recorded instead.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any
from urllib.parse import urlsplit

from llmlab import semconv
from llmlab.capture.attributes import of_parameters
from llmlab.capture.switches import asks_for_stream_usage
from llmlab.formats.litellm import Chunks, read, read_embeddings, read_responses
from llmlab.formats.openai_responses import ResponseEvents
from llmlab.hosts import Endpoint, port_of, provider_at
from llmlab.providers import Call, Provider, ReadRequest, Reply, Request

_logger = logging.getLogger("llmlab")

_PARAMETERS = {
    "max_tokens": semconv.REQUEST_MAX_TOKENS,
    "max_completion_tokens": semconv.REQUEST_MAX_TOKENS,
    "max_output_tokens": semconv.REQUEST_MAX_TOKENS,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
    "n": semconv.REQUEST_CHOICE_COUNT,
    "reasoning_effort": semconv.REQUEST_REASONING_LEVEL,
    "service_tier": semconv.OPENAI_REQUEST_SERVICE_TIER,
    "dimensions": semconv.EMBEDDINGS_DIMENSIONS,
}

_CONVENTIONAL = {
    "anthropic_text": "anthropic",
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "azure_text": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "codestral": "mistral_ai",
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "sagemaker": "aws.sagemaker",
    "text-completion-codestral": "mistral_ai",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""LiteLLM's names of providers, where the conventions or price lists have others."""

_OPENAI_LIKE = frozenset({"openai", "custom_openai", "openai_like", "text-completion-openai"})
"""What LiteLLM calls every host that speaks OpenAI's API and has no name of its own."""

_UNBILLED = ("mock_response", "mock_tool_calls", "fallbacks")
"""Arguments of calls that send nothing themselves."""


def _request(operation: str, position: int, client: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Read a call whose model is the argument at this position."""
    del client
    if any(keywords.get(name) for name in _UNBILLED):
        return None
    model = keywords.get("model", args[position] if len(args) > position else None)
    base = keywords.get("api_base") or keywords.get("base_url")
    name, endpoint = _routed(_text(model), _text(keywords.get("custom_llm_provider")), _text(base))
    return Request(operation, name or None, endpoint, keywords, of_parameters(keywords, _PARAMETERS))


def _text(value: Any) -> str:
    return str(getattr(value, "value", value)) if value else ""


@lru_cache(maxsize=256)
def _routed(model: str, provider: str, base: str) -> tuple[str, Endpoint]:
    """Return the provider's own name of a model, and who serves it, by the rules of LiteLLM's `get_llm_provider`."""
    prefix, slash, rest = model.partition("/")
    library = sys.modules["litellm"]
    if slash and (prefix == provider or (not provider and prefix in getattr(library, "provider_list", ()))):
        provider, model = prefix, rest
    if not provider:
        known: Mapping[str, Any] = getattr(library, "model_cost", {}).get(model, {})
        provider = str(known.get("litellm_provider", ""))
    url = urlsplit(base)
    host = url.hostname or ""
    return model, Endpoint(_provider(provider, host), host, port_of(url.scheme, url.port))


def _provider(name: str, host: str) -> str:
    if name.startswith("vertex_ai"):
        return "gcp.vertex_ai"
    if not name or name in _OPENAI_LIKE:
        return provider_at(host) or ("openai" if name else "litellm")
    return _CONVENTIONAL.get(name, name)


def _chat_request(operation: str, position: int, client: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    request = _request(operation, position, client, args, keywords)
    if request is None or not keywords.get("stream"):
        return request
    options: Mapping[str, Any] = keywords.get("stream_options") or {}
    if "include_usage" in options or not asks_for_stream_usage():
        return request._replace(chunks=Chunks(hide_usage=False))
    return request._replace(
        keywords={**keywords, "stream_options": {**options, "include_usage": True}},
        chunks=Chunks(hide_usage=True),
        refused=_refuses_stream_options,
    )


def _refuses_stream_options(error: Exception) -> bool:
    """Say whether a call failed because of the `stream_options` that we added."""
    if getattr(error, "status_code", None) not in {400, 422} or "stream_options" not in str(error):
        return False
    _logger.warning("litellm refuses stream_options, so this stream may report no usage")
    return True


def _responses_request(client: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    request = _request("chat", 1, client, args, keywords)
    return request._replace(chunks=ResponseEvents()) if request is not None and keywords.get("stream") else request


def _calls(name: str, home: str, request: ReadRequest, reply: Callable[[Any], Reply] = read) -> tuple[Call, ...]:
    """Return the calls of a function and of its asynchronous twin, in both of their homes."""
    both = partial(Call, request=request, reply=reply)
    return tuple(
        call
        for module in (home, "litellm")
        for call in (
            both(module=module, attribute=name),
            both(module=module, attribute=f"a{name}", kind="async"),
        )
    )


PROVIDER = Provider(
    name="litellm",
    distribution="litellm",
    versions=">=1.80,<2",
    calls=(
        *_calls("completion", "litellm.main", partial(_chat_request, "chat", 0)),
        *_calls("text_completion", "litellm.main", partial(_chat_request, "text_completion", 1)),
        *_calls("embedding", "litellm.main", partial(_request, "embeddings", 0), read_embeddings),
        *_calls("responses", "litellm.responses.main", _responses_request, read_responses),
    ),
)
