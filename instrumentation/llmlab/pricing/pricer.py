"""Prices calls: finds the rate for the names and the time of a call, and remembers what it found."""

import logging
import threading
from collections import OrderedDict
from typing import Generic, TypeVar

from llmlab.pricing import Priced, Reason
from llmlab.pricing.catalogue import Catalogue, Unknown
from llmlab.pricing.rate import Rate
from llmlab.pricing.schedule import Schedule
from llmlab.usage import Usage, contradictions

_log = logging.getLogger(__name__)

Key = tuple[str, tuple[str, ...], str, bool]
"""Provider, models, tier, batch."""

KNOWN = 10_000
UNKNOWN = 10_000
"""How many different names are remembered. More of them are looked up again, which takes about 0.1 ms."""

HINTS = 200
"""For how many unknown names the nearest known ones are looked for, which takes up to 10 ms."""

MAX_KEY = 1000
"""Characters in the names of a call that is remembered."""

K = TypeVar("K")
V = TypeVar("V")


class Memory(Generic[K, V]):
    """A dictionary that forgets its oldest entries rather than outgrow its limit. Threads may share it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()
        self.get = self._entries.get

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: K, value: V) -> None:
        """Remember a value."""
        with self._lock:
            self._entries[key] = value
            if len(self._entries) > self._limit:
                self._entries.popitem(last=False)


class Pricer:
    """Prices calls by one catalogue. Threads may share it."""

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self.catalogue = catalogue or Catalogue()
        self._rates: Memory[Key, Schedule[Rate]] = Memory(KNOWN)
        self._misses: Memory[Key, Priced] = Memory(UNKNOWN)
        self._hints_left = HINTS

    def price(
        self, provider: str, models: tuple[str, ...], usage: Usage, at_ns: int, *, tier: str = "", batch: bool = False
    ) -> Priced:
        """Price one call.

        `models` are candidates in order of preference, the served one first; "" is none. `at_ns` is the moment of the
        call in Unix nanoseconds, `tier` the service tier as the provider says it. Never raises: what cannot be priced
        has no cost, and a reason.
        """
        key = (provider, models, tier, batch)
        try:
            if usage.input is None and not usage.known:
                return self._without_usage(key, usage)
            found = self._rates.get(key) or self._misses.get(key) or self._resolve(key)
            return found if isinstance(found, Priced) else found.at(at_ns).price(usage)
        except Exception as error:  # noqa: BLE001 - logged: a bug in pricing must not cost the record of the call
            return self._failed(key, error)

    def _without_usage(self, key: Key, usage: Usage) -> Priced:
        if flaws := contradictions(usage):
            return self._none("contradiction", "; ".join(flaws))
        model = next(filter(None, key[1]), "the model")
        return self._none("no_usage", f"nobody reported what {model:.200} at {key[0] or 'the provider':.200} consumed")

    def _resolve(self, key: Key) -> Schedule[Rate] | Priced:
        provider, models, tier, batch = key
        try:
            found = self.catalogue.find(provider, models)
            if not isinstance(found, Unknown):
                return self._remember(self._rates, key, self.catalogue.rates(found, tier, batch=batch))
            miss = self._none(found.reason, found.detail + self._hint(provider, models))
        except Exception as error:  # noqa: BLE001 - logged, and once for each name: it will not go away
            miss = self._failed(key, error)
        return self._remember(self._misses, key, miss)

    def _remember(self, memory: "Memory[Key, V]", key: Key, value: V) -> V:
        provider, models, tier, _ = key
        if len(provider) + len(tier) + sum(map(len, models)) <= MAX_KEY:
            memory.put(key, value)
        return value

    def _hint(self, provider: str, models: tuple[str, ...]) -> str:
        """Name the nearest known names, as long as there are not too many unknown ones."""
        if self._hints_left <= 0 or not (named := next(filter(None, models), "")):
            return ""
        self._hints_left -= 1
        nearest = self.catalogue.nearest(provider, named)
        return f"; nearest: {', '.join(nearest)}" if nearest else ""

    def _failed(self, key: Key, error: Exception) -> Priced:
        _log.error("cannot price %.200r at %.200r", key[1], key[0], exc_info=error)
        return self._none("catalogue_error", f"{type(error).__name__}: {error}")

    def _none(self, reason: Reason, detail: str) -> Priced:
        return Priced(None, "none", reason, detail, self.catalogue.label)
