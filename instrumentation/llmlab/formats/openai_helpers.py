"""Where the helpers of the SDK `openai` (`parse`, `stream`) hide from us how a call ended.

`parse` fails when an answer is cut off or breaks the wanted form. It is billed all the same, so it is read before the
SDK throws it away. `chat.completions.stream()` closes the connection below the stream that we watch.

The names hold from 1.63 up to 3.52: `parse` has moved from the resources into `openai.lib` in between.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from llmlab.capture.faults import Guard
from llmlab.capture.streams import settle_watched
from llmlab.formats.openai import read_completion
from llmlab.formats.openai_responses import read_response
from llmlab.providers import Hook, ReadRequest, Reply, Request

if TYPE_CHECKING:
    from llmlab.capture.recording import Recorder
    from llmlab.capture.wrapping import Wrapper

_NOTHING = Reply()
_refused_answer: ContextVar[Reply] = ContextVar("llmlab.refused_answer", default=_NOTHING)
"""What the SDK would not hand out. It is set and taken inside of one call, in one thread or task."""

_reading = Guard("read an answer that breaks the wanted form")
_closing = Guard("settle the stream of a helper")


def overhearing(read: ReadRequest) -> ReadRequest:
    """Return the reader of a call to `parse`, which has a reply even where the SDK fails."""

    def read_parse(resource: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Request | None:
        _refused_answer.set(_NOTHING)
        request = read(resource, args, keywords)
        return None if request is None else request.changed(overheard=_take)

    return read_parse


def _take() -> Reply:
    reply = _refused_answer.get()
    _refused_answer.set(_NOTHING)
    return reply


def _parsing(argument: str, read: Callable[[Any], Reply]) -> "Callable[[Recorder], Wrapper]":
    """Listen to a function that brings an answer, one of its keyword arguments, into the wanted form."""

    def parse(original: Callable[..., Any], _: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        try:
            return original(*args, **keywords)
        except Exception:
            with _reading:
                _refused_answer.set(read(keywords[argument]))
            raise

    return lambda _recorder: parse


def _settling(_recorder: "Recorder") -> "Wrapper":
    """Listen to the `close` of a helper, of either kind."""

    def close(original: Callable[..., Any], helper: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        with _closing:
            settle_watched(helper._raw_stream)  # noqa: SLF001 - the SDK names it nowhere else
        return original(*args, **keywords)

    return close


_CHAT = _parsing("chat_completion", read_completion)
_RESPONSE = _parsing("response", read_response)
_STREAMING = "openai.lib.streaming.chat._completions"

HOOKS = tuple(
    Hook(module=module, attribute=attribute, wrapper=wrapper, is_optional=True)
    for module, attribute, wrapper in (
        ("openai.resources.chat.completions.completions", "_parse_chat_completion", _CHAT),
        ("openai.lib._chat_completion_resources", "_parse_chat_completion", _CHAT),
        ("openai.resources.responses.responses", "parse_response", _RESPONSE),
        ("openai.lib._response_resources", "parse_response", _RESPONSE),
        (_STREAMING, "ChatCompletionStream.close", _settling),
        (_STREAMING, "AsyncChatCompletionStream.close", _settling),
    )
)
