"""The SDKs we instrument. One SDK is one module in this folder that defines `PROVIDER`; finding it needs no list.

A provider is a value. It names the functions to wrap and says how to read three things: what a call asks for, what a
response reports, and what the chunks of a stream report. Everything else (patching, spans, settling a stream once,
sync and async) is shared. A provider module never imports its SDK, except for types, and knows no other provider.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from opentelemetry.util.types import AttributeValue

from llmlab import semconv
from llmlab.capture.faults import Guard
from llmlab.counts import NO_COUNTS, NOTHING, Counts, counts_of, usage_of
from llmlab.hosts import Endpoint
from llmlab.usage import Usage

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from llmlab.capture.recording import Recorder, Recording
    from llmlab.capture.wrapping import Wrapper


@dataclass(slots=True)
class Reply:
    """What a response or a whole stream reports. None and empty mean: not said."""

    model: str | None = None
    """The served model."""
    id: str | None = None
    finish_reasons: tuple[str, ...] = ()
    """One for each choice."""
    counts: Counts = NO_COUNTS
    """What was counted. The same as arithmetic wants it is `usage`."""
    tier: str | None = None
    """The served tier."""
    cost_usd: str | None = None
    """What the provider itself says the call costs, as a plain decimal string in USD."""
    ended: bool | None = None
    """Whether the provider has said that a stream is at its end. True: all that is billed is known, even where the
    caller reads no further. False: more may be billed, even where the stream ended without an error. None: the format
    has no word for it."""
    content: Mapping[str, list[Any]] = NOTHING
    """The answer by its attribute, where the user wants it recorded (`llmlab.capture.content`)."""
    further: "tuple[Reply, ...]" = ()
    """What other models did within this call and is billed beside its usage. Each of them gets a span of its own."""
    is_estimated: bool = False
    """Whether somebody else than the provider counted: the SDK with a tokenizer of its own, or we."""
    attributes: Mapping[str, AttributeValue] = NOTHING
    """What else is worth recording, by attribute name. It replaces what the request said. Never content."""

    @property
    def usage(self) -> Usage:
        """What was counted."""
        return usage_of(self.counts)

    def with_usage(self, usage: Usage, **changes: Any) -> "Reply":
        """Return the reply with other counts, and with what else is to change."""
        return self.changed(counts=counts_of(usage), **changes)

    def changed(self, **changes: Any) -> "Reply":
        """Return the reply with some fields changed."""
        return replace(self, **changes)


class ChunkReader(Protocol):
    """Reads the chunks of one stream as they pass. It keeps numbers and names, never content."""

    def read(self, chunk: Any) -> bool:
        """Take note of a chunk. Return True when the caller must not see it, because only we asked for it."""
        ...

    def reply(self) -> Reply:
        """Return what the chunks reported so far; called when the stream has ended, however it ended."""
        ...


class LoopingReader(ABC):
    """A reader of chunks with a loop of its own, for a format most of whose chunks report nothing.

    To look at such a chunk takes less than to call somebody who does. A reader that is derived from one with a loop
    inherits the loop too.
    """

    __slots__ = ()

    @abstractmethod
    def pass_on(self, stream: Iterable[Any], recording: "Recording") -> Iterator[Any]:
        """Yield the chunks that the caller may see, and take note of all. Only what the stream raises is raised.

        Tells the recording of the first chunk, and settles it at the end of the stream as at its error.
        """
        ...


@dataclass(slots=True)
class Request:
    """What one call asks for, and how to make it."""

    operation: str
    """`chat`, `embeddings` ...: the conventions' `gen_ai.operation.name`."""
    model: str | None
    endpoint: Endpoint
    keywords: Mapping[str, Any]
    """The keyword arguments to call the SDK with: the caller's, unless a stream has to be asked for its usage."""
    attributes: Mapping[str, AttributeValue] = NOTHING
    """Parameters worth recording, by attribute name. Never content."""
    chunks: ChunkReader | None = None
    """Reads the stream that the call returns. None when the call does not stream."""
    raw: bool = False
    """Whether the SDK hands out its raw response instead of the parsed one (`llmlab.capture.raw_responses`)."""
    refused: Callable[[Exception], bool] | None = None
    """Given when `keywords` differ from the caller's: says whether an error means that the provider refuses the
    difference. The call is then made once more, as the caller wrote it."""
    overheard: Callable[[], Reply] | None = None
    """Given when the SDK may fail after the provider has answered, because the answer has not the wanted form. Returns
    what was answered, which is billed all the same."""
    listen: "Callable[[Any, Recording], None] | None" = None
    """Given when the caller reads the body of the response later: listens to that, and settles the recording then."""
    results: "Callable[[Any], Finished | None] | None" = None
    """Given when the call only fetches what other calls answered: the results of a batch. Reads one item of the stream
    that the call returns; None when nothing was billed for it. Each item gets a span, the call itself gets none."""
    is_over: bool = False
    """Whether the call was over when we heard of it, so that nobody knows how long it took."""
    beside: "Callable[[ChunkReader], ChunkReader] | None" = None
    """Given when somebody else wants to read along: what `listen` reads a body with goes through here
    (`Recording.hear`)."""
    told: "Callable[[Span, Reply, Mapping[str, AttributeValue]], None] | None" = None
    """Given when somebody wants to know how the call ended: told just before its span ends, with the attributes that
    the span got. It raises nothing."""

    def changed(self, **changes: Any) -> "Request":
        """Return the request with some fields changed."""
        return replace(self, **changes)


