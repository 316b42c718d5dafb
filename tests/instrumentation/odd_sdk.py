"""An SDK of unusual shapes: what other SDKs do that OpenAI's does not.

Each function answers with the words of its prompt, and with their number as usage.
"""

from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any


class Answer:
    """A response, or a chunk of one."""

    def __init__(self, text: str, tokens: int | None) -> None:
        self.text = text
        self.tokens = tokens


def complete(model: str, prompt: str) -> Answer:
    """Be a plain function with positional arguments (litellm)."""
    return Answer(f"{model}: {prompt}", len(prompt.split()))


class Suspension:
    """Suspends whoever awaits it, without an event loop."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Client:
    """A client whose methods stream in all the ways there are."""

    def stream(self, *, model: str, prompt: str) -> Iterator[Answer]:
        """Be a method of its own for streams, and a generator: nothing is sent before it is read (google-genai)."""
        yield from _answers(model, prompt)

    async def astream(self, *, model: str, prompt: str) -> AsyncIterator[Answer]:
        """Be an asynchronous generator that is not awaited (cohere)."""
        for answer in _answers(model, prompt):
            yield answer

    async def hang(self, *, model: str, prompt: str) -> Answer:
        """Never answer."""
        await Suspension()
        return Answer(model, len(prompt))

    def call_api(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Be one function for billed and other operations, whose stream is an entry of the response (boto3)."""
        if operation != "ConverseStream":
            return {"regions": ["here"]}
        return {"status": 200, "stream": EventStream(_answers(**parameters))}


def _answers(model: str, prompt: str) -> Iterator[Answer]:
    for count, word in enumerate(prompt.split(), 1):
        yield Answer(f"{model}: {word}", count)


class EventStream:
    """Can be iterated, but is no iterator."""

    def __init__(self, events: Iterator[Answer]) -> None:
        self._events = events

    def __iter__(self) -> Iterator[Answer]:
        yield from self._events
