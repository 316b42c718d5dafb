"""Amazon Bedrock through `boto3`: Converse and InvokeModel, each whole and streamed.

boto3 makes the methods of its clients as it goes, so what is wrapped is what all of them call, in `botocore`. Calls to
other services pass. The client of aiobotocore has a method of its own and is not covered, nor is the `AnthropicBedrock`
of the SDK `anthropic`, which does without boto3.

Tested from botocore 1.37.29, the first that hands out the tokens of the prompt cache, to 1.44.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from llmlab import semconv
from llmlab.capture.attributes import of_parameters
from llmlab.capture.faults import Guard
from llmlab.capture.proxies import ObjectProxy
from llmlab.capture.recording import Recording
from llmlab.formats.bedrock import ConverseEvents, InvokedBody, InvokedChunks, read_converse
from llmlab.hosts import Endpoint, port_of
from llmlab.providers import Call, ChunkReader, Provider, Request

_PARAMETERS = {
    "maxTokens": semconv.REQUEST_MAX_TOKENS,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "topP": semconv.REQUEST_TOP_P,
}

_listening = Guard("read the body of a response")


class ListeningBody(ObjectProxy):
    """The stream of bytes below a `StreamingBody`. It hands on what the caller reads, and settles the call at the end.

    Below it, because a `StreamingBody` can be read in many ways, and all of them come through here.
    """

    def __init__(self, raw: Any, length: int | None, recording: Recording, body: ChunkReader) -> None:
        """`length` in bytes; None when the response does not say."""
        super().__init__(raw)
        self._self_missing = length
        self._self_recording = recording
        self._self_body = body

    def read(self, amt: int | None = None, *args: Any, **keywords: Any) -> bytes:
        """Read the body, or a piece of it."""
        piece: bytes = self._self_try(self.__wrapped__.read, amt, *args, **keywords)
        self._self_take(piece, ended=amt is None or amt < 0 or (not piece and amt > 0))
        return piece

    def readinto(self, buffer: Any) -> int:
        """Read a piece of the body into a buffer."""
        length: int = self._self_try(self.__wrapped__.readinto, buffer)
        self._self_take(bytes(memoryview(buffer)[:length]), ended=not length and len(buffer) > 0)
        return length

    def readlines(self, *args: Any) -> list[bytes]:
        """Read the body as lines."""
        lines: list[bytes] = self._self_try(self.__wrapped__.readlines, *args)
        self._self_take(b"".join(lines), ended=not args)
        return lines

    def close(self) -> None:
        """Close the stream of bytes."""
        self._self_recording.settle_stream()
        self.__wrapped__.close()

    def _self_try(self, read: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        try:
            return read(*args, **keywords)
        except BaseException as error:
            self._self_recording.settle_stream(error=error)
            raise

    def _self_take(self, piece: bytes, *, ended: bool) -> None:
        with _listening:
            self._self_body.read(piece)
            if self._self_missing is not None:
                self._self_missing -= len(piece)
            if ended or self._self_missing == 0:
                self._self_recording.settle_stream(complete=not self._self_missing)


def _request(client: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Request | None:
    if client.meta.service_model.service_name != "bedrock-runtime":
        return None
    operation, parameters = args
    read = _OPERATIONS.get(operation)
    return read(_endpoint(client.meta.endpoint_url), parameters).changed(keywords=keywords) if read else None


def _converse(endpoint: Endpoint, parameters: dict[str, Any]) -> Request:
    attributes = of_parameters(parameters.get("inferenceConfig") or {}, _PARAMETERS)
    return Request("chat", parameters.get("modelId"), endpoint, {}, attributes)


def _converse_stream(endpoint: Endpoint, parameters: dict[str, Any]) -> Request:
    return _converse(endpoint, parameters).changed(chunks=ConverseEvents())


def _invoke(endpoint: Endpoint, parameters: dict[str, Any]) -> Request:
    return _invocation(endpoint, parameters).changed(listen=_listen)


def _invoke_stream(endpoint: Endpoint, parameters: dict[str, Any]) -> Request:
    return _invocation(endpoint, parameters).changed(chunks=InvokedChunks())


def _invocation(endpoint: Endpoint, parameters: dict[str, Any]) -> Request:
    """Read a call whose body only the model understands; what it is for shows in the model's name."""
    model: str = parameters.get("modelId") or ""
    return Request("embeddings" if "embed" in model else "chat", model or None, endpoint, {})


_OPERATIONS: dict[str, Callable[[Endpoint, dict[str, Any]], Request]] = {
    "Converse": _converse,
    "ConverseStream": _converse_stream,
    "InvokeModel": _invoke,
    "InvokeModelWithResponseStream": _invoke_stream,
}


def _listen(response: dict[str, Any], recording: Recording) -> None:
    """Put the listener below the body of a response."""
    headers: dict[str, str] = response["ResponseMetadata"]["HTTPHeaders"]
    body = recording.hear(InvokedBody(headers))
    length = headers.get("content-length", "")
    streaming_body = response["body"]
    raw = streaming_body._raw_stream  # noqa: SLF001 - botocore gives no other access to it
    listener = ListeningBody(raw, int(length) if length.isdecimal() else None, recording, body)
    streaming_body._raw_stream = listener  # noqa: SLF001


def _replace_stream(response: dict[str, Any], wrap: Callable[[Any], Any]) -> dict[str, Any]:
    name = "stream" if "stream" in response else "body"
    response[name] = wrap(response[name])
    return response


@lru_cache(maxsize=256)
def _endpoint(url: str) -> Endpoint:
    parts = urlsplit(url)
    return Endpoint("aws.bedrock", parts.hostname or "", port_of(parts.scheme, parts.port))


PROVIDER = Provider(
    name="bedrock",
    distribution="botocore",
    versions=">=1.37.29,<2",
    content=("bedrock_content:CONVERSE", "bedrock_content:INVOKE", "bedrock_content:INVOKE_STREAM"),
    calls=(
        Call(
            module="botocore.client",
            attribute="BaseClient._make_api_call",
            request=_request,
            reply=read_converse,
            replace_stream=_replace_stream,
        ),
    ),
)
