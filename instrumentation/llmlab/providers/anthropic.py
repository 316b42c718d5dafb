"""The SDK `anthropic`, with its clients for Amazon Bedrock, Vertex AI and Microsoft Foundry.

Every way of making a call (`create`, `stream`, `parse`, the tool runner, threads, raw responses, beta, all clients)
ends in the client's own `request`, with the same path. So that is what is wrapped. A call that the SDK retries, or
sends to another model, is still one `request`.

Since 1.14 the SDK makes a span of its own for each request. Inside a call that we record it gets ours instead; its
other spans (tool runs, token counts, batches) stay. The shapes hold for 0.45 up to 2.11; both ends are tested.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from opentelemetry.util.types import AttributeValue

from llmlab import semconv
from llmlab.capture.attributes import of_parameters
from llmlab.capture.faults import Guard
from llmlab.capture.raw_responses import RAW_RESPONSE_HEADER
from llmlab.formats.anthropic import MessageEvents, read_message
from llmlab.hosts import Endpoint, port_of, provider_at
from llmlab.providers import Call, Finished, Provider, Reply, Request

_listening = Guard("read an answer before the SDK parses it")

_MESSAGES = "/v1/messages"
_BATCHES = "/v1/messages/batches/"

_PARAMETERS = {
    "max_tokens": semconv.REQUEST_MAX_TOKENS,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
}

_CLIENT_PROVIDERS = {
    "BaseBedrockClient": "aws.bedrock",
    "BaseMantleClient": "aws.bedrock",
    "BaseVertexClient": "gcp.vertex_ai",
    "BaseFoundryClient": "anthropic",  # at a host that is Azure's, by Anthropic's prices
}
"""Client classes that tell more than the host name, which may be a gateway's."""


def _request(client: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Request | None:
    options = arguments[1] if len(arguments) > 1 else keywords["options"]
    path: str = options.url.partition("?")[0]
    method: str = options.method.lower()
    if method == "post" and path == _MESSAGES:
        return _message_request(client, options, keywords)
    if method == "get" and path.endswith("/results") and _BATCHES in path:
        return _results_request(client, options, keywords)
    return None


def _message_request(client: Any, options: Any, keywords: dict[str, Any]) -> Request:
    body = {**_mapping(options.json_data), **_mapping(options.extra_json)}
    model = body.get("model")
    return Request(
        "chat",
        model if isinstance(model, str) else None,
        _endpoint_of(client),
        keywords,
        _attributes(body),
        MessageEvents() if keywords.get("stream") else None,
        _is_raw(options),
        overheard=_overhear(options),
    )


class _Parser:
    """The parser of `parse`, which fails when the answer is cut off or breaks the wanted form."""

    def __init__(self, parse: Callable[[Any], Any]) -> None:
        self._parse = parse
        self._reply = Reply()

    def __call__(self, message: Any) -> Any:
        with _listening:
            self._reply = read_message(message)
        return self._parse(message)

    def reply(self) -> Reply:
        return self._reply


def _overhear(options: Any) -> Callable[[], Reply] | None:
    if not callable(options.post_parser):
        return None
    # The SDK makes these options for each call anew.
    options.post_parser = parser = _Parser(options.post_parser)
    return parser.reply


def _results_request(client: Any, options: Any, keywords: dict[str, Any]) -> Request:
    endpoint = _endpoint_of(client)

    def read_result(response: Any) -> Finished | None:
        """Read one result of a batch: only what succeeded is billed."""
        if response.result.type != "succeeded":
            return None
        reply = read_message(response.result.message)
        return Finished(Request("chat", None, endpoint, {}, {semconv.BATCH: True}, is_over=True), reply)

    return Request("chat", None, endpoint, keywords, raw=_is_raw(options), results=read_result)


def _attributes(body: Mapping[str, Any]) -> dict[str, AttributeValue]:
    attributes = of_parameters(body, _PARAMETERS)
    effort = _mapping(body.get("output_config")).get("effort")
    if isinstance(effort, str):
        attributes[semconv.REQUEST_REASONING_LEVEL] = effort
    return attributes


def _is_raw(options: Any) -> bool:
    return RAW_RESPONSE_HEADER in _mapping(options.headers)


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a value that may be one of the SDK's markers for "not given"."""
    if isinstance(value, dict):  # asking for a dictionary is cheaper, and mostly right
        return value
    return value if isinstance(value, Mapping) else {}


def _endpoint_of(client: Any) -> Endpoint:
    url = client.base_url
    return _endpoint(type(client), url.scheme, url.host, url.port)


@lru_cache(maxsize=256)
def _endpoint(client_class: type, scheme: str, host: str, port: int | None) -> Endpoint:
    names = (base.__name__ for base in client_class.__mro__)
    named = next((_CLIENT_PROVIDERS[name] for name in names if name in _CLIENT_PROVIDERS), None)
    return Endpoint(named or provider_at(host) or "anthropic", host, port_of(scheme, port))


_CLIENT = "anthropic._base_client"

PROVIDER = Provider(
    name="anthropic",
    distribution="anthropic",
    versions=">=0.45,<3",
    content=("anthropic_content:MESSAGES",),
    calls=(
        Call(module=_CLIENT, attribute="SyncAPIClient.request", request=_request, reply=read_message),
        Call(module=_CLIENT, attribute="AsyncAPIClient.request", kind="async", request=_request, reply=read_message),
    ),
    own_spans=((_CLIENT, "start_api_call_span"),),
)
