"""What LiteLLM does between a call and its answer, and tells nobody: what it counts itself, and what it converts."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from llmlab.capture.faults import Guard

_listening = Guard("listen to LiteLLM")


class Overheard:
    """What was heard inside of one call."""

    __slots__ = ("chat", "cohere", "counts", "stream")

    def __init__(self) -> None:
        self.counts: list[int] = []
        """What LiteLLM's own tokenizer counted. It does so for whatever a provider does not report."""
        self.chat: Any = None
        """The chat completion that an answer of the Responses API was made of; None where the provider has that API."""
        self.cohere: Any = None
        """The body of Cohere's own answer, of which LiteLLM takes the tokens that were processed, not those billed."""
        self.stream: Any = None
        """LiteLLM's own stream, which keeps the chunks as the provider sent them in `chunks`."""

    @property
    def estimates(self) -> set[int]:
        """The counts that may stand in a usage without being the provider's."""
        return {*self.counts, sum(self.counts)} - {0}


_current: ContextVar[Overheard | None] = ContextVar("llmlab.litellm", default=None)
"""LiteLLM takes the context along into the threads that it works in."""


def overhear() -> Overheard:
    """Begin to listen to a call that is about to be made here."""
    overheard = Overheard()
    _current.set(overheard)
    return overheard


def overheard() -> Overheard:
    """Return what was heard of the call that was made here last, and hear no more of it."""
    heard = _current.get()
    _current.set(None)
    return heard or Overheard()


def note_count(original: Callable[..., int], _: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> int:
    """Listen to the function that counts the tokens of a text or of messages. The pieces of it count for nothing."""
    listener = _current.get()
    if listener is None:
        return original(*args, **keywords)
    _current.set(None)
    try:
        count = original(*args, **keywords)
    finally:
        _current.set(listener)
    listener.counts.append(count)
    return count


def note_counts_of(
    original: Callable[..., Callable[..., int]], _: Any, args: tuple[Any, ...], keywords: dict[str, Any]
) -> Callable[..., int]:
    """Listen to the function that returns the one that counts."""
    count = original(*args, **keywords)
    return lambda *texts, **options: note_count(count, None, texts, options)


def note_tokens(
    original: Callable[..., list[int]], _: Any, args: tuple[Any, ...], keywords: dict[str, Any]
) -> list[int]:
    """Listen to the tokenizer, which some of LiteLLM's providers ask directly."""
    tokens = original(*args, **keywords)
    listener = _current.get()
    if listener is not None:
        listener.counts.append(len(tokens))
    return tokens


def note_stream(original: Callable[..., None], stream: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    """Listen to the making of LiteLLM's streams. What the caller gets may be something around one."""
    listener = _current.get()
    if listener is not None:
        listener.stream = stream
    original(*args, **keywords)


_endings: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
"""The last event of each stream of Cohere's, by LiteLLM's reader of that stream, which throws away what it counts."""


def note_cohere_event(
    original: Callable[..., Any], reader: Any, args: tuple[Any, ...], keywords: dict[str, Any]
) -> Any:
    """Listen to the function that reads one event of a stream of Cohere's."""
    event: Any = args[0] if args else keywords.get("chunk")
    if isinstance(event, dict) and (event.get("type") == "message-end" or event.get("event_type") == "stream-end"):  # pyright: ignore[reportUnknownMemberType]
        with _listening:
            _endings[reader] = event
    return original(*args, **keywords)


def cohere_ending(stream: Any) -> Any:
    """Return the event that ended a stream of LiteLLM's, None where it is not Cohere's or has not ended."""
    try:
        return _endings.get(stream.completion_stream)
    except (AttributeError, TypeError):  # the readers of other providers may be anything
        return None


def note_chat(original: Callable[..., Any], _: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Listen to the function that makes an answer of the Responses API out of a chat completion."""
    listener = _current.get()
    if listener is not None:
        listener.chat = keywords.get("chat_completion_response")
    return original(*args, **keywords)


def note_cohere(original: Callable[..., Any], _: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Listen to the function that reads what Cohere answered."""
    answer = original(*args, **keywords)
    listener, response = _current.get(), keywords.get("raw_response")
    if listener is not None and response is not None:
        with _listening:
            listener.cohere = response.json()
    return answer
