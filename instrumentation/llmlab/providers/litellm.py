"""The library `litellm`, which speaks to many providers, through their SDKs or with its own HTTP code.

A call is recorded here, where its provider is known, and not again by the SDK below. It is recorded inside of LiteLLM's
decorator `client`: what that answers from the cache is no call, what it makes anew is a call again, and who imported a
function before it was instrumented holds the decorator. A call with `fallbacks` makes further calls, and each of those
is recorded instead.
"""

import sys
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmlab import semconv
from llmlab.capture.attributes import of_parameters
from llmlab.formats.litellm import Chunks, Events, read, read_embeddings, read_responses
from llmlab.formats.openai_streams import asked_for_usage
from llmlab.frameworks.litellm import (
    Overheard,
    note_chat,
    note_cohere,
    note_cohere_event,
    note_count,
    note_counts_of,
    note_stream,
    note_tokens,
    overhear,
    overheard,
)
from llmlab.hosts import Endpoint, port_of, provider_at
from llmlab.providers import Call, Hook, Provider, ReadRequest, Reply, Request

if TYPE_CHECKING:
    from llmlab.capture.wrapping import Wrapper

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
    request, heard = _request(operation, position, client, args, keywords), overhear()
    if request is None or not keywords.get("stream"):
        return request
    return asked_for_usage(request, partial(Chunks, heard))


def _responses_request(client: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    request, heard = _request("chat", 1, client, args, keywords), overhear()
    if request is None or not keywords.get("stream"):
        return request
    return request.changed(chunks=Events(heard))


def _embeddings_request(client: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    overhear()
    return _request("embeddings", 0, client, args, keywords)


def _heard_out(stream: Any, wrap: Callable[[Any], Any]) -> Any:
    """Listen no more: what happens here from now on belongs to other calls."""
    overheard()
    return wrap(stream)


def _calls(
    name: str, home: str, request: ReadRequest, read_reply: Callable[[Any, Overheard], Reply]
) -> tuple[Call, ...]:
    """Return the calls of a function and of its asynchronous twin.

    `client`, the decorator of both, answers from LiteLLM's cache and makes failed calls anew.
    """
    both = partial(
        Call,
        module=home,
        closure="original_function",
        request=request,
        reply=lambda result: read_reply(result, overheard()),
        replace_stream=_heard_out,
    )
    return both(attribute=name), both(attribute=f"a{name}", kind="async")


def _hook(module: str, attribute: str, listen: "Wrapper") -> Hook:
    return Hook(module=module, attribute=attribute, wrapper=lambda _recorder: listen, is_optional=True)


_ENCODING = "litellm.litellm_core_utils.default_encoding"
_COUNTER = "litellm.litellm_core_utils.token_counter"
_STREAMS = "litellm.litellm_core_utils.streaming_handler"
_COHERE = "litellm.llms.cohere.common_utils"
_BRIDGE = "litellm.responses.litellm_completion_transformation.transformation"

PROVIDER = Provider(
    name="litellm",
    distribution="litellm",
    versions=">=1.80,<2",
    content=("openai_content:CHAT", "openai_content:COMPLETION", "openai_responses_content:RESPONSES"),
    calls=(
        *_calls("completion", "litellm.main", partial(_chat_request, "chat", 0), read),
        *_calls("text_completion", "litellm.main", partial(_chat_request, "text_completion", 1), read),
        *_calls("embedding", "litellm.main", _embeddings_request, read_embeddings),
        *_calls("responses", "litellm.responses.main", _responses_request, read_responses),
    ),
    hooks=(
        _hook(_COUNTER, "token_counter", note_count),
        _hook("litellm.utils", "token_counter_new", note_count),  # what older versions of its `token_counter` call
        _hook("litellm.utils", "get_token_counter_new", note_counts_of),  # what newer ones do
        _hook(_ENCODING, "encoding.encode", note_tokens),
        _hook(_ENCODING, "encoding.encode_ordinary", note_tokens),
        _hook(_STREAMS, "CustomStreamWrapper.__init__", note_stream),
        _hook("litellm.llms.cohere.chat.v2_transformation", "CohereV2ChatConfig.transform_response", note_cohere),
        _hook(_COHERE, "ModelResponseIterator.chunk_parser", note_cohere_event),
        _hook(_COHERE, "CohereV2ModelResponseIterator.chunk_parser", note_cohere_event),
        _hook(
            _BRIDGE,
            "LiteLLMCompletionResponsesConfig.transform_chat_completion_response_to_responses_api_response",
            note_chat,
        ),
    ),
)