Message = dict[str, Any]
"""A message in the form of the conventions: `role` and `parts`."""


class Asked(NamedTuple):
    """The content of a request, in the forms of the conventions."""

    messages: list[Message]
    system: Sequence[Mapping[str, Any]] = ()
    tools: Sequence[Mapping[str, Any]] = ()


class ChunkContent(Protocol):
    """Keeps what the chunks of one stream say."""

    def read(self, chunk: Any) -> None:
        """Take note of a chunk."""
        ...

    def messages(self) -> list[Message]:
        """Return what was said so far."""
        ...


class ContentFormat(NamedTuple):
    """How to read prompts and answers. Only used where the user wants them recorded."""

    asked: Callable[[tuple[Any, ...], dict[str, Any]], Asked | None]
    """Reads the arguments and keywords of a call; None when they have another format."""
    said: Callable[[Any], list[Message]]
    """Reads a response; empty when it has another format."""
    chunks: Callable[[], ChunkContent]


class Finished(NamedTuple):
    """A billed call that was made elsewhere and is over when we hear of it."""

    request: Request
    reply: Reply


ReadRequest = Callable[[Any, tuple[Any, ...], dict[str, Any]], Request | None]
"""Reads a call from its instance (None for a plain function), arguments and keywords. None: not a billed call."""


def itself(result: Any, wrap: Callable[[Any], Any]) -> Any:
    """Replace a stream where the result is the stream, as nearly everywhere."""
    return wrap(result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One function of an SDK that makes a billed call."""

    module: str
    """The module that defines it. It is patched when the application imports it, and never if it does not."""
    attribute: str
    """The path inside the module: `Completions.create`, or `completion` for a plain function."""
    kind: Literal["sync", "async", "manager"] = "sync"
    """Whether the result is returned, has to be awaited, or is a context manager that sends the request when it is
    entered (as the caller wrote it). A generator function returns its generator."""
    request: ReadRequest
    reply: Callable[[Any], Reply]
    """Reads the result of a call that does not stream."""
    is_optional: bool = False
    """Whether some supported versions lack the function."""
    closure: str = ""
    """Where the SDK decorates the function: under which name the decorator holds what it decorates. That is wrapped
    then, inside the decorator, so that it also reaches those who imported the decorated function long ago."""
    replace_stream: Callable[[Any, Callable[[Any], Any]], Any] = itself
    """Puts a wrapper around the stream inside a result and returns the result. Override it where the stream is an
    entry of a response or a field of a helper object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One function of a framework that is no billed call, but tells of one: of its beginning, its end, its result."""

    module: str
    attribute: str
    wrapper: "Callable[[Recorder], Wrapper]"
    """Makes the function to put around it."""
    is_optional: bool = False
    """Whether some supported versions lack the function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One SDK, or one framework above SDKs."""

    name: str
    """Short and lower case, as in `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=llmlab-<name>`."""
    distribution: str
    """The name on the package index."""
    versions: str
    """The supported versions, as a version specifier: `>=1.63,<4`."""
    calls: tuple[Call, ...] = ()
    hooks: tuple[Hook, ...] = ()
    """What else to listen to. A framework leaves its calls to the SDKs below, and records what none of them did."""
    tier_attribute: str = semconv.TIER
    """Where the served tier goes."""
    content: tuple[str, ...] = ()
    """The formats of its prompts and answers; the first that fits a call is taken. Each is a module in `llmlab.formats`
    and the name of a `ContentFormat` in it (`openai_content:CHAT`), imported only where content is recorded."""
    own_spans: tuple[tuple[str, str], ...] = ()
    """The module and the name of each function with which the SDK, in some versions, starts a span of its own for a
    call. Where we record the call it returns a stand-in for our span instead."""


def discover() -> Iterator[Provider]:
    """Yield every provider in this folder. One that cannot be imported is logged and left out."""
    for module in iter_modules(__path__):
        provider: Provider | None = None
        with Guard(f"load the provider {module.name}"):
            provider = import_module(f"{__name__}.{module.name}").PROVIDER
        if provider is not None:
            yield provider
