"""What a model behind Bedrock says, before its family's format is put on it."""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from fake_provider.book import Exchange
from fake_provider.openai.usage import count_text

WORDS = ("It ", "depends ", "on ", "the ", "weather.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One complete answer."""

    id: str
    model: str
    """As the request names it."""
    pieces: tuple[str, ...]
    usage: dict[str, Any]
    """As Converse reports it: the tokens of the prompt cache are beside `inputTokens`."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def usage_after(self, pieces: int) -> dict[str, Any]:
        """Return what is billed when the answer is cut after so many pieces."""
        return self.usage | {"outputTokens": min(pieces, self.usage["outputTokens"])}


def answer(exchange: Exchange, model: str) -> Answer:
    """Answer a request; the header `x-fake-usage` names counts that shall be reported, in JSON.

    Raises:
        ValueError: the header cannot be read.
    """
    derived = {"inputTokens": count_text(json.dumps(exchange.body)), "outputTokens": len(WORDS)}
    usage = derived | json.loads(exchange.headers.get("x-fake-usage", "{}"))
    parts = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    usage["totalTokens"] = sum(usage.get(part, 0) for part in parts)
    return Answer(id=secrets.token_hex(12), model=model, pieces=WORDS, usage=usage)
