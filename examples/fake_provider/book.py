"""What the provider was asked and what it billed: the truth that tests and the demo compare with."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request as it arrived, and what was billed for it."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: dict[str, Any]
    """Empty when the request carried no JSON object."""
    at: float
    """Unix seconds."""
    model: str = ""
    """The model that served it, "" until something is billed."""
    tier: str | None = None
    """The service tier that served it; None where the API knows none."""
    usage: dict[str, Any] | None = None
    """What was billed, in the provider's own words. None: nothing was."""

    def bill(self, model: str, usage: dict[str, Any], tier: str | None = None) -> None:
        """Charge for this request."""
        self.model, self.usage, self.tier = model, usage, tier


@dataclass(slots=True)
class Book:
    """Every request since the start or the last `clear`, in the order of arrival."""

    now: Callable[[], float] = time.time
    requests: list[Exchange] = field(default_factory=list[Exchange])
    _prompts: set[bytes] = field(default_factory=set[bytes])

    async def receive(self, request: Request) -> Exchange:
        """Write down a request before anything else happens to it."""
        raw = await request.body()
        exchange = Exchange(
            method=request.method,
            path=request.url.path,
            headers=dict(request.headers),
            body=_json_object(raw),
            at=self.now(),
        )
        self.requests.append(exchange)
        return exchange

    def bills(self) -> list[dict[str, Any]]:
        """Return every billed call: `path`, `model`, `tier`, `usage`, `at`."""
        return [
            {"path": each.path, "model": each.model, "tier": each.tier, "usage": each.usage, "at": each.at}
            for each in self.requests
            if each.usage is not None
        ]

    def seen_before(self, prompt: bytes) -> bool:
        """Say whether a prompt with this digest came before, and remember it."""
        seen = prompt in self._prompts
        self._prompts.add(prompt)
        return seen

    def clear(self) -> None:
        """Forget all requests and prompts."""
        self.requests.clear()
        self._prompts.clear()


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
